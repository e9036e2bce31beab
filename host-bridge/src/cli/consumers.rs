//! `a4co consumers`.

use super::client::{Client, items, text};
use super::table;
use anyhow::bail;
use http::Method;
use serde_json::Value;
use std::io::Write;
use std::time::Duration;

/// What to ask about consumers.
#[derive(Debug)]
pub enum ConsumersRequest {
    /// How they stand.
    List,
    /// Stop or go on.
    Set {
        /// Whose.
        component: String,
        /// Which; all of the component's where `None`.
        stream: Option<String>,
        /// Stop.
        paused: bool,
    },
}

impl ConsumersRequest {
    /// From `COMPONENT` or `COMPONENT/STREAM`.
    pub(super) fn set(consumer: &str, paused: bool) -> Self {
        let (component, stream) = match consumer.split_once('/') {
            Some((component, stream)) => (component, Some(stream.to_owned())),
            None => (consumer, None),
        };
        Self::Set { component: component.to_owned(), stream, paused }
    }
}

pub(super) async fn run(
    client: &Client,
    request: ConsumersRequest,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let answer = client.ask(Method::GET, &["consumers"], "").await?;
    match request {
        ConsumersRequest::List if json => Ok(writeln!(out, "{answer}")?),
        ConsumersRequest::List => list(&answer, out),
        ConsumersRequest::Set { component, stream, paused } => {
            let streams = stream.map_or_else(|| streams_of(&answer, &component), |stream| vec![stream]);
            if streams.is_empty() {
                bail!("component `{component}` has no consumer: see `a4co consumers list`");
            }
            for stream in streams {
                let verb = if paused { "pause" } else { "resume" };
                let answer = client.ask(Method::POST, &["consumers", &component, &stream, verb], "").await?;
                if json { writeln!(out, "{answer}")? } else { writeln!(out, "{verb}d {component}/{stream}")? }
            }
            Ok(())
        }
    }
}

fn streams_of(answer: &Value, component: &str) -> Vec<String> {
    let own = items(answer).iter().filter(|consumer| text(consumer, "/component") == component);
    own.map(|consumer| text(consumer, "/stream")).collect()
}

pub(super) fn list(answer: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    let rows: Vec<_> = items(answer).iter().map(row).collect();
    if rows.is_empty() {
        return Ok(writeln!(out, "no consumers: no component subscribes to events")?);
    }
    table::write(out, ["COMPONENT", "STREAM", "PENDING", "OLDEST", "SETTLED TO", "STATE"], &rows)?;
    Ok(())
}

fn row(consumer: &Value) -> [String; 6] {
    let paused = consumer.get("paused").and_then(Value::as_bool).unwrap_or(false);
    let pending = consumer.get("pending").and_then(Value::as_u64).unwrap_or(0);
    let oldest = consumer.get("oldestPendingMs").and_then(Value::as_u64).unwrap_or(0);
    [
        text(consumer, "/component"),
        text(consumer, "/stream"),
        pending.to_string(),
        if pending == 0 { "-".to_owned() } else { age(Duration::from_millis(oldest)) },
        text(consumer, "/settledTo"),
        if paused { "paused" } else { "running" }.to_owned(),
    ]
}

/// An age in its largest two units.
fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    match seconds {
        0 => format!("{}ms", age.as_millis()),
        1..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m{}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h{}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}
