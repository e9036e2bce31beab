//! What a consumer subscribes to, from which sequence on, and what of that the server can filter.

use crate::bus::Start;
use crate::subject::SubjectPattern;
use serde::{Deserialize, Serialize};

/// The subscriptions of one consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Filters(Vec<Filter>);

/// One subscription: what it covers, from which sequence on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Filter {
    pattern: String,
    from: u64,
}

impl Filters {
    /// Those of a new consumer on a stream whose last sequence is `last`.
    pub(super) fn starting(wanted: &[(SubjectPattern, Start)], last: u64) -> Self {
        let from = |start: Start| if start == Start::All { 0 } else { last + 1 };
        let filter = |(pattern, start): &(SubjectPattern, Start)| Filter {
            pattern: pattern.as_str().to_owned(),
            from: from(*start),
        };
        Self(wanted.iter().map(filter).collect())
    }

    /// The wanted ones, each that was there before from where it was; with the patterns that are new and want old events
    /// too. Those start after `last` all the same: their old events come beside the stream, where they cannot come too
    /// late.
    pub(super) fn changed_to(&self, wanted: &[(SubjectPattern, Start)], last: u64) -> (Self, Vec<SubjectPattern>) {
        let mut backfill = Vec::new();
        let mut filters = Vec::new();
        for (pattern, start) in wanted {
            let known = self.0.iter().find(|filter| filter.pattern == pattern.as_str());
            if known.is_none() && *start == Start::All {
                backfill.push(pattern.clone());
            }
            let new = || Filter { pattern: pattern.as_str().to_owned(), from: last + 1 };
            filters.push(known.cloned().unwrap_or_else(new));
        }
        (Self(filters), backfill)
    }

    /// The same on a stream that was created anew: all it holds is new.
    pub(super) fn from_the_first(wanted: &[(SubjectPattern, Start)]) -> Self {
        let filter = |(pattern, _): &(SubjectPattern, Start)| Filter { pattern: pattern.as_str().to_owned(), from: 0 };
        Self(wanted.iter().map(filter).collect())
    }

    /// Whether an event is wanted.
    pub(super) fn want(&self, subject: &str, sequence: u64) -> bool {
        self.patterns().any(|(pattern, from)| from <= sequence && pattern.matches(subject))
    }

    /// Each pattern with the sequence from which it holds.
    pub(super) fn patterns(&self) -> impl Iterator<Item = (SubjectPattern, u64)> {
        let valid = |filter: &Filter| SubjectPattern::new(&filter.pattern).ok().map(|pattern| (pattern, filter.from));
        self.0.iter().filter_map(valid)
    }
}

/// What the server is to filter by, for a stream that takes `taken`; empty where it is to send everything, because it
/// refuses patterns that overlap or that go past what the stream takes. What comes too much is skipped by the reader.
pub(super) fn on_server(wanted: &[SubjectPattern], taken: &[SubjectPattern]) -> Vec<String> {
    let mut kept: Vec<&SubjectPattern> = Vec::new();
    for pattern in wanted {
        if kept.iter().any(|other| covers(other, pattern)) {
            continue;
        }
        kept.retain(|other| !covers(pattern, other));
        kept.push(pattern);
    }
    let overlap = kept.iter().enumerate().any(|(at, one)| kept.iter().skip(at + 1).any(|other| one.overlaps(other)));
    let outside = kept.iter().any(|pattern| !taken.iter().any(|subject| covers(subject, pattern)));
    if overlap || outside { Vec::new() } else { kept.iter().map(|pattern| pattern.as_str().to_owned()).collect() }
}

/// Whether `wide` matches all that `narrow` does.
fn covers(wide: &SubjectPattern, narrow: &SubjectPattern) -> bool {
    let (mut wide, mut narrow) = (wide.as_str().split('.'), narrow.as_str().split('.'));
    loop {
        match (wide.next(), narrow.next()) {
            (None, None) | (Some(">"), Some(_)) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(other)) if one == other => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<SubjectPattern> {
        texts.iter().map(|text| SubjectPattern::new(text).unwrap()).collect()
    }

    #[track_caller]
    fn check_server(wanted: &[&str], taken: &[&str], expected: &[&str]) {
        assert_eq!(on_server(&patterns(wanted), &patterns(taken)), expected);
    }

    #[test]
    fn the_server_gets_what_it_takes() {
        check_server(&["order.created", "order.paid"], &["order.>"], &["order.created", "order.paid"]);
        check_server(&["order.created", "order.*"], &["order.>"], &["order.*"]);
        check_server(&["order.*", "order.created"], &["order.>"], &["order.*"]);
        check_server(&["order.*.a", "order.b.*"], &["order.>"], &[]);
        check_server(&["order.>"], &["order.created", "order.paid"], &[]);
        check_server(&["order.>"], &["order.>"], &["order.>"]);
        check_server(&["order.>"], &["order.*"], &[]);
    }

    #[test]
    fn a_later_filter_starts_after_what_is_there() {
        let wanted = |texts: &[(&str, Start)]| {
            texts.iter().map(|(text, start)| (SubjectPattern::new(text).unwrap(), *start)).collect::<Vec<_>>()
        };
        let first = Filters::starting(&wanted(&[("a.x", Start::All), ("a.y", Start::New)]), 7);
        assert!(first.want("a.x", 1) && !first.want("a.y", 7) && first.want("a.y", 8));
        let more = wanted(&[("a.x", Start::All), ("a.z", Start::All), ("a.w", Start::New)]);
        let (second, backfill) = first.changed_to(&more, 9);
        assert_eq!(backfill, patterns(&["a.z"]));
        assert!(second.want("a.x", 1) && !second.want("a.z", 9) && second.want("a.z", 10) && !second.want("a.w", 9));
        assert!(!second.want("a.y", 20));
    }
}
