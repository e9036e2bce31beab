//! Subjects and the patterns that match them, by NATS's rules: tokens between dots, `*` for one, `>` for the rest.

use std::fmt;
use std::sync::Arc;

/// Longest subject accepted, in bytes: keeps log lines, keys and headers bounded.
pub const MAX_SUBJECT_BYTES: usize = 255;

/// Why a text is no subject or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a subject{}: {why}", if *pattern { " pattern" } else { "" })]
pub struct SubjectError {
    text: String,
    pattern: bool,
    why: &'static str,
}

/// What an event is published under, such as `inventory.stock.check`: tokens of `[A-Za-z0-9_-]`, checked.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject(Arc<str>);

/// Which subjects a subscription or a grant covers, such as `inventory.>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectPattern(Arc<str>);

impl Subject {
    /// Checks `text`.
    ///
    /// # Errors
    /// Where it is empty, too long, has an empty token or a character that could carry meaning elsewhere.
    pub fn new(text: &str) -> Result<Self, SubjectError> {
        check(text, false)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SubjectPattern {
    /// Checks `text`.
    ///
    /// # Errors
    /// As for a subject; also where `*` is not a whole token or `>` not the last.
    pub fn new(text: &str) -> Result<Self, SubjectError> {
        check(text, true)?;
        Ok(Self(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `subject` is covered.
    #[must_use]
    pub fn matches(&self, subject: &str) -> bool {
        let mut tokens = subject.split('.');
        for wanted in self.0.split('.') {
            match (wanted, tokens.next()) {
                (">", Some(_)) => return true,
                ("*", Some(_)) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Whether some subject is covered by both.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (self.0.split('.'), other.0.split('.'));
        loop {
            match (mine.next(), theirs.next()) {
                (None, None) => return true,
                (Some(">"), Some(_)) | (Some(_), Some(">")) => return true,
                (Some(a), Some(b)) if a == b || a == "*" || b == "*" => {}
                _ => return false,
            }
        }
    }
}

fn check(text: &str, pattern: bool) -> Result<(), SubjectError> {
    let fail = |why| Err(SubjectError { text: text.chars().take(64).collect(), pattern, why });
    if text.len() > MAX_SUBJECT_BYTES {
        return fail("it is longer than 255 bytes");
    }
    let mut tokens = text.split('.').peekable();
    while let Some(token) = tokens.next() {
        let wild = pattern && (token == "*" || (token == ">" && tokens.peek().is_none()));
        if token.is_empty() {
            return fail("it has an empty token");
        }
        if !wild && !token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
            return fail("a token may hold letters, digits, `-` and `_` only");
        }
    }
    Ok(())
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_match(pattern: &str, subject: &str, expected: bool) {
        assert_eq!(SubjectPattern::new(pattern).unwrap().matches(subject), expected, "{pattern} on {subject}");
    }

    #[test]
    fn wildcards_cover_as_in_nats() {
        check_match("inventory.>", "inventory.stock.check", true);
        check_match("inventory.>", "inventory", false);
        check_match("order.*", "order.created", true);
        check_match("order.*", "inventory.stock.check", false);
        check_match("order.*", "order.a.b", false);
        check_match("order.created", "order.created", true);
        check_match("order.created", "order.cancelled", false);
        check_match("order.created", "order", false);
        check_match("order", "order.created", false);
    }

    #[test]
    fn overlaps_are_found_both_ways() {
        for (a, b, expected) in [
            ("order.*", "order.created", true),
            ("order.>", "order.a.b", true),
            ("*.created", "order.*", true),
            ("order.created", "order.cancelled", false),
            ("order", "order.>", false),
            ("order", "order.created", false),
        ] {
            let (a, b) = (SubjectPattern::new(a).unwrap(), SubjectPattern::new(b).unwrap());
            assert_eq!(a.overlaps(&b), expected, "{a} {b}");
            assert_eq!(b.overlaps(&a), expected, "{b} {a}");
        }
    }

    #[test]
    fn what_is_checked_reads_as_it_was_written_up_to_the_longest() {
        let longest = "a".repeat(MAX_SUBJECT_BYTES);
        for text in ["order.created", "a-b_C9", &longest] {
            let subject = Subject::new(text).unwrap();
            assert_eq!(
                (subject.as_str(), subject.to_string(), format!("{subject:?}")),
                (text, text.into(), format!("{text:?}"))
            );
        }
        let pattern = SubjectPattern::new("order.*.>").unwrap();
        assert_eq!(
            (pattern.as_str(), &*pattern.to_string(), &*format!("{pattern:?}")),
            ("order.*.>", "order.*.>", "\"order.*.>\"")
        );
        for over in [1, 2, 1_000] {
            let error = Subject::new(&"a".repeat(MAX_SUBJECT_BYTES + over)).unwrap_err().to_string();
            assert!(error.ends_with("it is longer than 255 bytes"), "{error}");
        }
    }

    #[test]
    fn hostile_subjects_are_refused() {
        for text in ["", ".", "a..b", "a b", "a\r\nb", "*", "a.>", "ä"] {
            assert!(Subject::new(text).is_err(), "{text:?}");
        }
        for text in ["a.>.b", "a*", ">a"] {
            assert!(SubjectPattern::new(text).is_err(), "{text:?}");
        }
    }
}
