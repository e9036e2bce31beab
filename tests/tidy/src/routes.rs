//! Routes as the sources write them: what a component serves, and what a test asks.

use std::fmt;

/// A path, segment by segment; `None` stands for anything.
#[derive(Clone, PartialEq, Eq)]
pub struct Route(Vec<Option<String>>);

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{}", segment.as_deref().unwrap_or("*")))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Route {
    /// Whether a request for `asked` comes to this route.
    #[must_use]
    pub fn is_asked_by(&self, asked: &Self) -> bool {
        let meets = |(route, asked): (&Option<String>, &Option<String>)| route.is_none() || route == asked;
        self.0.len() == asked.0.len() && self.0.iter().zip(&asked.0).all(meets)
    }
}

/// The routes of a component's match: arms such as `("GET", ["api", "v1", "orders", id]) =>`.
#[must_use]
pub fn served(source: &str) -> Vec<Route> {
    let mut routes = Vec::new();
    for method in ["GET", "POST"] {
        for (place, start) in source.match_indices(&format!("(\"{method}\", [")) {
            let rest = source.get(place + start.len()..).unwrap_or_default();
            let Some((pattern, after)) = rest.split_once(']') else { continue };
            if after.trim_start_matches(')').trim_start().starts_with("=>") {
                routes.push(Route(pattern.split(',').map(|segment| literal(segment.trim())).collect()));
            }
        }
    }
    routes
}

fn literal(segment: &str) -> Option<String> {
    Some(segment.strip_prefix('"')?.strip_suffix('"')?.to_owned())
}

/// The paths in a test's texts; `{…}` in one stands for anything.
#[must_use]
pub fn asked(source: &str) -> Vec<Route> {
    let texts = source.split('"').filter(|text| text.starts_with("/api/") || text.starts_with("/gateway/"));
    let path = |text: &str| text.split('?').next().unwrap_or_default().trim_start_matches('/').to_owned();
    let segments = |path: String| path.split('/').map(segment).collect();
    texts.map(path).map(segments).map(Route).collect()
}

fn segment(text: &str) -> Option<String> {
    (!text.contains('{')).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_is_asked_by_a_path_of_its_shape() {
        let source = r#"("GET", ["api", "v1", "orders", id]) => show(id), ("POST", ["api", "v1", "orders"]) => place(),
            (method, ["api", "v1", "orders"]) => no(), ("GET", ["api", "v1", "orders"]) if odd => no(),"#;
        let routes = served(source);
        assert_eq!(routes.iter().map(Route::to_string).collect::<Vec<_>>(), ["/api/v1/orders/*", "/api/v1/orders"]);
        let asked = asked(r#"get("/api/v1/orders?customerId=c"), get(&format!("/api/v1/orders/{id}"))"#);
        assert_eq!(asked.iter().map(Route::to_string).collect::<Vec<_>>(), ["/api/v1/orders", "/api/v1/orders/*"]);
        assert!(routes[0].is_asked_by(&asked[1]) && !routes[0].is_asked_by(&asked[0]));
        let cancel = Route(["api", "v1", "orders"].map(|text| Some(text.to_owned())).to_vec());
        assert!(!cancel.is_asked_by(&asked[1]));
    }
}
