//! Talks to a running host's admin listener.

use anyhow::{Context, bail};
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

/// What stays as it is in one segment of a path.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A client of one host.
pub(super) struct Client {
    admin: Url,
    http: Http<HttpConnector, Full<Bytes>>,
}

impl Client {
    pub(super) fn new(admin: Url) -> Self {
        Self { admin, http: Http::builder(TokioExecutor::new()).build_http() }
    }

    /// Asks and reads the JSON answer. Segments of `path` are encoded here; `query` must be already.
    pub(super) async fn ask(&self, method: Method, path: &[&str], query: &str) -> anyhow::Result<Value> {
        self.send(method, path, query, Bytes::new()).await
    }

    /// As [`Client::ask`], with a body.
    pub(super) async fn send(&self, method: Method, path: &[&str], query: &str, body: Bytes) -> anyhow::Result<Value> {
        let response = self.open(method, path, query, body).await?;
        let bytes = response.into_body().collect().await.context("the host broke off its answer")?.to_bytes();
        serde_json::from_slice(&bytes).with_context(|| format!("{} is no a4co host: its answer is no JSON", self.admin))
    }

    /// Asks and hands out the answer as it comes.
    ///
    /// # Errors
    /// Where nobody answers, or with a problem's detail.
    pub(super) async fn open(
        &self,
        method: Method,
        path: &[&str],
        query: &str,
        body: Bytes,
    ) -> anyhow::Result<Response<Incoming>> {
        let request = Request::builder().method(method).uri(self.uri(path, query)).body(Full::new(body))?;
        let Ok(response) = self.http.request(request).await else {
            bail!(
                "no host answers at {}: start one with `a4co up`, or name its admin listener with --admin",
                self.admin.as_str().trim_end_matches('/')
            );
        };
        if response.status().is_success() { Ok(response) } else { Err(refusal(response).await) }
    }

    fn uri(&self, path: &[&str], query: &str) -> String {
        let mut uri = self.admin.as_str().trim_end_matches('/').to_owned();
        for segment in path {
            uri.push('/');
            uri.extend(utf8_percent_encode(segment, SEGMENT));
        }
        if !query.is_empty() {
            uri.push('?');
            uri.push_str(query);
        }
        uri
    }
}

/// What the host's problem says.
async fn refusal(response: Response<Incoming>) -> anyhow::Error {
    let status: StatusCode = response.status();
    let body = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let problem: Option<Value> = serde_json::from_slice(&body).ok();
    match problem.as_ref().and_then(|problem| problem.get("detail")).and_then(Value::as_str) {
        Some(detail) => anyhow::anyhow!("{detail}"),
        None => anyhow::anyhow!("the host answered {status}"),
    }
}

/// The items of a list answer.
pub(super) fn items(answer: &Value) -> &[Value] {
    answer.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// A member of an answer as text, by JSON pointer; `-` where there is none.
pub(super) fn text(answer: &Value, pointer: &str) -> String {
    match answer.pointer(pointer) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
