//! What happened, line by line: the last lines are what a failure prints, and all of them are in the digest, by which
//! two runs of one seed are seen to be the same.

use rustc_hash::FxHasher;
use std::collections::VecDeque;
use std::fmt;
use std::hash::Hasher as _;

/// Lines kept: all of most runs.
const KEPT: usize = 10_000;
/// Characters of a UUID that are printed: enough to tell those of one run apart.
const SHORT: usize = 8;

/// See the module.
#[derive(Default)]
pub struct Trace {
    last: VecDeque<String>,
    digest: FxHasher,
    lines: u64,
}

impl Trace {
    /// Adds a line.
    pub fn add(&mut self, line: String) {
        self.digest.write(line.as_bytes());
        self.lines += 1;
        if self.last.len() == KEPT {
            self.last.pop_front();
        }
        self.last.push_back(line);
    }

    /// Lines so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The same for the same lines.
    #[must_use]
    pub fn digest(&self) -> u64 {
        self.digest.finish()
    }

    /// The last lines, with ids cut short.
    #[must_use]
    pub fn tail(&self) -> Vec<String> {
        self.last.iter().map(|line| shortened(line)).collect()
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace").field("lines", &self.lines).finish_non_exhaustive()
    }
}

/// The line with each UUID cut to its first characters.
fn shortened(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(|c: char| c.is_ascii_hexdigit()) {
        let run = rest[start..].find(|c: char| !c.is_ascii_hexdigit() && c != '-').unwrap_or(rest.len() - start);
        let (before, found) = (&rest[..start], &rest[start..start + run]);
        text.push_str(before);
        let uuid = found.len() >= 36 && found.bytes().filter(|byte| *byte == b'-').count() >= 4;
        match uuid.then(|| found.len() - 36) {
            // What precedes the UUID, and what follows it, stays.
            Some(_) => {
                text.push_str(&found[..SHORT]);
                text.push_str(&found[36..]);
            }
            None => text.push_str(found),
        }
        rest = &rest[start + run..];
    }
    text.push_str(rest);
    text
}
