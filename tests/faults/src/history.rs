//! What was published, by correlation: what happened, whoever tells it.

use anyhow::{Context as _, Result};
use async_nats::jetstream::{self, consumer};
use end_to_end::{Client, Host};
use futures::StreamExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// An event: its subject and its JSON.
pub type Published = (String, Value);

/// The log of a host.
#[derive(Debug)]
pub struct History(Source);

#[derive(Debug)]
enum Source {
    /// An embedded host finds a correlation by its index.
    Host(Client),
    /// A server has none: its streams are read once, from beginning to end.
    Streams(Arc<Mutex<Streams>>),
}

#[derive(Debug)]
struct Streams {
    context: jetstream::Context,
    /// How far each stream was read.
    read: BTreeMap<String, u64>,
    by_correlation: BTreeMap<String, Vec<Published>>,
}

impl History {
    /// The log of `host`.
    ///
    /// # Errors
    /// Where its server cannot be reached.
    pub async fn of(host: &Host) -> Result<Self> {
        Ok(Self(match host.nats() {
            None => Source::Host(host.admin()),
            Some(servers) => {
                let context = jetstream::new(crate::plain::connect(&servers).await?);
                let streams = Streams { context, read: BTreeMap::new(), by_correlation: BTreeMap::new() };
                Source::Streams(Arc::new(Mutex::new(streams)))
            }
        }))
    }

    /// Reads on: what is removed from a stream afterwards is remembered.
    ///
    /// # Errors
    /// Where a stream cannot be read.
    pub async fn catch_up(&self) -> Result<()> {
        match &self.0 {
            Source::Host(_) => Ok(()),
            Source::Streams(streams) => streams.lock().await.catch_up().await,
        }
    }

    /// What was published under a correlation, as far as it was read.
    ///
    /// # Errors
    /// Where the host does not tell.
    pub async fn correlated(&self, id: &str) -> Result<Vec<Published>> {
        match &self.0 {
            Source::Streams(streams) => Ok(streams.lock().await.by_correlation.get(id).cloned().unwrap_or_default()),
            Source::Host(admin) => {
                let log = admin.get(&format!("/events/{id}")).await?;
                let items = log.json["items"].as_array().cloned().unwrap_or_default();
                let one =
                    |mut item: Value| (item["subject"].as_str().unwrap_or_default().to_owned(), item["event"].take());
                Ok(items.into_iter().map(one).collect())
            }
        }
    }
}

impl Streams {
    async fn catch_up(&mut self) -> Result<()> {
        for stream in crate::plain::streams(&self.context).await? {
            self.read_on(&stream).await.with_context(|| format!("reading stream {stream}"))?;
        }
        Ok(())
    }

    async fn read_on(&mut self, name: &str) -> Result<()> {
        let stream = self.context.get_stream(name).await?;
        let last = stream.cached_info().state.last_sequence;
        let read = self.read.get(name).copied().unwrap_or_default();
        if last <= read || stream.cached_info().state.messages == 0 {
            return Ok(());
        }
        let config = consumer::pull::OrderedConfig {
            deliver_policy: consumer::DeliverPolicy::ByStartSequence { start_sequence: read + 1 },
            ..Default::default()
        };
        let mut messages = stream.create_consumer(config).await?.messages().await?;
        while let Some(message) = messages.next().await {
            let message = message?;
            let info = message.info().map_err(|error| anyhow::anyhow!("{error}"))?;
            let (sequence, pending) = (info.stream_sequence, info.pending);
            if let Ok(event) = serde_json::from_slice::<Value>(&message.payload) {
                let id = event["metadata"]["correlationId"].as_str().unwrap_or_default().to_owned();
                self.by_correlation.entry(id).or_default().push((message.subject.to_string(), event));
            }
            self.read.insert(name.to_owned(), sequence);
            if sequence >= last || pending == 0 {
                break;
            }
        }
        Ok(())
    }
}
