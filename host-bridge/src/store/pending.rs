//! Messages that were handed to a consumer and are not settled yet, and how they lie in the consumer's row.

use std::collections::BTreeMap;

/// What is known of an unsettled message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Pending {
    /// Failures of the handler.
    pub failures: u32,
    /// Hand-outs without any verdict.
    pub unanswered: u32,
    /// Milliseconds since the epoch before which it is not to be handed out; 0 for at once.
    pub not_before: u64,
    /// When the event was published, in milliseconds; 0 where it was not read yet. Not stored.
    pub published_at: u64,
    /// A hand-out of this life has no verdict yet. Not stored.
    pub live: bool,
}

/// A replayed message: where it lay in the stream, which replay it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Replay {
    pub origin: u64,
    pub number: u32,
    pub pending: Pending,
}

/// The first byte of the encoding.
const ENCODING: u8 = 1;

/// Writes the unsettled messages, and the counts of those replays that have some.
pub(crate) fn encode(messages: &BTreeMap<u64, Pending>, replays: &BTreeMap<u64, Replay>) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + messages.len() * 6);
    out.push(ENCODING);
    write_all(&mut out, messages.iter());
    let fresh = |pending: &Pending| pending.failures == 0 && pending.unanswered == 0 && pending.not_before == 0;
    let counted: Vec<_> = replays.iter().map(|(sequence, replay)| (sequence, &replay.pending)).collect();
    write_all(&mut out, counted.into_iter().filter(|(_, pending)| !fresh(pending)));
    out
}

/// Reads what [`encode`] wrote; `None` for anything else.
pub(crate) fn decode(bytes: &[u8]) -> Option<(BTreeMap<u64, Pending>, BTreeMap<u64, Pending>)> {
    let (version, mut rest) = bytes.split_first()?;
    let messages = read_all(&mut rest)?;
    let replays = read_all(&mut rest)?;
    (*version == ENCODING && rest.is_empty()).then_some((messages, replays))
}

fn write_all<'a>(out: &mut Vec<u8>, messages: impl Iterator<Item = (&'a u64, &'a Pending)>) {
    let mut previous = 0;
    for (sequence, pending) in messages {
        // A gap is at least 1, so that 0 marks the end.
        write(out, sequence - previous);
        write(out, u64::from(pending.failures));
        write(out, u64::from(pending.unanswered));
        write(out, pending.not_before);
        previous = *sequence;
    }
    write(out, 0);
}

fn read_all(rest: &mut &[u8]) -> Option<BTreeMap<u64, Pending>> {
    let mut messages = BTreeMap::new();
    let mut sequence = 0u64;
    loop {
        let gap = read(rest)?;
        if gap == 0 {
            return Some(messages);
        }
        sequence = sequence.checked_add(gap)?;
        let failures = u32::try_from(read(rest)?).ok()?;
        let unanswered = u32::try_from(read(rest)?).ok()?;
        let not_before = read(rest)?;
        messages.insert(sequence, Pending { failures, unanswered, not_before, ..Pending::default() });
    }
}

/// Seven bits a byte, lowest first.
fn write(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn read(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(entries in prop::collection::btree_map(1u64.., (0u32.., 0u32.., 0u64..), 0..40)) {
            let messages: BTreeMap<_, _> = entries
                .into_iter()
                .map(|(sequence, (failures, unanswered, not_before))| {
                    (sequence, Pending { failures, unanswered, not_before, ..Pending::default() })
                })
                .collect();
            prop_assert_eq!(decode(&encode(&messages, &BTreeMap::new())), Some((messages, BTreeMap::new())));
        }

        #[test]
        fn damage_is_never_a_panic(bytes in prop::collection::vec(0u8.., 0..60)) {
            let _ = decode(&bytes);
        }
    }
}
