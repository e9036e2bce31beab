//! What a component is told of a request beside the request, as Spin tells it, and what keeps requests apart in the log.

use super::router::Matched;
use crate::clock::Millis;
use crate::engine::Origin;
use http::{HeaderMap, HeaderName, HeaderValue, header, request::Parts};
use std::net::SocketAddr;
use std::sync::Arc;
use uuid::{NoContext, Timestamp, Uuid};

/// The header that carries a correlation id, in and out.
pub(super) const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Longest correlation id taken from outside.
const MAX_CORRELATION_BYTES: usize = 128;

/// The request's own correlation id where it is harmless, else a new one; the trace context passes through.
pub(super) fn origin(headers: &HeaderMap, now: Millis) -> Origin {
    let given = text(headers, &CORRELATION_ID).filter(|id| is_harmless(id));
    let correlation_id = given.map_or_else(|| new_id(now), Arc::from);
    let traceparent = text(headers, &HeaderName::from_static("traceparent")).map(Arc::from);
    Origin { correlation_id: Some(correlation_id), traceparent }
}

/// It ends up in logs, headers and events: plain visible ASCII only.
fn is_harmless(id: &str) -> bool {
    !id.is_empty() && id.len() <= MAX_CORRELATION_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic())
}

fn new_id(now: Millis) -> Arc<str> {
    let nanos = u32::try_from(now.0 % 1_000).unwrap_or_default() * 1_000_000;
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, now.0 / 1_000, nanos));
    let mut text = Uuid::encode_buffer();
    Arc::from(&*id.hyphenated().encode_lower(&mut text))
}

/// Adds Spin's headers and the correlation id. What a client sent under these names is replaced.
pub(super) fn describe(parts: &mut Parts, matched: &Matched<'_, '_>, client: SocketAddr, origin: &Origin) {
    strip_spin(&mut parts.headers);
    let host = text(&parts.headers, &header::HOST).unwrap_or("localhost");
    let url = format!("http://{host}{}", parts.uri.path_and_query().map_or("/", |path| path.as_str()));
    let headers = &mut parts.headers;
    set(headers, "spin-full-url", &url);
    set(headers, "spin-path-info", matched.rest);
    set(headers, "spin-matched-route", matched.pattern);
    set(headers, "spin-raw-component-route", matched.pattern);
    set(headers, "spin-component-route", matched.base());
    headers.insert("spin-base-path", HeaderValue::from_static("/"));
    set(headers, "spin-client-addr", &client.to_string());
    for (name, value) in &matched.named {
        let name = HeaderName::try_from(format!("spin-path-match-{name}"));
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            headers.insert(name, value);
        }
    }
    if let Some(id) = &origin.correlation_id {
        set(headers, CORRELATION_ID.as_str(), id);
    }
    if let Ok(uri) = url.parse() {
        parts.uri = uri;
    }
}

fn strip_spin(headers: &mut HeaderMap) {
    let forged: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("spin-")).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Route;
    use crate::trigger::http::Router;

    fn described(pattern: &str, request: http::request::Builder) -> HeaderMap {
        let router = Router::new(&[Route { pattern: Some(pattern.into()), component: "c".into() }]).unwrap();
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        let path = parts.uri.path().to_owned();
        let origin = origin(&parts.headers, Millis(1_700_000_000_123));
        describe(&mut parts, &router.route(&path).unwrap(), "127.0.0.1:9".parse().unwrap(), &origin);
        parts.headers
    }

    #[test]
    fn a_component_is_told_what_spin_tells_it() {
        let request = http::Request::get("/a/7/x/y?q=1").header("host", "shop.example");
        let headers = described("/a/:id/...", request);
        for (name, value) in [
            ("spin-full-url", "http://shop.example/a/7/x/y?q=1"),
            ("spin-path-info", "/x/y"),
            ("spin-matched-route", "/a/:id/..."),
            ("spin-raw-component-route", "/a/:id/..."),
            ("spin-component-route", "/a/:id"),
            ("spin-base-path", "/"),
            ("spin-client-addr", "127.0.0.1:9"),
            ("spin-path-match-id", "7"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
    }

    #[test]
    fn a_client_cannot_forge_them() {
        let request = http::Request::get("/a").header("spin-client-addr", "6.6.6.6").header("spin-path-match-id", "x");
        let headers = described("/a", request);
        assert_eq!(headers["spin-client-addr"], "127.0.0.1:9");
        assert!(!headers.contains_key("spin-path-match-id"));
    }

    #[test]
    fn a_correlation_id_is_kept_or_made() {
        let id = |given: &str| {
            described("/a", http::Request::get("/a").header(CORRELATION_ID, given))[CORRELATION_ID].clone()
        };
        assert_eq!(id("req-1"), "req-1");
        for hostile in ["", "a b", &"x".repeat(129)] {
            assert_eq!(id(hostile).to_str().unwrap().len(), 36, "{hostile:?}");
        }
    }
}
