//! Checks of fields that gather everything wrong before they answer.

use kit::http::{FieldError, Problem, Request};
use kit::ids::is_id;
use std::ops::RangeInclusive;

/// Most words of a list such as the materials.
const MAX_WORDS: usize = 32;
/// Longest of them, in characters.
const WORD: usize = 100;

/// What is wrong so far.
#[derive(Debug, Default)]
pub(super) struct Checks(Vec<FieldError>);

impl Checks {
    /// Notes `reason` unless `fine`.
    pub(super) fn that(&mut self, fine: bool, field: &str, reason: &str) {
        if !fine {
            self.0.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
        }
    }

    /// An id, where one is given.
    pub(super) fn id(&mut self, field: &str, id: Option<&str>) {
        self.that(id.is_none_or(is_id), field, "expected 1 to 128 of A-Z a-z 0-9 - _ .");
    }

    /// A text that is not blank.
    pub(super) fn text(&mut self, field: &str, text: &str, max: usize) {
        let fine = !text.trim().is_empty() && text.chars().count() <= max;
        self.that(fine, field, &format!("expected 1 to {max} characters"));
    }

    /// A list of words.
    pub(super) fn words(&mut self, field: &str, words: &[String]) {
        self.that(words.len() <= MAX_WORDS, field, &format!("expected at most {MAX_WORDS}"));
        for (place, word) in words.iter().enumerate().take(MAX_WORDS) {
            self.text(&format!("{field}[{place}]"), word, WORD);
        }
    }

    /// A number within a range.
    pub(super) fn range(&mut self, field: &str, number: f64, range: RangeInclusive<f64>) {
        let reason = format!("expected a number from {} to {}", range.start(), range.end());
        self.that(range.contains(&number), field, &reason);
    }

    /// A number of the query within a range; 0 where it is wrong.
    pub(super) fn number(&mut self, request: &Request, name: &str, range: RangeInclusive<f64>) -> f64 {
        let number = request.query(name).and_then(|text| text.parse().ok()).unwrap_or(f64::NAN);
        self.range(name, number, range);
        number
    }

    /// Nothing is wrong, or a 422 that names all that is.
    pub(super) fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}
