//! What is wrong with a manifest, said so that it can be put right: file, line, column, key, reason, remedy.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file cannot be read at all.
    #[error("cannot read the manifest {}: {error}\n  give another one with --manifest", file.display())]
    Unreadable {
        /// The path tried.
        file: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file says something that cannot be; every fault found in it, in the order of the file.
    #[error("{}", listing(file, problems))]
    Invalid {
        /// The manifest.
        file: PathBuf,
        /// At least one.
        problems: Vec<Problem>,
    },
}

/// One fault of a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The key's full path, such as `component.order.source`.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What would be right.
    pub remedy: String,
    /// The line itself, for the excerpt.
    excerpt: String,
    /// How many characters of it to underline.
    width: usize,
}

impl Problem {
    /// A fault of what stands at `span` in `text`.
    pub(super) fn at(text: &str, span: Range<usize>, key: String, says: (String, String)) -> Self {
        let before = text.get(..span.start).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let excerpt = text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
        let marked = text.get(span).unwrap_or_default();
        let width = marked.lines().next().unwrap_or_default().chars().count().max(1);
        let line = before.matches('\n').count() + 1;
        let (what, remedy) = says;
        Self { line, column, key, what, remedy, excerpt: excerpt.to_owned(), width }
    }
}

impl fmt::Display for Problem {
    /// Message, the line with the place underlined, remedy; without the file, which the caller puts in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gutter = self.line.to_string();
        let blank = " ".repeat(gutter.len());
        let indent = " ".repeat(self.column.saturating_sub(1));
        write!(f, "{}:{}: ", self.line, self.column)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        writeln!(f, "{}", self.what)?;
        writeln!(f, "  {gutter} | {}", self.excerpt)?;
        writeln!(f, "  {blank} | {indent}{}", "^".repeat(self.width))?;
        write!(f, "  {blank} = {}", self.remedy)
    }
}

fn listing(file: &std::path::Path, problems: &[Problem]) -> String {
    let each: Vec<String> = problems.iter().map(|problem| format!("{}:{problem}", file.display())).collect();
    each.join("\n\n")
}

/// The one of `known` that `word` was most likely meant to be.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let scored = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    scored.filter(|(distance, _)| *distance <= allowed).min_by_key(|(distance, _)| *distance).map(|(_, near)| near)
}

/// Edits (insert, delete, replace) from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replace = row.get(j).copied().unwrap_or(usize::MAX - 1) + usize::from(a != *b);
            let insert = next.last().copied().unwrap_or(0) + 1;
            let delete = row.get(j + 1).copied().unwrap_or(usize::MAX - 1) + 1;
            next.push(replace.min(insert).min(delete));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}
