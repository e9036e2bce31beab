//! Keys in files, and signing. Tokens good and bad: `tests/bridge`, which holds both sides to one table.

use super::*;
use crate::clock::Millis;
use std::os::unix::fs::PermissionsExt as _;

const NOW: Millis = Millis(1_769_904_000_000);

#[test]
fn keys_are_made_once_rotated_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    let made = generate(&path, "order").unwrap();
    assert!(matches!(generate(&path, "order"), Err(KeyFileError::Exists(_))));
    let mode = std::fs::metadata(private_path(&path, "order")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(load_private(&path, "order").unwrap(), made);
    assert_eq!(load_public(&path, "order").unwrap(), made.public());
    let public = std::fs::read_to_string(public_path(&path, "order")).unwrap();
    assert!(!public.contains("\"d\""), "no private part gets out: {public}");

    let rotated = rotate(&path, "order").unwrap();
    assert_eq!(rotated.ids().nth(1), made.ids().next(), "the one before stays active");
    let again = rotate(&path, "order").unwrap();
    assert_eq!((again.ids().count(), again.ids().nth(1)), (MAX_ACTIVE, rotated.ids().next()));
}

#[test]
fn a_private_key_that_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    generate(folder.path(), BRIDGE).unwrap();
    let path = private_path(folder.path(), BRIDGE);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = load_private(folder.path(), BRIDGE).unwrap_err().to_string();
    assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
}

#[test]
fn files_that_are_no_key_sets_are_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load_private(folder.path(), BRIDGE).unwrap_err().to_string();
    assert!(missing.contains("a4co keys generate"), "{missing}");
    let set = KeySet::generate().unwrap();
    for (text, expected) in [
        ("{}".to_owned(), "not a key set"),
        (r#"{"keys":[]}"#.to_owned(), "it has 0 keys"),
        (set.to_json().replace("OKP", "RSA"), "no Ed25519 key"),
        (set.to_json().replace("\"keys\"", "\"more\": 1, \"keys\""), "unknown field"),
        (set.public().to_json(), "lacks its private part"),
    ] {
        std::fs::write(private_path(folder.path(), BRIDGE), text).unwrap();
        std::fs::set_permissions(private_path(folder.path(), BRIDGE), std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = load_private(folder.path(), BRIDGE).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_key_is_named_by_its_thumbprint() {
    // RFC 8037, appendix A.3.
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","alg":"EdDSA","use":"sig","kid":"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    assert!(KeySet::parse(set).is_ok());
    let renamed = KeySet::parse(&set.replace("kPrK", "kPrX")).unwrap_err();
    assert!(renamed.contains("thumbprint"), "{renamed}");
}

#[test]
fn a_token_is_used_for_half_its_life() {
    let set = KeySet::generate().unwrap();
    let signer = Signer::new(BRIDGE, &set).unwrap();
    let trusted = Trusted::new().and(BRIDGE, &set.public()).unwrap();
    let token = signer.authorization("order", NOW);
    assert_eq!(signer.authorization("order", NOW.after(LIFETIME / 2 - LIFETIME / 60)), token);
    assert_ne!(signer.authorization("order", NOW.after(LIFETIME / 2)), token);
    assert_ne!(signer.authorization("inventory", NOW), token);
    assert_eq!(trusted.verify(Some(&token), "order", NOW).as_deref(), Ok(BRIDGE));
    assert_eq!(trusted.verify(Some(&token), "order", NOW.after(LIFETIME + LEEWAY)), Err(Denied::Expired));
    assert!(Signer::new(BRIDGE, &set.public()).is_err());
    assert!(!format!("{signer:?} {set:?}").contains(set.keys[0].d.as_deref().unwrap()), "no key gets into a log");
}
