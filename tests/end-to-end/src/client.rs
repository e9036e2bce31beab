//! A small HTTP client: JSON in, JSON out.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::{Client as Pool, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::time::Duration;

/// A client of one server.
#[derive(Debug, Clone)]
pub struct Client {
    base: String,
    pool: Pool<HttpConnector, Full<Bytes>>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: http::HeaderMap,
    /// The body; `null` where it is no JSON.
    pub json: Value,
    /// The body as text.
    pub text: String,
}

impl Reply {
    /// The text of a JSON pointer, such as `/status`; empty where there is none.
    #[must_use]
    pub fn text_at(&self, pointer: &str) -> &str {
        self.json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// The number at a JSON pointer.
    #[must_use]
    pub fn number_at(&self, pointer: &str) -> Option<u64> {
        self.json.pointer(pointer).and_then(Value::as_u64)
    }
}

impl Client {
    /// A client of `http://address`.
    #[must_use]
    pub fn new(base: impl Into<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let pool = Pool::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(5)).build(connector);
        Self { base: base.into(), pool }
    }

    /// A `GET`.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn get(&self, path: &str) -> Result<Reply> {
        self.send(Method::GET, path, &[], None).await
    }

    /// A `POST` of JSON.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Reply> {
        self.send(Method::POST, path, &[], Some(body.to_string().into())).await
    }

    /// A `POST` of JSON with an `Idempotency-Key`.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Reply> {
        self.send(Method::POST, path, &[("idempotency-key", key)], Some(body.to_string().into())).await
    }

    /// The same; the key is the correlation id as well, under which all that follows lies in the log.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn post_traced(&self, path: &str, key: &str, body: &Value) -> Result<Reply> {
        let headers = [("idempotency-key", key), ("x-correlation-id", key)];
        self.send(Method::POST, path, &headers, Some(body.to_string().into())).await
    }

    /// Any request.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Bytes>,
    ) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.unwrap_or_default()))?;
        let response = self.pool.request(request).await.with_context(|| format!("no answer from {path}"))?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.with_context(|| format!("the answer from {path} broke off"))?.to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status: parts.status.as_u16(), headers: parts.headers, json, text })
    }
}
