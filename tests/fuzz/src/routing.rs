//! Routes: patterns, a line each, and at last a path.
//!
//! The router's choice is that of a search which goes through the path segment by segment and prefers what says more.
//! What it has caught and what it has not make up the path again. And a manifest with these routes is refused in its own
//! words, with a place, where the router would not serve them.

use a4co_host::manifest::{Given, Route, parse};
use a4co_host::trigger::http::{Matched, Router};
use std::path::Path;

/// Patterns of one input.
const MOST: usize = 24;

/// See the module.
///
/// # Panics
/// Where the property does not hold.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut lines: Vec<&str> = text.split('\n').collect();
    let Some(path) = lines.pop() else { return };
    lines.truncate(MOST);
    let route = |pattern: &&str| Route { pattern: Some((*pattern).to_owned()), component: "c".to_owned() };
    let routes: Vec<Route> = lines.iter().map(route).collect();
    let router = Router::new(&routes);
    in_a_manifest(&lines, router.is_ok());
    let Ok(router) = router else { return };
    let found = router.route(path);
    let wanted = searched(&lines, path);
    assert_eq!(found.as_ref().map(|found| found.pattern), wanted, "{path}");
    if let Some(found) = found {
        makes_up(&found, path);
        assert!(router.template("c", path).is_some(), "{path} has no name in metrics");
    }
}

/// A manifest that is accepted can be served, and one that cannot be is refused.
fn in_a_manifest(patterns: &[&str], served: bool) {
    let mut text =
        "spin_manifest_version = 2\n[application]\nname = \"a\"\n[component.c]\nsource = \"c.wasm\"\n".to_owned();
    for pattern in patterns {
        let quoted = serde_json::Value::from(*pattern);
        text.push_str(&format!("[[trigger.http]]\nroute = {quoted}\ncomponent = \"c\"\n"));
    }
    if !patterns.is_empty()
        && let Ok(application) = parse(Path::new("spin.toml"), &text, &Given::default())
    {
        assert!(served, "accepted, and cannot be served: {:?}", application.routes);
    }
}

/// The pattern that says most of a path.
fn searched<'a>(patterns: &[&'a str], path: &str) -> Option<&'a str> {
    let path: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let known: Vec<Known<'_>> = patterns.iter().map(|pattern| Known::new(pattern)).collect();
    let all: Vec<&Known<'_>> = known.iter().collect();
    search(&all, &path, 0)
}

/// A pattern taken apart.
struct Known<'a> {
    pattern: &'a str,
    segments: Vec<&'a str>,
    /// It takes the rest of a path.
    open: bool,
}

impl<'a> Known<'a> {
    fn new(pattern: &'a str) -> Self {
        let base = pattern.strip_suffix("/...");
        Self { pattern, segments: segments(base.unwrap_or(pattern)), open: base.is_some() }
    }
}

fn segments(pattern: &str) -> Vec<&str> {
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    let pattern = pattern.strip_suffix('/').unwrap_or(pattern);
    if pattern.is_empty() { Vec::new() } else { pattern.split('/').collect() }
}

fn search<'a>(candidates: &[&Known<'a>], path: &[&str], at: usize) -> Option<&'a str> {
    let rest = path.get(at..).unwrap_or_default();
    // A last slash counts for nothing.
    let over = rest.is_empty() || rest == [""];
    let by = |wanted: &dyn Fn(&str) -> bool| {
        let fitting = candidates.iter().filter(|known| known.segments.get(at).is_some_and(|own| wanted(own)));
        fitting.copied().collect::<Vec<_>>()
    };
    if let Some(segment) = rest.first().filter(|segment| !segment.is_empty()) {
        let exact = search_on(&by(&|own| own == *segment && !own.starts_with(':')), path, at);
        let named = || search_on(&by(&|own| own.starts_with(':')), path, at);
        if let Some(found) = exact.or_else(named) {
            return Some(found);
        }
    }
    let end = |open| candidates.iter().find(|known| known.segments.len() == at && known.open == open);
    end(false).filter(|_| over).or_else(|| end(true)).map(|known| known.pattern)
}

fn search_on<'a>(candidates: &[&Known<'a>], path: &[&str], at: usize) -> Option<&'a str> {
    if candidates.is_empty() { None } else { search(candidates, path, at + 1) }
}

/// What was caught stands in the path where the pattern has it, and all else is as in the pattern.
fn makes_up(found: &Matched<'_, '_>, path: &str) {
    let mut caught = found.named.iter();
    let segments = segments(found.base()).into_iter().map(|segment| match segment.starts_with(':') {
        true => caught.next().map_or("", |(_, value)| *value),
        false => segment,
    });
    let mut whole = segments.fold(String::new(), |whole, segment| format!("{whole}/{segment}"));
    assert!(caught.next().is_none(), "{found:?} caught more than it names");
    whole.push_str(found.rest);
    let trimmed = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
    assert_eq!(trimmed(&whole), trimmed(path), "{found:?}");
}
