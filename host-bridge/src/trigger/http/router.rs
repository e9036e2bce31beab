//! Routes as Spin has them: exact, `:named` segments, a trailing `/...`; the most specific wins.

use crate::manifest::Route;
use std::cmp::Ordering;
use std::sync::Arc;

/// Why routes cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouterError {
    /// A pattern is malformed.
    #[error("the route `{pattern}` of component `{component}` is malformed: {why}")]
    Malformed {
        /// As in the manifest.
        pattern: String,
        /// Whose.
        component: String,
        /// What is wrong.
        why: &'static str,
    },
    /// Two routes match the same paths.
    #[error(
        "the routes `{first}` ({first_component}) and `{second}` ({second_component}) match the same paths: remove one"
    )]
    Ambiguous {
        /// The earlier.
        first: String,
        /// Whose.
        first_component: String,
        /// The later.
        second: String,
        /// Whose.
        second_component: String,
    },
}

/// The routes of an application, most specific first.
#[derive(Debug, Clone, Default)]
pub struct Router {
    routes: Vec<Pattern>,
}

#[derive(Debug, Clone)]
struct Pattern {
    text: Arc<str>,
    /// The same as metrics name it: `{id}` for `:id`.
    template: Arc<str>,
    component: Arc<str>,
    segments: Vec<Segment>,
    /// It ends with `/...`.
    open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exact(String),
    Named(String),
}

/// A path's route, and what it caught.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched<'r, 'p> {
    /// The component.
    pub component: &'r str,
    /// The route's pattern, such as `/api/v1/orders/:id`.
    pub pattern: &'r str,
    /// What `:named` segments caught, as it stands in the path.
    pub named: Vec<(&'r str, &'p str)>,
    /// What a trailing `/...` caught, with its leading slash; empty for other routes.
    pub rest: &'p str,
}

impl Matched<'_, '_> {
    /// The pattern without a trailing `/...`.
    #[must_use]
    pub fn base(&self) -> &str {
        self.pattern.strip_suffix("/...").unwrap_or(self.pattern)
    }
}

impl Router {
    /// Checks the manifest's routes; private ones are not reachable and not here.
    ///
    /// # Errors
    /// Names a malformed route, or two that match the same paths.
    pub fn new(routes: &[Route]) -> Result<Self, RouterError> {
        let public = routes.iter().filter_map(|route| Some((route.pattern.as_deref()?, &route.component)));
        let mut parsed =
            public.map(|(text, component)| Pattern::parse(text, component)).collect::<Result<Vec<_>, _>>()?;
        parsed.sort_by(Pattern::by_specificity);
        for (at, first) in parsed.iter().enumerate() {
            if let Some(second) = parsed.iter().skip(at + 1).find(|second| first.covers_same(second)) {
                return Err(first.ambiguous_with(second));
            }
        }
        Ok(Self { routes: parsed })
    }

    /// The most specific route that matches `path` (no query). A trailing slash does not count.
    #[must_use]
    pub fn route<'p>(&self, path: &'p str) -> Option<Matched<'_, 'p>> {
        self.routes.iter().find_map(|route| route.matches(path))
    }

    /// The pattern by which `component` serves `path`, as metrics name it: `/api/v1/orders/{id}`.
    #[must_use]
    pub fn template(&self, component: &str, path: &str) -> Option<&str> {
        let own = self.routes.iter().filter(|route| &*route.component == component);
        own.into_iter().find(|route| route.matches(path).is_some()).map(|route| &*route.template)
    }

    /// All patterns with their components, most specific first.
    pub fn patterns(&self) -> impl Iterator<Item = (&str, &str)> {
        self.routes.iter().map(|route| (&*route.text, &*route.component))
    }
}

impl Pattern {
    fn parse(text: &str, component: &str) -> Result<Self, RouterError> {
        let fail = |why| RouterError::Malformed { pattern: text.into(), component: component.into(), why };
        let path = text.strip_prefix('/').ok_or_else(|| fail("it must start with `/`"))?;
        let (path, open) = match path.strip_suffix("...") {
            Some(path) if path.is_empty() || path.ends_with('/') => (path, true),
            Some(_) => return Err(fail("`...` must be a whole last segment")),
            None => (path, false),
        };
        let segments = split(path).map(|segment| match segment.strip_prefix(':') {
            Some("") => Err(fail("a `:` needs a name")),
            Some(name) => Ok(Segment::Named(name.to_ascii_lowercase())),
            None if segment.is_empty() => Err(fail("it has an empty segment")),
            None if segment.contains(['*', '?', '#']) => Err(fail("`*`, `?` and `#` have no place in a route")),
            None => Ok(Segment::Exact(segment.to_owned())),
        });
        let segments = segments.collect::<Result<_, _>>()?;
        Ok(Self { text: text.into(), template: template(text).into(), component: component.into(), segments, open })
    }

    /// Segment by segment: exact before named before what only `...` covers.
    fn by_specificity(&self, other: &Self) -> Ordering {
        let rank = |segment: Option<&Segment>, open| match segment {
            Some(Segment::Exact(_)) => 0,
            Some(Segment::Named(_)) => 1,
            None if open => 3,
            None => 2,
        };
        let longest = self.segments.len().max(other.segments.len()) + 1;
        let ranks = |at| (rank(self.segments.get(at), self.open), rank(other.segments.get(at), other.open));
        (0..longest)
            .map(ranks)
            .map(|(mine, theirs)| mine.cmp(&theirs))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }

