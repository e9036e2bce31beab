//! The application as checked: what `spin.toml` says, with every reference resolved and every limit filled in.

use crate::bus::{ConsumerConfig, Start, StreamConfig};
use crate::keyvalue::Expiries;
use crate::nats::streams::{StreamSettings, WantedStream};
use crate::subject::SubjectPattern;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// A checked manifest.
#[derive(Debug, Clone)]
pub struct Application {
    /// `[application] name`.
    pub name: String,
    /// `[application] version`.
    pub version: String,
    /// The manifest's own path, for messages.
    pub manifest: PathBuf,
    /// The folder paths are relative to.
    pub root: PathBuf,
    /// In the manifest's order.
    pub components: Vec<Component>,
    /// HTTP routes, in the manifest's order.
    pub routes: Vec<Route>,
    /// `[application.tool.events.streams]`; no two overlap.
    pub streams: Vec<StreamConfig>,
    /// What only a NATS server is told of each of `streams`, in the same order.
    pub stream_settings: Vec<StreamSettings>,
    /// `[application.tool.key_value.<label>] expire`.
    pub expiries: Expiries,
    /// What is accepted and has no effect here, a line each.
    pub warnings: Vec<String>,
}

impl Application {
    /// Its streams as a NATS server is to have them.
    #[must_use]
    pub fn wanted_streams(&self) -> Vec<WantedStream> {
        let settings = self.stream_settings.iter().cloned().chain(std::iter::repeat_with(StreamSettings::default));
        self.streams.iter().cloned().zip(settings).collect()
    }

    /// Every store label that a component may open, each once.
    #[must_use]
    pub fn stores(&self) -> Vec<String> {
        let labels = self.components.iter().flat_map(|component| &component.key_value_stores);
        labels.cloned().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The durable consumers the subscriptions need: one for each component and stream, in the manifest's order. A
    /// pattern that spans several streams is a filter of each.
    #[must_use]
    pub fn consumers(&self) -> Vec<ConsumerConfig> {
        let mut consumers = Vec::new();
        for component in &self.components {
            for stream in &self.streams {
                let filters = component.filters(stream);
                if !filters.is_empty() {
                    let (component, stream) = (component.id.clone(), stream.name.clone());
                    consumers.push(ConsumerConfig { component, stream, filters });
                }
            }
        }
        consumers
    }
}

impl Component {
    /// Its subscriptions that can match something in `stream`.
    fn filters(&self, stream: &StreamConfig) -> Vec<(SubjectPattern, Start)> {
        let takes = |wanted: &Subscription| stream.subjects.iter().any(|subject| subject.overlaps(&wanted.subject));
        let subscriptions = self.events.iter().flat_map(|events| &events.subscribe);
        subscriptions.filter(|wanted| takes(wanted)).map(|wanted| (wanted.subject.clone(), wanted.start)).collect()
    }
}

/// Where a bridge delivers events to the components of a host that has no event trigger: `/events/<component>`.
const RESERVED: &str = "/events/";

/// `[[trigger.http]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The pattern: `/api/v1/orders/:id`, `/static/...`; `None` for `{ private = true }`.
    pub pattern: Option<String>,
    /// The component that serves it.
    pub component: String,
}

impl Route {
    /// Whether it is for a bridge: from outside nothing answers there.
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.pattern.as_deref().is_some_and(is_reserved)
    }
}

/// Whether a path or pattern lies where a bridge delivers.
#[must_use]
pub fn is_reserved(path: &str) -> bool {
    path.starts_with(RESERVED) || path == RESERVED.trim_end_matches('/')
}

/// `[component.<id>]`.
#[derive(Debug, Clone)]
pub struct Component {
    /// The id.
    pub id: String,
    /// The `.wasm` file.
    pub source: PathBuf,
    /// `[component.<id>.build]`.
    pub build: Option<Build>,
    /// Store labels it may open.
    pub key_value_stores: Vec<String>,
    /// Where it may connect to, variables filled in.
    pub allowed_outbound_hosts: Vec<String>,
    /// Its variables, resolved.
    pub variables: BTreeMap<String, String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// `[component.<id>.tool.events]`; `None` for a component without.
    pub events: Option<Events>,
    /// `[component.<id>.tool.host]`.
    pub limits: Limits,
}

/// `[component.<id>.build]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// Run one after the other.
    pub commands: Vec<String>,
    /// Where.
    pub workdir: PathBuf,
}

/// What a component has to do with events.
#[derive(Debug, Clone)]
pub struct Events {
    /// What it is driven by. No two of one component overlap.
    pub subscribe: Vec<Subscription>,
    /// What it may publish.
    pub publish: Vec<SubjectPattern>,
    /// Events handled at once, over all its streams.
    pub concurrency: usize,
    /// Failures of the handler until the event is dead.
    pub max_attempts: u32,
    /// Longest one handling may take.
    pub handler_timeout: Duration,
    /// `subjects`: WIT case name → subject, where they differ from the rule (`-` is `.`).
    pub subjects: BTreeMap<String, String>,
}

/// One entry of `subscribe`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// What.
    pub subject: SubjectPattern,
    /// Events with one value of this are handled one after the other: `aggregateId`, or a path such as
    /// `eventData.orderId`.
    pub key: String,
    /// Where a new consumer starts.
    pub start: Start,
}

/// What one invocation of a component may use. Each stops one way in which a guest could take the host down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of linear memory: a leak or an allocation bomb.
    pub memory_bytes: usize,
    /// Elements of one table: a growing table.
    pub table_elements: usize,
    /// Live resource handles: a guest that opens and never drops.
    pub handles: usize,
    /// Bytes a guest may hand over in one host call: a 100 MB argument.
    pub hostcall_bytes: usize,
    /// Host calls in one invocation: a loop that never leaves the host long enough to be interrupted.
    pub host_calls: u64,
    /// Outputs of one handling.
    pub emissions: usize,
    /// Bytes of one emitted event's JSON.
    pub event_bytes: usize,
    /// Bytes of a request body.
    pub request_body_bytes: u64,
    /// Longest one HTTP request may take.
    pub request_timeout: Duration,
    /// HTTP requests served at once.
    pub http_concurrency: usize,
    /// Events an instance handles before it is replaced; 1 is a fresh one each.
    pub reuse_events: u32,
    /// HTTP requests a 0.2 instance serves before it is replaced; 1 (the default) is a fresh one each.
    pub reuse_http: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 64 << 20,
            table_elements: 20_000,
            handles: 1_000,
            hostcall_bytes: 16 << 20,
            host_calls: 10_000,
            emissions: 256,
            event_bytes: 1 << 20,
            request_body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(30),
            http_concurrency: 128,
            reuse_events: 1_000,
            reuse_http: 1,
        }
    }
}
