//! Manifests: whatever the text, it is refused with places and remedies, or means what it says.

use a4co_host::manifest::{Application, Given, ManifestError, Problem, parse};
use a4co_host::trigger::http::Router;
use std::path::Path;

/// See the module.
///
/// # Panics
/// Where the property does not hold.
pub fn check(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let read = |text: &str| parse(Path::new("spin.toml"), text, &Given::default());
    match read(text) {
        Ok(application) => {
            accepted(&application);
            // What follows the last line and says nothing changes nothing.
            let again = read(&format!("{text}\n# the end\n")).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(format!("{application:?}"), format!("{again:?}"));
        }
        Err(ManifestError::Invalid { problems, .. }) => {
            assert!(!problems.is_empty(), "refused, and nobody knows why");
            problems.iter().for_each(|problem| helps(problem, text));
        }
        Err(other @ ManifestError::Unreadable { .. }) => panic!("no file was read: {other}"),
    }
}

/// What is accepted can be run.
fn accepted(application: &Application) {
    Router::new(&application.routes).unwrap_or_else(|error| panic!("accepted, and cannot be served: {error}"));
    for route in &application.routes {
        let known = application.components.iter().any(|component| component.id == route.component);
        assert!(known, "a route of nobody: {route:?}");
    }
    for component in &application.components {
        let subscribed = component.events.iter().flat_map(|events| &events.subscribe).map(|one| one.subject.as_str());
        let subscribed: Vec<&str> = subscribed.collect();
        for (place, one) in subscribed.iter().enumerate() {
            let others = subscribed.iter().skip(place + 1);
            let both = others.filter_map(|other| Some((other, of_both(one, other)?))).next();
            assert!(both.is_none(), "{}: {one} and {both:?}", component.id);
        }
    }
    for (place, stream) in application.streams.iter().enumerate() {
        for other in application.streams.iter().skip(place + 1) {
            let pairs = stream.subjects.iter().flat_map(|mine| other.subjects.iter().map(move |its| (mine, its)));
            let both = pairs.filter_map(|(mine, its)| of_both(mine.as_str(), its.as_str())).next();
            assert!(both.is_none(), "{} and {} both take {both:?}", stream.name, other.name);
        }
    }
}

/// A subject that both patterns match, if there is one: made token by token.
fn of_both(one: &str, other: &str) -> Option<String> {
    let (mut one, mut other) = (one.split('.').peekable(), other.split('.').peekable());
    let mut subject = Vec::new();
    loop {
        let token = match (one.peek().copied(), other.peek().copied()) {
            (None, None) => return Some(subject.join(".")),
            (None, _) | (_, None) => return None,
            (Some(">"), Some(">")) => {
                subject.push("x");
                return Some(subject.join("."));
            }
            (Some(">"), Some(_)) => {
                subject.extend(other.map(|token| if token == "*" || token == ">" { "x" } else { token }));
                return Some(subject.join("."));
            }
            (Some(_), Some(">")) => {
                subject.extend(one.map(|token| if token == "*" || token == ">" { "x" } else { token }));
                return Some(subject.join("."));
            }
            (Some("*"), Some("*")) => "x",
            (Some("*"), Some(token)) | (Some(token), Some("*")) => token,
            (Some(mine), Some(its)) if mine == its => mine,
            _ => return None,
        };
        subject.push(token);
        one.next();
        other.next();
    }
}

/// It says where, what and what to do.
fn helps(problem: &Problem, text: &str) {
    let lines = text.split('\n').count();
    assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem:?} in {lines} lines");
    assert!(!problem.what.is_empty() && !problem.remedy.is_empty(), "{problem:?}");
}
