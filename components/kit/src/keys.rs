//! Keys of the store: a kind and ids, encoded so that no id can name another's key.

/// `kind/id/id…`: what NATS KV accepts (`[-/_=.a-zA-Z0-9]`), and injective: any other byte becomes `=XX`.
#[must_use]
pub fn key(kind: &str, ids: &[&str]) -> String {
    let mut key = kind.to_owned();
    for id in ids {
        key.push('/');
        for byte in id.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
                key.push(char::from(byte));
            } else {
                key.push_str(&format!("={byte:02X}"));
            }
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_names_anothers_key() {
        assert_eq!(key("order", &["a/b"]), "order/a=2Fb");
        assert_ne!(key("order", &["a=2Fb"]), key("order", &["a/b"]));
        assert_eq!(key("entry", &["o-1", "p_2"]), "entry/o-1/p_2");
    }
}
