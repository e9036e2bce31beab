//! The sources of this repository, for the rules that check them.

pub mod routes;

use std::path::{Path, PathBuf};

/// One source file.
#[derive(Debug, Clone)]
pub struct Source {
    /// Path below the root, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

impl Source {
    /// Whether it is only compiled for tests.
    #[must_use]
    pub fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("tests.rs")
            || self.path.contains("contract")
            || self.path.contains("/simulated")
    }
}

/// All files with one of these endings, without what is built or not ours.
///
/// # Panics
/// Where a folder cannot be read.
#[must_use]
#[expect(clippy::expect_used, reason = "for tests")]
pub fn sources(endings: &[&str]) -> Vec<Source> {
    let root = artifacts::workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of the repository") {
            let path = entry.expect("an entry of it").path();
            if path.is_dir() {
                if !is_foreign(&path) {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| path.extension().is_some_and(|it| it == *ending)) {
                let text = std::fs::read_to_string(&path).expect("a text file");
                found.push(Source { path: below(&root, &path), text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn is_foreign(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    matches!(name, "target" | "node_modules" | "deps") || (name.starts_with('.') && name != ".ci")
}

fn below(root: &Path, path: &Path) -> String {
    let below: PathBuf = path.strip_prefix(root).unwrap_or(path).components().collect();
    below.to_string_lossy().replace('\\', "/")
}
