//! Codec errors and how their paths come about: each level adds its segment while the error passes through it.

use std::cell::RefCell;
use std::fmt;

/// Longest part of an offending value that an error repeats, in characters.
const SHOWN_CHARACTERS: usize = 40;

/// What is wrong with a value, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct CodecError {
    /// The JSON path: `eventData.items[2].quantity`.
    pub path: String,
    /// What is wrong there: `expected an integer ≥ 0, got "x"`.
    pub reason: String,
}

/// One step of a path.
#[derive(Debug)]
pub(super) enum Segment {
    Key(String),
    Index(usize),
}

/// Collects a failure: its reason where it happens, its path while it unwinds.
#[derive(Debug, Default)]
pub(super) struct Failure {
    reason: String,
    /// Innermost first.
    path: Vec<Segment>,
}

impl Failure {
    #[cold]
    pub(super) fn new(reason: String) -> Box<Self> {
        Box::new(Self { reason, path: Vec::new() })
    }

    #[cold]
    pub(super) fn mismatch(expected: &str, got: &dyn fmt::Display) -> Box<Self> {
        Self::new(format!("expected {expected}, got {got}"))
    }

    #[cold]
    pub(super) fn within(mut self: Box<Self>, key: &str) -> Box<Self> {
        self.path.push(Segment::Key(key.to_owned()));
        self
    }

    #[cold]
    pub(super) fn at(mut self: Box<Self>, index: usize) -> Box<Self> {
        self.path.push(Segment::Index(index));
        self
    }

    /// The error, with `root` at the head of its path.
    #[cold]
    pub(super) fn under(self, root: &str) -> CodecError {
        let mut path = root.to_owned();
        self.path.iter().rev().for_each(|segment| push_segment(&mut path, segment));
        CodecError { path, reason: self.reason }
    }
}

/// A failure beside serde's own error type, which has no place for it.
#[derive(Debug, Default)]
pub(super) struct Trace(RefCell<Option<Box<Failure>>>);

impl Trace {
    /// Notes a failure and makes the error that unwinds.
    #[cold]
    pub(super) fn raise<E: serde::de::Error>(&self, failure: Box<Failure>) -> E {
        self.0.replace(Some(failure));
        E::custom("")
    }

    /// Adds the field the error passes through.
    #[cold]
    pub(super) fn within<E: fmt::Display>(&self, error: E, key: &str) -> E {
        self.edit(&error, |failure| failure.path.push(Segment::Key(key.to_owned())));
        error
    }

    /// Adds the index the error passes through.
    #[cold]
    pub(super) fn at<E: fmt::Display>(&self, error: E, index: usize) -> E {
        self.edit(&error, |failure| failure.path.push(Segment::Index(index)));
        error
    }

    /// The error, with `root` at the head of its path.
    #[cold]
    pub(super) fn finish(&self, error: &serde_json::Error, root: &str) -> CodecError {
        self.edit(error, |_| ());
        let failure = self.0.take().unwrap_or_default();
        failure.under(root)
    }

    /// An error without a failure is the JSON parser's own.
    fn edit(&self, error: &impl fmt::Display, change: impl FnOnce(&mut Failure)) {
        let mut slot = self.0.borrow_mut();
        change(slot.get_or_insert_with(|| Failure::new(format!("not JSON: {error}"))));
    }
}

fn push_segment(path: &mut String, segment: &Segment) {
    match segment {
        Segment::Index(index) => path.push_str(&format!("[{index}]")),
        Segment::Key(key) if is_plain(key) => {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        }
        Segment::Key(key) => path.push_str(&format!("[{}]", Quoted(key))),
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.len() <= 64 && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// A text as an error shows it: quoted, escaped, cut.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        f.write_str("\"")?;
        for character in characters.by_ref().take(SHOWN_CHARACTERS) {
            match character {
                '"' => f.write_str("\\\"")?,
                control if control.is_control() => write!(f, "{}", control.escape_default())?,
                other => write!(f, "{other}")?,
            }
        }
        f.write_str(if characters.next().is_some() { "…\"" } else { "\"" })
    }
}
