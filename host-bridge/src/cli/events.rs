//! `a4co events`.

use super::client::{Client, items, text};
use super::table;
use crate::subject::{Subject, SubjectPattern};
use anyhow::Context;
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// What to ask about events.
#[derive(Debug)]
pub enum EventsRequest {
    /// Follow them.
    Tail {
        /// Only these.
        subject: Option<SubjectPattern>,
    },
    /// Those of one correlation.
    Show {
        /// Its id.
        correlation: String,
    },
    /// Publish one.
    Publish {
        /// Under this.
        subject: Subject,
        /// Its body; `-` is standard input.
        file: PathBuf,
    },
}

pub(super) async fn run(
    client: &Client,
    request: EventsRequest,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match request {
        EventsRequest::Tail { subject } => tail(client, subject, json, out).await,
        EventsRequest::Show { correlation } => {
            let answer = client.ask(Method::GET, &["events", &correlation], "").await?;
            if json { Ok(writeln!(out, "{answer}")?) } else { show(&answer, out) }
        }
        EventsRequest::Publish { subject, file } => {
            let body = read(&file)?;
            let answer = client.send(Method::POST, &["events", subject.as_str()], "", body).await?;
            if json { Ok(writeln!(out, "{answer}")?) } else { published(&answer, out) }
        }
    }
}

fn read(file: &Path) -> anyhow::Result<Bytes> {
    if file == Path::new("-") {
        let mut body = Vec::new();
        std::io::stdin().read_to_end(&mut body)?;
        return Ok(body.into());
    }
    Ok(std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?.into())
}

fn published(answer: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    let duplicate = answer.get("duplicate").and_then(Value::as_bool).unwrap_or(false);
    let again = if duplicate { " (it was there already)" } else { "" };
    writeln!(out, "published to {} at {}{again}", text(answer, "/stream"), text(answer, "/sequence"))?;
    if answer.get("warning").is_some() {
        writeln!(out, "warning: {}", table::plain(&text(answer, "/warning")))?;
    }
    Ok(())
}

pub(super) fn show(answer: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    let row = |event: &Value| {
        ["/event/occurredOn", "/subject", "/event/aggregateId", "/event/eventId", "/event/metadata/causationId"]
            .map(|at| text(event, at))
    };
    let rows: Vec<_> = items(answer).iter().map(row).collect();
    table::write(out, ["OCCURRED", "SUBJECT", "AGGREGATE", "EVENT", "CAUSED BY"], &rows)?;
    Ok(())
}

async fn tail(client: &Client, subject: Option<SubjectPattern>, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let encoded =
        |pattern: SubjectPattern| format!("subject={}", utf8_percent_encode(pattern.as_str(), NON_ALPHANUMERIC));
    let query = subject.map(encoded).unwrap_or_default();
    let mut body = client.open(Method::GET, &["events"], &query, Bytes::new()).await?.into_body();
    let mut notices = Notices::default();
    while let Some(frame) = body.frame().await {
        let frame = frame.context("the host broke off the tail")?;
        for (kind, data) in frame.data_ref().map(|bytes| notices.feed(bytes)).unwrap_or_default() {
            notice(&kind, &data, json, out)?;
        }
        out.flush()?;
    }
    Ok(())
}

fn notice(kind: &str, data: &str, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let event: Value = serde_json::from_str(data).unwrap_or_default();
    match kind {
        "lagged" => {
            writeln!(std::io::stderr(), "warning: too slow, {} events were not shown", text(&event, "/missed"))?
        }
        _ if json => writeln!(out, "{data}")?,
        _ => {
            let cells = ["/event/occurredOn", "/subject", "/event/aggregateId", "/event/eventId"];
            let line = cells.map(|at| table::plain(&text(&event, at))).join("  ");
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// Takes server-sent events apart.
#[derive(Default)]
pub(super) struct Notices {
    rest: Vec<u8>,
}

impl Notices {
    /// Adds what arrived; returns what is complete, as (kind, data).
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<(String, String)> {
        self.rest.extend_from_slice(bytes);
        let mut complete = Vec::new();
        while let Some(end) = self.rest.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.rest.drain(..end + 2).collect();
            complete.extend(parse(&String::from_utf8_lossy(&block)));
        }
        complete
    }
}

fn parse(block: &str) -> Option<(String, String)> {
    let field =
        |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim_start().to_owned());
    Some((field("event:")?, field("data:")?))
}
