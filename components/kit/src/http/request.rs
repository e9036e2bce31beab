//! A request: what a handler needs to know of it.

/// A request, in or out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Upper case: `GET`.
    pub method: String,
    /// Path with query (`/api/v1/orders?customerId=c`) of a request that came in; the whole URL of one that goes out.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, whole.
    pub body: Vec<u8>,
    /// Of a request that goes out: milliseconds to wait for the answer at most. `None` leaves it to the host.
    pub timeout: Option<u64>,
}

impl Request {
    /// A `GET`.
    #[must_use]
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), target: target.into(), ..Self::default() }
    }

    /// A `POST` of JSON.
    #[must_use]
    pub fn post(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self { method: "POST".to_owned(), target: target.into(), body: body.into(), ..Self::default() }
            .with_header("content-type", "application/json")
    }

    /// The same with one header more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same, given up after so many milliseconds.
    #[must_use]
    pub fn with_timeout(mut self, milliseconds: u64) -> Self {
        self.timeout = Some(milliseconds);
        self
    }

    /// The path, without the query.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target.split_once('?').map_or(self.target.as_str(), |(path, _)| path)
    }

    /// The path's segments, percent-decoded; a handler matches on them. Empty ones (a trailing slash) are left out.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        self.path().split('/').filter(|segment| !segment.is_empty()).map(|segment| decode(segment, false)).collect()
    }

    /// The first value of a query parameter, decoded.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key, true) == name).then(|| decode(value, true))
        })
    }

    /// The first header of a lower-case name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Percent-decoding; what is malformed stays as it is. `plus` turns `+` into a space, as in queries.
pub(crate) fn decode(text: &str, plus: bool) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let hex = (byte == b'%').then(|| tail.get(..2).and_then(|pair| std::str::from_utf8(pair).ok())).flatten();
        match hex.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(value) => {
                decoded.push(value);
                rest = tail.get(2..).unwrap_or_default();
            }
            None if plus && byte == b'+' => decoded.push(b' '),
            None => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Percent-encodes a text for a path segment or a query value.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_queries_are_decoded() {
        let request = Request::get("/api/v1/products/a%2Fb/?q=aceite+de%20oliva&page=2&broken=%zz");
        assert_eq!(request.segments(), ["api", "v1", "products", "a/b"]);
        assert_eq!(request.query("q").as_deref(), Some("aceite de oliva"));
        assert_eq!(request.query("broken").as_deref(), Some("%zz"));
        assert_eq!(request.query("none"), None);
        assert_eq!(decode(&encode("cerámica / 1"), false), "cerámica / 1");
    }
}
