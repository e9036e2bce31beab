//! What everything is called on the server: all names begin with the application's prefix, so that applications and
//! tests share a server.

use super::BusError;
use std::fmt::Write as _;

/// The names of one application.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
}

impl Names {
    /// Names that begin with `prefix`, such as `A4CO`.
    ///
    /// # Errors
    /// Where the prefix cannot stand in the name of a stream.
    pub(super) fn new(prefix: &str) -> Result<Self, BusError> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if prefix.is_empty() || prefix.len() > 32 || !prefix.bytes().all(fits) {
            let why = "an application's prefix has 1 to 32 letters, digits, `-` and `_`";
            return Err(BusError::Unavailable(format!("{why}: `{prefix}` has not")));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The prefix itself.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The bucket of positions and leases.
    pub(super) fn positions(&self) -> String {
        format!("{}_POSITIONS", self.prefix)
    }

    /// The bucket of timers.
    pub(super) fn timers(&self) -> String {
        format!("{}_TIMERS", self.prefix)
    }

    /// The bucket of what operators ask for.
    pub(super) fn control(&self) -> String {
        format!("{}_CONTROL", self.prefix)
    }

    /// The stream of dead letters.
    pub(super) fn letters(&self) -> String {
        format!("{}_DLQ", self.prefix)
    }

    /// The stream of replayed messages.
    pub(super) fn replays(&self) -> String {
        format!("{}_REPLAYS", self.prefix)
    }

    /// What the stream of dead letters takes.
    pub(super) fn all_letters(&self) -> String {
        format!("{}.dlq.>", self.prefix)
    }

    /// What the stream of replays takes.
    pub(super) fn all_replays(&self) -> String {
        format!("{}.replay.>", self.prefix)
    }

    /// The subject of one dead letter.
    pub(super) fn letter(&self, (component, stream): (&str, &str), id: &str) -> String {
        format!("{}.dlq.{}.{}.{}", self.prefix, token(component), token(stream), token(id))
    }

    /// The subject under which a letter of that id lies, whoever failed.
    pub(super) fn letter_of(&self, id: &str) -> String {
        format!("{}.dlq.*.*.{}", self.prefix, token(id))
    }

    /// The subject of one consumer's replays.
    pub(super) fn replay(&self, component: &str, stream: &str) -> String {
        format!("{}.replay.{}.{}", self.prefix, token(component), token(stream))
    }

    /// Where processes tell that they live.
    pub(super) fn beats(&self) -> String {
        format!("{}.node", self.prefix)
    }

    /// Where a holder tells that it has let go.
    pub(super) fn freed(&self) -> String {
        format!("{}.freed", self.prefix)
    }

    /// What is written to the bucket of what operators ask for.
    pub(super) fn control_changes(&self) -> String {
        format!("$KV.{}.>", self.control())
    }
}

/// The key of a consumer's position.
pub(super) fn source_key(component: &str, stream: &str) -> String {
    format!("source.{}.{}", token(component), token(stream))
}

/// The key of the flag that a consumer is paused.
pub(super) fn pause_key(component: &str, stream: &str) -> String {
    format!("pause.{}.{}", token(component), token(stream))
}

/// The key of the lease on the timers.
pub(super) const TIMERS_KEY: &str = "lease.timers";

/// `text` as one token of a subject or key; no two texts give the same.
fn token(text: &str) -> String {
    let mut token = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            token.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(token, "={byte:02x}");
        }
    }
    if token.is_empty() { "=".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_texts_are_the_same_token() {
        let texts = ["", "a", "a.b", "a=2eb", "a b", "ä", "*", ">", "=", "A"];
        let tokens: std::collections::BTreeSet<_> = texts.iter().map(|text| token(text)).collect();
        assert_eq!(tokens.len(), texts.len());
        assert!(tokens.iter().all(|token| !token.contains(['.', '*', '>', ' '])));
    }

    #[test]
    fn a_prefix_that_is_no_name_is_refused() {
        for prefix in ["", "a.b", "a b", "*", &"x".repeat(33)] {
            assert!(Names::new(prefix).is_err(), "{prefix:?}");
        }
    }
}
