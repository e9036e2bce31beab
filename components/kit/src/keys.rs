//! Keys of the store: a kind and ids, encoded so that no id can name another's key.

/// `kind/id/id…`: what NATS KV accepts (`[-/_=.a-zA-Z0-9]`), and injective: any other byte becomes `=XX`.
#[must_use]
pub fn key(kind: &str, ids: &[&str]) -> String {
    let mut key = String::with_capacity(kind.len() + ids.iter().map(|id| 1 + id.len()).sum::<usize>());
    key.push_str(kind);
    for id in ids {
        key.push('/');
        if id.bytes().all(is_plain) {
            key.push_str(id);
        } else {
            id.bytes().for_each(|byte| push(&mut key, byte));
        }
    }
    key
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn push(key: &mut String, byte: u8) {
    if is_plain(byte) {
        key.push(char::from(byte));
    } else {
        key.push_str(&format!("={byte:02X}"));
    }
}

/// Which of `parts` values an id is kept in, where one value of all would be too large. FNV-1a: stays the same whatever
/// builds it, unlike the standard library's hashers.
#[must_use]
pub fn part_of(id: &str, parts: u64) -> u64 {
    let hash = id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    (hash ^ (hash >> 32)).checked_rem(parts).unwrap_or_default()
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

    #[test]
    fn parts_are_filled_evenly_and_an_id_stays_in_its_own() {
        let mut filled = [0; 8];
        for number in 0..800 {
            let part = part_of(&format!("prod-{number}"), 8);
            filled[usize::try_from(part).unwrap()] += 1;
        }
        assert!(filled.iter().all(|count| (60..=140).contains(count)), "{filled:?}");
        assert_eq!(part_of("prod-cuenco", 64), 51);
    }
}
