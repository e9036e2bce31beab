//! One keep-alive connection: the client shares the machine with what it measures, so it does as little as it can.

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// A connection to one server.
#[derive(Debug)]
pub struct Connection {
    host: String,
    sender: SendRequest<Full<Bytes>>,
}

/// An answer.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The text after `"key":"` up to the next quote: what is asked for here has no escapes in it.
    pub fn text_of(&self, key: &str) -> Option<&str> {
        let needle = format!("\"{key}\":\"");
        let start = memchr::memmem::find(&self.body, needle.as_bytes())? + needle.len();
        let rest = self.body.get(start..)?;
        std::str::from_utf8(rest.get(..memchr::memchr(b'"', rest)?)?).ok()
    }

    /// The body as text, for messages.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// Where nobody listens.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // How the connection ends is told by the request that meets its end.
        tokio::spawn(async move { drop(connection.await) });
        Ok(Self { host: address.to_string(), sender })
    }

    /// A `GET`.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn get(&mut self, path: &str) -> Result<Reply> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// A `POST` of JSON.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn post(&mut self, path: &str, body: String) -> Result<Reply> {
        self.send(Method::POST, path, body.into()).await
    }

    async fn send(&mut self, method: Method, path: &str, body: Bytes) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await.with_context(|| format!("no answer from {path}"))?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.with_context(|| format!("{path} broke off"))?.to_bytes();
        Ok(Reply { status, body })
    }
}
