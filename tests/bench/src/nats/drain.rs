//! A backlog of events for a handler that does nothing: how fast it drains against a plain client that takes and
//! acknowledges the same events with the same settings, and what memory it takes meanwhile.

use crate::client::Connection;
use crate::noop::{event, manifest, pending};
use crate::options::Options;
use crate::process;
use crate::report::{Goal, Report};
use a4co_host::clock::{Clock as _, SystemClock};
use anyhow::{Context as _, Result, ensure};
use artifacts::nats::NatsServer;
use async_nats::jetstream::consumer::AckPolicy;
use async_nats::jetstream::consumer::pull::Config;
use async_nats::jetstream::{self, Context};
use end_to_end::{Host, Settings};
use futures::{StreamExt as _, TryStreamExt as _};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

/// What a client asks for at once: what the host asks for.
const BATCH: usize = 256;
/// Publishes under way at once.
const PUBLISHED_AT_ONCE: usize = 512;
/// Acknowledgements that wait for the server at once: the deliveries that the host has at once.
const UNCONFIRMED_AT_ONCE: usize = 16;
/// How often is looked whether all is done.
const LOOK: Duration = Duration::from_millis(10);
/// Events of the backlog whose memory is looked at.
const BACKLOG: usize = 100_000;

/// The stream and its consumer.
const STREAM: &str = "COUNTERS";

/// Measures both.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let manifest = manifest(&folder, 1_000)?;
    let native = plain(&manifest, options.events, Acknowledging::Sent).await?;
    let host = drained(&manifest, options.events).await?;
    let confirmed = plain(&manifest, options.events, Acknowledging::Confirmed).await?;
    report.value("no-op: the host", host.rate, "events/s");
    report.value("no-op: a plain client", native, "events/s");
    report.goal("no-op: the host, of a plain client's", host.rate / native, "×", Goal::AtLeast(0.8));
    report.value("no-op: a plain client that waits for each acknowledgement", confirmed, "events/s");
    report.value("no-op: the host, of that", host.rate / confirmed, "×");
    let backlog = drained(&manifest, BACKLOG).await?;
    let title = "resident memory over a backlog of 100000, growth";
    report.goal(title, backlog.growth_mib, "MiB", Goal::AtMost(64.0));
    Ok(())
}

/// What a drain came to.
struct Drained {
    /// Events a second.
    rate: f64,
    /// The most resident memory on the way, less what there was before.
    growth_mib: f64,
}

/// Lets the host drain `events` that were published while its consumer was paused.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn drained(manifest: &Path, events: usize) -> Result<Drained> {
    let server = NatsServer::start();
    let settings = Settings { nats: Some(server.url()), ..Settings::nats() };
    let host = Host::start(settings.of(manifest.to_owned())).await?;
    let admin: SocketAddr = host.admin_url().trim_start_matches("http://").parse()?;
    let mut admin = Connection::open(admin).await?;
    command(&mut admin, "pause").await?;
    fill(&jetstream(&server).await?, events).await?;
    ensure!(pending(&mut admin).await? == events as u64, "not all events lie in the stream");
    let before = process::resident_mib(host.pid())?;
    let (began, mut most) = (Instant::now(), before);
    command(&mut admin, "resume").await?;
    while pending(&mut admin).await? > 0 {
        most = most.max(process::resident_mib(host.pid())?);
        tokio::time::sleep(LOOK).await;
    }
    let rate = events as f64 / began.elapsed().as_secs_f64();
    let dead = admin.get("/dlq").await?;
    ensure!(dead.text().contains("\"items\":[]"), "events died: {}", dead.text());
    Ok(Drained { rate, growth_mib: most - before })
}

async fn command(admin: &mut Connection, command: &str) -> Result<()> {
    let reply = admin.post(&format!("/consumers/counter/{STREAM}/{command}"), String::new()).await?;
    ensure!(reply.status == 200, "{command}: {}", reply.text());
    Ok(())
}

/// What a plain client does about an acknowledgement.
#[derive(Clone, Copy)]
enum Acknowledging {
    /// It is sent, and the next event taken.
    Sent,
    /// The server confirms it, as the host's settlements are confirmed; [`UNCONFIRMED_AT_ONCE`] are under way.
    Confirmed,
}

/// Takes and acknowledges as many with the client alone; events a second until the server knows all acknowledgements.
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn plain(manifest: &Path, events: usize, acknowledging: Acknowledging) -> Result<f64> {
    let server = NatsServer::start();
    let made = std::process::Command::new(artifacts::binary("a4co"))
        .args(["streams", "apply", "--nats", &server.url(), "--manifest"])
        .arg(manifest)
        .output()?;
    ensure!(made.status.success(), "a4co streams apply: {}", String::from_utf8_lossy(&made.stderr));
    let jetstream = jetstream(&server).await?;
    fill(&jetstream, events).await?;
    let stream = jetstream.get_stream(STREAM).await?;
    let config = Config {
        durable_name: Some("plain".to_owned()),
        ack_policy: AckPolicy::Explicit,
        max_ack_pending: 16_384,
        ..Config::default()
    };
    let mut consumer = stream.create_consumer(config).await?;
    let began = Instant::now();
    let mut messages = consumer.stream().max_messages_per_batch(BATCH).messages().await?;
    match acknowledging {
        Acknowledging::Sent => {
            for _ in 0..events {
                let message = messages.next().await.context("the consumer has ended")??;
                message.ack().await.map_err(unacknowledged)?;
            }
        }
        Acknowledging::Confirmed => {
            let acknowledged = messages
                .take(events)
                .map(|message| async move { message?.double_ack().await.map_err(unacknowledged) })
                .buffer_unordered(UNCONFIRMED_AT_ONCE)
                .try_fold(0, |count, ()| std::future::ready(Ok(count + 1)))
                .await?;
            ensure!(acknowledged == events, "the consumer has ended");
        }
    }
    loop {
        let info = consumer.info().await?;
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return Ok(events as f64 / began.elapsed().as_secs_f64());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn unacknowledged(error: async_nats::Error) -> anyhow::Error {
    anyhow::anyhow!("an acknowledgement: {error}")
}

async fn jetstream(server: &NatsServer) -> Result<Context> {
    Ok(jetstream::new(async_nats::connect(server.url()).await?))
}

async fn fill(jetstream: &Context, events: usize) -> Result<()> {
    let time = SystemClock::default().now().rfc3339();
    let publish = |number| {
        let body = event(number, &time);
        async move { anyhow::Ok(jetstream.publish("counter.noop", body.into()).await?.await?) }
    };
    futures::stream::iter((0..events).map(publish))
        .buffer_unordered(PUBLISHED_AT_ONCE)
        .try_for_each(|_| async { Ok(()) })
        .await
}
