//! The durable position of one consumer: who holds it, how far it has read, what of that is unsettled.
//!
//! It is ours, not the server's: one value, written by compare-and-swap. A write carries the renewal of the lease, the
//! cursor, the counts of hand-outs and any number of acknowledgements, all or nothing, and whoever lost the lease
//! cannot write any more.

use super::filters::Filters;
use crate::store::pending::Pending;
use serde::{Deserialize, Serialize};

/// One position as it lies in the bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// The process that holds it; none where the last one let go of it cleanly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Grows with each new holder.
    pub epoch: u64,
    /// Grows with each write of a holder.
    pub beat: u64,
    /// The component; empty for a lease that is no consumer.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub component: String,
    /// The stream.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stream: String,
    /// Which stream of that name it was.
    #[serde(default)]
    pub incarnation: u64,
    /// What it subscribes to.
    #[serde(default)]
    pub filters: Filters,
    /// Every matching event up to here was handed out or skipped.
    #[serde(default)]
    pub cursor: u64,
    /// Those of them that are not settled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outstanding: Vec<Unsettled>,
    /// The same for its replays.
    #[serde(default)]
    pub replay_cursor: u64,
    /// The same for its replays.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replays: Vec<Unsettled>,
}

/// One unsettled message: its sequence and, where something was counted, failures, hand-outs without a verdict, and
/// the instant before which it waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<u64>", try_from = "Vec<u64>")]
pub(super) struct Unsettled {
    pub sequence: u64,
    pub pending: Pending,
}

impl From<Unsettled> for Vec<u64> {
    fn from(Unsettled { sequence, pending }: Unsettled) -> Self {
        let counts = [u64::from(pending.failures), u64::from(pending.unanswered), pending.not_before];
        let mut numbers = vec![sequence];
        if counts != [0; 3] {
            numbers.extend(counts);
        }
        numbers
    }
}

impl TryFrom<Vec<u64>> for Unsettled {
    type Error = String;

    fn try_from(numbers: Vec<u64>) -> Result<Self, String> {
        let counted = |number: u64| u32::try_from(number).map_err(|error| error.to_string());
        let pending = match *numbers {
            [_] => Pending::default(),
            [_, failures, unanswered, not_before] => {
                let (failures, unanswered) = (counted(failures)?, counted(unanswered)?);
                Pending { failures, unanswered, not_before, ..Pending::default() }
            }
            _ => return Err(format!("an unsettled message has 1 or 4 numbers, not {}", numbers.len())),
        };
        let sequence = numbers.first().copied().unwrap_or_default();
        Ok(Self { sequence, pending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unsettled() -> impl Strategy<Value = Unsettled> {
        (1u64.., 0u32..3, 0u32..3, 0u64..3).prop_map(|(sequence, failures, unanswered, not_before)| {
            let pending = Pending { failures, unanswered, not_before, ..Pending::default() };
            Unsettled { sequence, pending }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            outstanding in prop::collection::vec(unsettled(), 0..20),
            replays in prop::collection::vec(unsettled(), 0..20),
            holder in prop::option::of("[a-z]{1,8}"),
            cursor in 0u64..,
        ) {
            let record = Record { holder, outstanding, replays, cursor, ..Record::default() };
            let text = serde_json::to_string(&record).unwrap();
            prop_assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }

    #[test]
    fn damage_is_an_error() {
        for text in ["[]", "[1,2]", "[1,2,3,4,5]", "[1,99999999999,0,0]"] {
            assert!(serde_json::from_str::<Unsettled>(text).is_err(), "{text}");
        }
    }
}
