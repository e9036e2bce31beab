//! Names as NATS takes them: injective, with ordinary keys left readable, so that `nats kv get` finds them.

use std::fmt::Write as _;

/// Marks an escaped byte of a key; what follows is two hexadecimal digits.
const KEY_ESCAPE: char = '=';
/// Marks an escaped byte of a store's label.
const LABEL_ESCAPE: char = '_';

/// A key as one token of a subject: `order/abc-1` stays as it is, any byte that is no letter, digit, `-`, `/` or `_`
/// becomes `=2E`. The dot too: so no token is empty, and none begins or ends with one.
pub(super) fn encode(key: &str) -> String {
    escape(key, KEY_ESCAPE, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'/' | b'_'))
}

/// The key of a token; `None` for one that [`encode`] did not make.
pub(super) fn decode(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token;
    while let Some((plain, escaped)) = rest.split_once(KEY_ESCAPE) {
        bytes.extend_from_slice(plain.as_bytes());
        bytes.push(u8::from_str_radix(escaped.get(..2)?, 16).ok()?);
        rest = escaped.get(2..)?;
    }
    bytes.extend_from_slice(rest.as_bytes());
    let key = String::from_utf8(bytes).ok()?;
    (encode(&key) == token).then_some(key)
}

/// The bucket of a store: what follows `KV_` in its stream's name. Capitals are escaped: `A4CO_TIMERS` and its like are
/// the host's own.
pub(super) fn bucket(prefix: &str, store: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let label = escape(store, LABEL_ESCAPE, plain);
    format!("{prefix}_{label}")
}

fn escape(text: &str, mark: char, plain: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if plain(byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(escaped, "{mark}{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_keys_stay_readable() {
        for key in ["order/abc-1", "Index_7", "a"] {
            assert_eq!(encode(key), key);
        }
        assert_eq!(encode("a.b"), "a=2Eb");
        assert_eq!(encode("user@x.es"), "user=40x=2Ees");
        assert_eq!(encode("ñ * >="), "=C3=B1=20=2A=20=3E=3D");
        assert_eq!(bucket("A4CO", "default"), "A4CO_default");
        assert_eq!(bucket("A4CO", "TIMERS").find("TIMERS"), None);
        assert_ne!(bucket("A4CO", "a_b"), bucket("A4CO", "a.b"));
    }

    #[test]
    fn what_is_no_key_of_ours_is_not_decoded() {
        for token in ["=", "=4", "=zz", "=c3=B1", "=FF", "=41", "a.b"] {
            assert_eq!(decode(token), None, "{token}");
        }
    }

    proptest! {
        #[test]
        fn keys_come_back_and_are_tokens(key in "\\PC{1,40}|[a-z./*> =\\x00\\n]{1,20}") {
            let token = encode(&key);
            prop_assert!(token.bytes().all(|b| b.is_ascii_alphanumeric() || b"-/_=".contains(&b)));
            prop_assert_eq!(decode(&token), Some(key));
        }
    }
}
