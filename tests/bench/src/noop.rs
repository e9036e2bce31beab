//! A handler that does nothing: what log, codec, call and acknowledgement cost. The events lie in the log before the
//! clock starts.

use crate::client::Connection;
use crate::native::NoopResult;
use crate::options::Options;
use crate::report::{Goal, Report};
use crate::target::{Kind, Target};
use a4co_host::bus::EventBus as _;
use a4co_host::bus::embedded::EmbeddedBus;
use a4co_host::clock::{Clock, SystemClock};
use a4co_host::durability::Durability as _;
use a4co_host::event::{Event, Headers};
use a4co_host::manifest::{self, Application, Given};
use a4co_host::store::{Store, StoreOptions};
use a4co_host::subject::Subject;
use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Different keys: events of one key wait for each other.
const KEYS: usize = 1_000;
/// Events published between two flushes.
const BATCH: usize = 1_000;
/// How often is looked whether all is done.
const LOOK: Duration = Duration::from_millis(5);

/// Measures the host with reused and with fresh instances, and the native loop.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (reused, fresh) = (manifest(&folder, 1_000)?, manifest(&folder, 1)?);
    let native = native(options, &reused).await?;
    let (reused, fresh) = (wasm(options, &reused).await?, wasm(options, &fresh).await?);
    let events = options.events;
    report.goal("no-op, reused instance", rate(reused, events), "events/s", Goal::AtLeast(20_000.0));
    report.value("no-op, fresh instance", rate(fresh, events), "events/s");
    report.value("no-op, native", rate(native, events), "events/s");
    for (name, result) in [("reused instance", reused), ("fresh instance", fresh), ("native", native)] {
        report.value(&format!("no-op, CPU an event, {name}"), cpu(result, events), "µs");
    }
    let above = |result| cpu(result, events) - cpu(native, events);
    report.goal("no-op, CPU an event above native, reused instance", above(reused), "µs", Goal::AtMost(25.0));
    report.goal("no-op, CPU an event above native, fresh instance", above(fresh), "µs", Goal::AtMost(110.0));
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(result: NoopResult, events: usize) -> f64 {
    events as f64 / result.seconds
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn cpu(result: NoopResult, events: usize) -> f64 {
    result.cpu_micros as f64 / events as f64
}

/// The counter's manifest with so many events an instance.
pub(crate) fn manifest(folder: &TempDir, reuse: u32) -> Result<PathBuf> {
    let path = artifacts::workspace().join("tests/guests/counter/spin.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let target = artifacts::workspace().join("target");
    let text = text.replace("../../../target", &target.to_string_lossy());
    let changed = text.replace("reuse_events = 1_000", &format!("reuse_events = {reuse}"));
    ensure!(reuse == 1_000 || changed != text, "{} does not say reuse_events = 1_000", path.display());
    let path = folder.path().join(format!("spin-{reuse}.toml"));
    std::fs::write(&path, changed)?;
    Ok(path)
}

/// A state directory with all events in the log and their consumers paused.
async fn prepared(manifest: &Path, events: usize) -> Result<TempDir> {
    let application = manifest::load(manifest, &Given::default())?;
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options = StoreOptions::new(clock.clone(), application.streams.clone());
    let store = Store::open(&folder.path().join("state"), options)?;
    let bus = EmbeddedBus::new(store.clone());
    open_consumers(&bus, &application).await?;
    let (subject, time) = (Subject::new("counter.noop")?, clock.now().rfc3339());
    for number in 0..events {
        let body = event(number, &time);
        bus.publish(Arc::new(Event::new(subject.clone(), body.into(), Headers::default()))).await?;
        if number % BATCH == 0 {
            store.durable(store.latest()).await;
        }
    }
    store.close();
    Ok(folder)
}

async fn open_consumers(bus: &EmbeddedBus, application: &Application) -> Result<()> {
    for consumer in application.consumers() {
        let (component, stream) = (consumer.component.clone(), consumer.stream.clone());
        drop(bus.consume(consumer).await?);
        bus.pause(&component, &stream, true).await?;
    }
    Ok(())
}

/// The event of that number.
pub(crate) fn event(number: usize, time: &str) -> String {
    let (key, id) = (number % KEYS, format!("00000000-0000-7000-8000-{number:012}"));
    format!(
        r#"{{"eventId":"{id}","eventType":"CounterNoopRequestedEvent","aggregateId":"counter-{key}","eventVersion":1,"occurredOn":"{time}","eventData":{{"label":"nothing to be done","amount":{number}}},"metadata":{{"publishedAt":"{time}","version":"1.0","correlationId":"{id}","causationId":"{id}"}}}}"#
    )
}

async fn wasm(options: &Options, manifest: &Path) -> Result<NoopResult> {
    let state = prepared(manifest, options.events).await?;
    let target = Target::start_on(options, Kind::Host, manifest, state.path()).await?;
    let mut admin = Connection::open(target.admin).await?;
    ensure!(pending(&mut admin).await? == options.events as u64, "not all events lie in the log");
    let (cpu, began) = (target.cpu_micros()?, Instant::now());
    let resumed = admin.post("/consumers/counter/COUNTERS/resume", String::new()).await?;
    ensure!(resumed.status == 200, "resuming: {}", resumed.text());
    while pending(&mut admin).await? > 0 {
        tokio::time::sleep(LOOK).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let cpu_micros = target.cpu_micros()?.saturating_sub(cpu);
    let dead = admin.get("/dlq").await?;
    ensure!(dead.text().contains("\"items\":[]"), "events died: {}", dead.text());
    target.stop()?;
    Ok(NoopResult { seconds, cpu_micros })
}

/// Events that are not settled yet, over all consumers.
pub(crate) async fn pending(admin: &mut Connection) -> Result<u64> {
    let reply = admin.get("/consumers").await?;
    let list: serde_json::Value = serde_json::from_slice(&reply.body).context("the list of consumers")?;
    let items = list.get("items").and_then(serde_json::Value::as_array).context("the list of consumers")?;
    Ok(items.iter().filter_map(|item| item.get("pending")?.as_u64()).sum())
}

async fn native(options: &Options, manifest: &Path) -> Result<NoopResult> {
    let state = prepared(manifest, options.events).await?;
    let mut command = Command::new(std::env::current_exe().context("this program's path")?);
    command.arg("noop-native").arg("--manifest").arg(manifest).arg("--state-dir").arg(state.path().join("state"));
    let output = command.output().context("starting the native loop")?;
    ensure!(output.status.success(), "the native loop: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).context("the native loop's figures")
}
