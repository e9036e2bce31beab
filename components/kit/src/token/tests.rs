//! What is signed here is accepted here, and by the letter of RFC 8037. Bad tokens: `tests/bridge`, which holds both sides
//! to one table.

use super::*;

/// The key of RFC 8037, appendix A.
const RFC: &str = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
const NOW: Millis = Millis(1_769_904_000_000);

#[test]
fn the_rfcs_own_signature_is_ours() {
    let key = SigningKey::read(RFC).unwrap();
    let signed = format!("{}.{}", encode_text(r#"{"alg":"EdDSA"}"#), encode_text("Example of Ed25519 signing"));
    let signature = Base64UrlUnpadded::encode_string(&key.key.sign(signed.as_bytes()).to_bytes());
    assert_eq!(signature, "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
}

fn encode_text(text: &str) -> String {
    Base64UrlUnpadded::encode_string(text.as_bytes())
}

#[test]
fn what_is_signed_is_accepted_for_its_time_and_by_its_audience() {
    let (key, keys) = (SigningKey::read(RFC).unwrap(), PublicKeys::read(RFC).unwrap());
    let token = sign(&key, "order", BRIDGE, NOW);
    let at = |milliseconds, parties| verify(Some(&token), &keys, parties, Millis(NOW.0 + milliseconds)).map(|_| ());
    assert_eq!(at(0, ("order", BRIDGE)), Ok(()));
    assert_eq!(at(69_000, ("order", BRIDGE)), Ok(()), "within the leeway");
    assert_eq!(at(70_000, ("order", BRIDGE)), Err(Denied::Expired));
    assert_eq!(at(0, ("order", "inventory")), Err(Denied::Audience));
    assert_eq!(at(0, ("saga", BRIDGE)), Err(Denied::Issuer));
    assert_eq!(verify(None, &keys, ("order", BRIDGE), NOW).map(|_| ()), Err(Denied::Missing));
}

#[track_caller]
fn check_refused(set: &str, expected: &str) {
    let error = SigningKey::read(set).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn key_sets_that_are_none_are_said_to_be() {
    check_refused("", "not a key set");
    check_refused(r#"{"keys":[]}"#, "the key set is empty");
    check_refused(&RFC.replace("OKP", "RSA"), "is no Ed25519 key");
    check_refused(&RFC.replace("\"d\"", "\"other\""), "has no private part");
    check_refused(&RFC.replace("nWGx", "nWGy"), "do not belong together");
    check_refused(&RFC.replace("f2A", ""), "has not 32 bytes");
}
