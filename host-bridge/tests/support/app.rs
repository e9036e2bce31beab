//! An application of the test guests, loaded and served.

use super::{Kept, Memory};
use a4co_host::clock::{Millis, SystemClock};
use a4co_host::dispatch::Delivery;
use a4co_host::engine::{App, LoadError, Services};
use a4co_host::event::{Event, Headers};
use a4co_host::host::Manners;
use a4co_host::keyvalue::KeyValue;
use a4co_host::manifest::{Application, Component, Events, Limits, Route};
use a4co_host::metrics::Metrics;
use a4co_host::subject::{Subject, SubjectPattern};
use a4co_host::trigger::http::{ServeOptions, serve};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A component called `id` whose code is the guest `guest`.
pub fn component(id: &str, guest: &str) -> Component {
    let built = artifacts::build(&["guest-echo", "guest-bomb", "guest-counter", "guest-greedy", "guest-modern"]);
    Component {
        id: id.into(),
        source: built.join(format!("guest_{guest}.wasm")),
        build: None,
        key_value_stores: vec!["default".into()],
        allowed_outbound_hosts: Vec::new(),
        variables: BTreeMap::from([("colour".into(), "blue".into())]),
        environment: BTreeMap::new(),
        events: None,
        limits: Limits { request_timeout: Duration::from_secs(3), ..Limits::default() },
    }
}

/// The right to publish `publish`; handles at most `timeout` long.
pub fn events(publish: &str, timeout: Duration) -> Events {
    Events {
        subscribe: Vec::new(),
        publish: vec![SubjectPattern::new(publish).unwrap()],
        concurrency: 4,
        max_attempts: 3,
        handler_timeout: timeout,
        subjects: BTreeMap::new(),
    }
}

/// The route `/<component>/...`; none where the component's id says that it is private.
fn route(component: &str) -> Route {
    let public = !component.starts_with("private");
    Route { pattern: public.then(|| format!("/{component}/...")), component: component.into() }
}

/// A hand-out of one event of `subject` with the payload `data`.
pub fn deliver(subject: &str, event_type: &str, data: &str) -> Delivery {
    let body = format!(
        r#"{{"eventId":"e1","eventType":"{event_type}","aggregateId":"a1","eventVersion":1,"occurredOn":"2026-01-15T10:30:00.000Z","eventData":{data},"metadata":{{"publishedAt":"2026-01-15T10:30:00.000Z","version":"1.0","correlationId":"c1","causationId":"x1"}}}}"#
    );
    Delivery {
        event: Arc::new(Event::new(Subject::new(subject).unwrap(), body.into(), Headers::default())),
        source: "bomb/YARD#1".into(),
        sequence: 1,
        key: "a1".into(),
        attempt: 1,
        delivered_at: Millis(1_700_000_000_000),
    }
}

/// A loaded application behind a listener.
pub struct Served {
    pub app: Arc<App>,
    pub memory: Arc<Memory>,
    pub bus: Arc<Kept>,
    pub metrics: Arc<Metrics>,
    pub url: String,
    /// Ends the listener, as a shutdown does.
    pub stopping: CancellationToken,
    /// Ends once nothing is served any more.
    pub serving: JoinHandle<()>,
    client: Client<HttpConnector, Full<Bytes>>,
    _cache: tempfile::TempDir,
}

impl Served {
    pub async fn start(components: Vec<Component>, memory: Arc<Memory>) -> Self {
        Self::try_start(components, memory).await.unwrap()
    }

    pub async fn try_start(components: Vec<Component>, memory: Arc<Memory>) -> Result<Self, LoadError> {
        Self::start_with(components, Arc::clone(&memory) as _, memory, Manners::Own).await
    }

    /// The same with its values in another store.
    pub async fn over(
        components: Vec<Component>,
        key_value: Arc<dyn KeyValue>,
        memory: Arc<Memory>,
    ) -> Result<Self, LoadError> {
        Self::start_with(components, key_value, memory, Manners::Own).await
    }

    /// With these manners; with Spin's, what is reserved for a bridge is served too.
    pub async fn start_with(
        components: Vec<Component>,
        key_value: Arc<dyn KeyValue>,
        memory: Arc<Memory>,
        manners: Manners,
    ) -> Result<Self, LoadError> {
        let cache = tempfile::tempdir().unwrap();
        let bus = Kept::new(Arc::clone(&memory));
        let metrics = Arc::new(Metrics::new());
        let services = Services {
            key_value,
            bus: Arc::clone(&bus) as _,
            durability: Arc::clone(&memory) as _,
            clock: Arc::new(SystemClock::default()),
            observer: metrics.clone(),
            manners,
        };
        let application = Application {
            name: "test".into(),
            version: "1".into(),
            manifest: "spin.toml".into(),
            root: ".".into(),
            routes: components.iter().map(|component| route(&component.id)).collect(),
            components,
            streams: Vec::new(),
            stream_settings: Vec::new(),
            expiries: Default::default(),
            warnings: Vec::new(),
        };
        let app = App::load(&application, services, cache.path(), |_| {}).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let stopping = CancellationToken::new();
        let shutdown = stopping.clone().cancelled_owned();
        let options = ServeOptions { bridged: manners == Manners::Spin, ..ServeOptions::default() };
        let serving = tokio::spawn(serve(Arc::clone(&app), listener, options, shutdown));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Ok(Self { app, memory, bus, metrics, url, stopping, serving, client, _cache: cache })
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        let response = self.send(Request::get(format!("{}{path}", self.url)).body(Full::default()).unwrap()).await;
        (response.status().as_u16(), response.into_body())
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> (u16, String) {
        let request = Request::post(format!("{}{path}", self.url)).body(Full::new(body.into())).unwrap();
        let response = self.send(request).await;
        (response.status().as_u16(), response.into_body())
    }

    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<String> {
        let (parts, body) = self.client.request(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Response::from_parts(parts, String::from_utf8_lossy(&body).into_owned())
    }
}
