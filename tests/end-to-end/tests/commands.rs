//! The command line against a running host: for people, and with `--json` for programs.

use anyhow::{Context as _, Result, ensure};
use end_to_end::{Host, Order, Settings, Shop, eventually};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};

/// An event that `inventory` cannot decode.
fn undecodable(id: &str) -> Value {
    json!({
        "eventId": id, "eventType": "StockCheckRequestedEvent", "aggregateId": "prod-cuenco", "eventVersion": 1,
        "occurredOn": "2026-01-15T10:30:00.000Z", "eventData": { "orderId": "o", "sagaId": "s" },
        "metadata": {
            "publishedAt": "2026-01-15T10:30:00.000Z", "version": "1.0", "correlationId": id, "causationId": "x",
        },
    })
}

fn programs(host: &Host, arguments: &[&str]) -> Result<Value> {
    let said = host.operate(&[arguments, &["--json"]].concat())?;
    serde_json::from_str(&said).with_context(|| format!("a4co {arguments:?} --json printed {said}"))
}

/// A command that goes on, killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _may_be_gone = self.0.kill();
        let _may_be_gone = self.0.wait();
    }
}

fn start(host: &Host, arguments: &[&str]) -> Result<Running> {
    let mut command = Command::new(artifacts::binary("a4co"));
    command.args(arguments).args(["--admin", &host.admin_url()]).stdin(Stdio::piped()).stdout(Stdio::piped());
    Ok(Running(command.spawn()?))
}

async fn every_command_has_an_answer_for_programs(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    let reply = shop.order(&Order::of("prod-cuenco")).await?;
    shop.saga_until(reply.text_at("/orderId"), &["completed"]).await?;

    let file = host.state_dir().join("bad.json");
    std::fs::write(&file, undecodable("bad-1").to_string())?;
    let published = programs(&host, &["events", "publish", "inventory.stock.check", &file.to_string_lossy()])?;
    assert_eq!((&published["stream"], &published["duplicate"]), (&json!("INVENTORY"), &json!(false)), "{published}");
    let shown = programs(&host, &["events", "show", reply.headers["x-correlation-id"].to_str()?])?;
    assert_eq!(shown["items"][0]["subject"], "order.created", "{shown}");

    let letter =
        eventually("the dead letter", async || programs(&host, &["dlq", "list"]).ok()?["items"].get(0).cloned())
            .await?;
    let id = letter["id"].as_str().unwrap_or_default();
    assert_eq!(programs(&host, &["dlq", "show", id])?["original"]["event"]["eventId"], "bad-1");
    assert_eq!(programs(&host, &["dlq", "replay", id])?, json!({ "id": id, "replayed": true }));
    let again = eventually("it died again", async || {
        let list = programs(&host, &["dlq", "list"]).ok()?;
        list["items"].as_array()?.iter().find(|item| item["replay"] == 1).cloned()
    })
    .await?;
    let again = again["id"].as_str().unwrap_or_default();
    assert_eq!(programs(&host, &["dlq", "discard", again])?, json!({ "id": again, "discarded": true }));

    let consumers = programs(&host, &["consumers", "list"])?;
    ensure!(consumers["items"].as_array().is_some_and(|items| items.len() > 8), "{consumers}");
    for (what, paused) in [("pause", true), ("resume", false)] {
        let answer = programs(&host, &["consumers", what, "saga/ORDERS"])?;
        assert_eq!((&answer["component"], &answer["paused"]), (&json!("saga"), &json!(paused)), "{answer}");
    }
    Ok(())
}

async fn a_backup_tells_programs_its_size(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let copy = host.state_dir().join("copy.db");
    let backup = programs(&host, &["backup", &copy.to_string_lossy()])?;
    assert_eq!(backup["bytes"].as_u64(), Some(std::fs::metadata(&copy)?.len()), "{backup}");
    Ok(())
}

async fn the_tail_shows_what_is_published_and_matches(settings: Settings) -> Result<()> {
    let host = Host::start(settings).await?;
    let mut tail = start(&host, &["events", "tail", "--subject", "inventory.>", "--json"])?;
    let mut lines = BufReader::new(tail.0.stdout.take().context("its output")?).lines();
    // It shows what comes after it has connected: something comes until it shows.
    let told = tokio::task::spawn_blocking(move || lines.next());
    let mut number = 0;
    while !told.is_finished() {
        number += 1;
        let mut publish = start(&host, &["events", "publish", "inventory.stock.check", "-"])?;
        publish
            .0
            .stdin
            .take()
            .context("its input")?
            .write_all(undecodable(&format!("bad-{number}")).to_string().as_bytes())?;
        ensure!(publish.0.wait()?.success() && number < 100, "nothing is shown of {number} events");
    }
    let shown: Value = serde_json::from_str(&told.await?.context("a line")??)?;
    assert_eq!(shown["subject"], "inventory.stock.check", "{shown}");
    ensure!(shown["event"]["eventId"].as_str().is_some_and(|id| id.starts_with("bad-")), "{shown}");
    Ok(())
}

#[test]
fn every_shell_can_complete() -> Result<()> {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = Command::new(artifacts::binary("a4co")).args(["completions", shell]).output()?;
        let script = String::from_utf8(output.stdout)?;
        let whole = ["a4co", "dlq", "consumers", "state-dir"].iter().all(|part| script.contains(part));
        ensure!(output.status.success() && whole, "{shell}: {script}");
    }
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        every_command_has_an_answer_for_programs,
        the_tail_shows_what_is_published_and_matches;
    [embedded] because "what lies in NATS is copied by the tools of NATS":
        a_backup_tells_programs_its_size;
}
