//! `a4co dlq`.

use super::client::{Client, items, text};
use super::table;
use http::Method;
use serde_json::Value;
use std::io::Write;

/// What to ask about dead letters.
#[derive(Debug)]
pub enum DeadLettersRequest {
    /// The newest.
    List {
        /// At most so many.
        limit: usize,
    },
    /// One, with its event.
    Show {
        /// Its id.
        id: String,
    },
    /// Hand them out again.
    Replay {
        /// Their ids.
        ids: Vec<String>,
    },
    /// Forget them.
    Discard {
        /// Their ids.
        ids: Vec<String>,
    },
}

pub(super) async fn run(
    client: &Client,
    request: DeadLettersRequest,
    json: bool,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match request {
        DeadLettersRequest::List { limit } => {
            let answer = client.ask(Method::GET, &["dlq"], &format!("limit={limit}")).await?;
            if json { Ok(writeln!(out, "{answer}")?) } else { list(&answer, out) }
        }
        DeadLettersRequest::Show { id } => {
            let answer = client.ask(Method::GET, &["dlq", &id], "").await?;
            if json { Ok(writeln!(out, "{answer}")?) } else { show(&answer, out) }
        }
        DeadLettersRequest::Replay { ids } => {
            for id in &ids {
                let answer = client.ask(Method::POST, &["dlq", id, "replay"], "").await?;
                if json { writeln!(out, "{answer}")? } else { writeln!(out, "replayed {}", table::plain(id))? }
            }
            Ok(())
        }
        DeadLettersRequest::Discard { ids } => {
            for id in &ids {
                let answer = client.ask(Method::DELETE, &["dlq", id], "").await?;
                if json { writeln!(out, "{answer}")? } else { writeln!(out, "discarded {}", table::plain(id))? }
            }
            Ok(())
        }
    }
}

pub(super) fn list(answer: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    let letters = items(answer);
    if letters.is_empty() {
        return Ok(writeln!(out, "no dead letters")?);
    }
    let row = |letter: &Value| {
        let [id, died, component, subject, kind, place, reason] =
            ["/id", "/diedAt", "/component", "/subject", "/cause/kind", "/cause/path", "/cause/reason"]
                .map(|at| text(letter, at));
        let reason = if place == "-" { reason } else { format!("{place}: {reason}") };
        [id, died, component, subject, kind, reason]
    };
    let rows: Vec<_> = letters.iter().map(row).collect();
    table::write(out, ["ID", "DIED", "COMPONENT", "SUBJECT", "KIND", "REASON"], &rows)?;
    if answer.get("next").is_some() {
        writeln!(out, "and more: raise --limit")?;
    }
    Ok(())
}

pub(super) fn show(letter: &Value, out: &mut dyn Write) -> anyhow::Result<()> {
    for (name, at) in [
        ("id", "/id"),
        ("component", "/component"),
        ("stream", "/stream"),
        ("sequence", "/sequence"),
        ("subject", "/subject"),
        ("event id", "/eventId"),
        ("correlation", "/correlationId"),
        ("died", "/diedAt"),
        ("kind", "/cause/kind"),
        ("reason", "/cause/reason"),
        ("where", "/cause/path"),
        ("hand-outs", "/cause/deliveries"),
        ("replay", "/replay"),
    ] {
        writeln!(out, "{name:12} {}", table::plain(&text(letter, at)))?;
    }
    let event = letter.pointer("/original/event").map(serde_json::to_string_pretty).transpose()?;
    let malformed = || text(letter, "/original/malformed").escape_debug().to_string();
    writeln!(out, "\n{}", event.unwrap_or_else(malformed))?;
    writeln!(out, "\nhand it out again: a4co dlq replay {}", table::plain(&text(letter, "/id")))?;
    Ok(())
}
