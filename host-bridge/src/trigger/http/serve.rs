//! The HTTP server: accepts, serves, and on shutdown lets what runs come to its end.

use super::handle::{self, Site};
use crate::engine::App;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Longest a client may take over the head of a request: a slow one must not hold a connection for ever.
const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// After an error of `accept` (mostly: out of file descriptors), how long until the next try.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often that is told while it goes on.
const ACCEPT_TOLD: Duration = Duration::from_secs(10);

/// How to serve.
#[derive(Debug, Clone, Copy)]
pub struct ServeOptions {
    /// Connections open at once; further ones wait in the system's queue.
    pub max_connections: usize,
    /// How long requests may take to end once shutdown begins; then their connections are cut.
    pub drain: Duration,
    /// Whether the routes below `/events/` are served like any other, to a bridge; else nothing answers there.
    pub bridged: bool,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self { max_connections: 8_192, drain: Duration::from_secs(20), bridged: false }
    }
}

/// Serves `app` on `listener` until `shutdown`, then drains. Returns once no request runs any more.
pub async fn serve(app: Arc<App>, listener: TcpListener, options: ServeOptions, shutdown: impl Future<Output = ()>) {
    let (connections, stopping) = (TaskTracker::new(), CancellationToken::new());
    let site = Site { app, bridged: options.bridged };
    let permits = Arc::new(Semaphore::new(options.max_connections));
    let mut shutdown = pin!(shutdown);
    let mut told: Option<Instant> = None;
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &permits) => accepted,
            () = &mut shutdown => break,
        };
        match accepted {
            Ok((stream, client, permit)) => {
                connections.spawn(connection(site.clone(), stream, client, stopping.clone(), permit));
            }
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() >= ACCEPT_TOLD) {
                    told = Some(Instant::now());
                    tracing::warn!(
                        %error,
                        "a connection could not be accepted: clients wait until it can. Raise the limit on open files \
                         (`ulimit -n`) if that is what it says"
                    );
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(options.drain, connections.wait()).await.is_err() {
        tracing::warn!(open = connections.len(), "requests did not end in time and are cut off");
    }
}

/// Permit before accept: past the limit clients wait outside.
async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, client) = listener.accept().await?;
    Ok((stream, client, permit))
}

async fn connection(
    site: Site,
    stream: TcpStream,
    client: SocketAddr,
    stopping: CancellationToken,
    _permit: OwnedSemaphorePermit,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let site = site.clone();
        async move { Ok::<_, Infallible>(handle::handle(&site, request, client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%client, %error, "a connection broke");
    }
}