    fn covers_same(&self, other: &Self) -> bool {
        let alike = |(mine, theirs): (&Segment, &Segment)| match (mine, theirs) {
            (Segment::Exact(mine), Segment::Exact(theirs)) => mine == theirs,
            (Segment::Named(_), Segment::Named(_)) => true,
            _ => false,
        };
        self.open == other.open
            && self.segments.len() == other.segments.len()
            && self.segments.iter().zip(&other.segments).all(alike)
    }

    fn ambiguous_with(&self, other: &Self) -> RouterError {
        RouterError::Ambiguous {
            first: self.text.to_string(),
            first_component: self.component.to_string(),
            second: other.text.to_string(),
            second_component: other.component.to_string(),
        }
    }

    fn matches<'p>(&self, path: &'p str) -> Option<Matched<'_, 'p>> {
        let mut rest = path.strip_prefix('/')?;
        let mut named = Vec::new();
        for segment in &self.segments {
            let (head, tail) = rest.split_once('/').unwrap_or((rest, ""));
            match segment {
                Segment::Exact(text) if text == head => {}
                Segment::Named(name) if !head.is_empty() => named.push((name.as_str(), head)),
                Segment::Exact(_) | Segment::Named(_) => return None,
            }
            rest = tail;
        }
        if !self.open && !rest.is_empty() {
            return None;
        }
        let caught = if self.open { path.len() - rest.len() } else { path.len() };
        let rest = path.get(caught.saturating_sub(1)..).filter(|rest| self.open && rest.starts_with('/')).unwrap_or("");
        Some(Matched { component: &self.component, pattern: &self.text, named, rest })
    }
}

fn template(pattern: &str) -> String {
    let segments = pattern.split('/').map(|segment| match segment.strip_prefix(':') {
        Some(name) => format!("{{{name}}}"),
        None => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').filter(move |_| !path.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(patterns: &[&str]) -> Router {
        let routes: Vec<Route> = patterns
            .iter()
            .map(|pattern| Route { pattern: Some((*pattern).into()), component: format!("serves {pattern}") })
            .collect();
        Router::new(&routes).unwrap()
    }

    #[track_caller]
    fn check(patterns: &[&str], path: &str, expected: Option<&str>) {
        assert_eq!(router(patterns).route(path).map(|matched| matched.pattern), expected, "{path}");
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes = ["/...", "/a/...", "/a/:id", "/a/b", "/a/:id/c", "/a/b/..."];
        for (path, expected) in [
            ("/", "/..."),
            ("/x/y", "/..."),
            ("/a", "/a/..."),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b"),
            ("/a/z", "/a/:id"),
            ("/a/z/c", "/a/:id/c"),
            ("/a/z/d", "/a/..."),
            ("/a/b/z", "/a/b/..."),
        ] {
            check(&routes, path, Some(expected));
        }
    }

    #[test]
    fn what_no_route_covers_is_not_found() {
        check(&["/a/:id"], "/a", None);
        check(&["/a/:id"], "/a/b/c", None);
        check(&["/a"], "/ab", None);
        check(&["/a/..."], "/ab", None);
        check(&[], "/", None);
    }

    #[test]
    fn segments_and_the_rest_are_caught() {
        let router = router(&["/orders/:orderId/items/...", "/exact"]);
        let matched = router.route("/orders/7/items/a/b").unwrap();
        assert_eq!(matched.named, [("orderid", "7")]);
        assert_eq!((matched.rest, matched.base()), ("/a/b", "/orders/:orderId/items"));
        assert_eq!(router.route("/orders/7/items").unwrap().rest, "");
        assert_eq!(router.route("/orders/7/items/").unwrap().rest, "/");
        assert_eq!(router.route("/exact").unwrap().rest, "");
    }

    #[test]
    fn metrics_name_the_route_and_not_the_path() {
        let routes = ["/a/...", "/a/:orderId/items"];
        let routes = routes.map(|pattern| Route { pattern: Some(pattern.into()), component: "c".into() });
        let router = Router::new(&routes).unwrap();
        assert_eq!(router.template("c", "/a/7/items"), Some("/a/{orderId}/items"));
        assert_eq!(router.template("c", "/a/7/other"), Some("/a/..."));
        assert_eq!(router.template("d", "/a/7/items"), None);
    }

    #[test]
    fn private_routes_are_not_reachable() {
        let routes = [Route { pattern: None, component: "hidden".into() }];
        assert_eq!(Router::new(&routes).unwrap().route("/"), None);
    }

    #[test]
    fn contradictions_are_refused() {
        let route = |pattern: &str| Route { pattern: Some(pattern.into()), component: "c".into() };
        let error = Router::new(&[route("/a/:x"), route("/a/:y")]).unwrap_err().to_string();
        assert!(error.contains("`/a/:x`") && error.contains("`/a/:y`"), "{error}");
        for pattern in ["a", "/a...", "/a//b", "/:/b", "/a/*"] {
            assert!(matches!(Router::new(&[route(pattern)]), Err(RouterError::Malformed { .. })), "{pattern}");
        }
    }
}
