//! The sandbox gateway as a process of its own: `gateway <address> <journal>`. Its ledger is on disk before it answers,
//! so it is what a real gateway is to the host: somebody else, who does not forget.

mod journal;
mod ports;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use journal::Journal;
use kit::http::{Request, Response};
use ports::Ledger;
use std::convert::Infallible;
use std::rc::Rc;
use tokio::net::TcpListener;
use tokio::task::{LocalSet, spawn_local};

/// Longer than the host waits for an answer.
const SILENCE: std::time::Duration = std::time::Duration::from_secs(30);

/// Silence that holds up nobody else.
struct Asleep;

impl gateway_sandbox::Silence for Asleep {
    async fn hold(&self) {
        tokio::time::sleep(SILENCE).await;
    }
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().context("usage: gateway ADDRESS JOURNAL")?;
    let journal = arguments.next().context("usage: gateway ADDRESS JOURNAL")?;
    let ledger = Rc::new(Ledger::new(Journal::open(journal.as_ref())?));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, listen(&address, ledger))
}

async fn listen(address: &str, ledger: Rc<Ledger>) -> Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| format!("listening on {address}"))?;
    loop {
        let (stream, _) = listener.accept().await?;
        let _may_fail = stream.set_nodelay(true);
        let ledger = Rc::clone(&ledger);
        spawn_local(async move {
            let service = service_fn(move |request| answer(Rc::clone(&ledger), request));
            let stream = hyper_util::rt::TokioIo::new(stream);
            // A client that goes away in the middle is no matter.
            let _gone = hyper::server::conn::http1::Builder::new().serve_connection(stream, service).await;
        });
    }
}

async fn answer(
    ledger: Rc<Ledger>,
    request: http::Request<Incoming>,
) -> Result<http::Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let request = Request {
        method: parts.method.as_str().to_owned(),
        target: parts.uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect(),
        body: body.to_vec(),
        timeout: None,
    };
    let answered = gateway_sandbox::serve(&*ledger, &Asleep, &request).await;
    let response = match ledger.flush() {
        Ok(()) => answered,
        Err(error) => Response { status: 500, headers: Vec::new(), body: error.to_string().into_bytes() },
    };
    let mut builder = http::Response::builder().status(response.status);
    for (name, value) in response.headers {
        builder = builder.header(name, value);
    }
    Ok(builder.body(Full::new(Bytes::from(response.body))).unwrap_or_default())
}
