//! The same over NATS: the server runs on this machine too, and what it costs is part of every figure.

mod drain;
mod shop;

use crate::options::Options;
use crate::orders::{Load, Shop, Until, closed, open};
use crate::report::{Goal, Report};
use anyhow::{Result, ensure};
use artifacts::nats::NatsServer;
use end_to_end::{Host, Settings};
use shop::Deployed;
use std::time::Duration;

/// Load before the figures count.
const WARM_UP: Duration = Duration::from_secs(3);
/// Orders a second in the open loop.
const RATE: u32 = 50;
/// Longest load of one kind: six follow each other.
const LONGEST: Duration = Duration::from_secs(15);

/// One round.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    drain::measure(options, report).await?;
    let fast = fast(options, report).await?;
    safe(options, report).await?;
    bridged(options, report).await?;
    let two = two(options, report).await?;
    report.value("orders a second, two processes, of one's", two / fast, "×");
    Ok(())
}

/// The marketplace on `server`.
fn on(options: &Options, server: &NatsServer, durability: &str) -> Settings {
    let arguments = ["--durability", durability].map(str::to_owned).into();
    Settings { nats: Some(server.url()), arguments, ..Settings::nats() }.of(options.manifest.clone())
}

async fn fast(options: &Options, report: &mut Report) -> Result<f64> {
    let server = NatsServer::start();
    let shop = Deployed::new(vec![Host::start(on(options, &server, "fast")).await?], server.pid()).await?;
    let load = loaded(options, &shop, "--durability fast", report).await?;
    report.goal("--durability fast: orders a second", load.rate(), "/s", Goal::AtLeast(200.0));
    let mut slow = open(&shop, RATE, options.duration.min(LONGEST)).await?;
    ensure!(slow.failed == 0, "open loop: {}", slow.first_failure());
    report.value(&format!("--durability fast: p50 at {RATE}/s"), slow.latencies.percentile(50), "ms");
    let p99 = slow.latencies.percentile(99);
    report.goal(&format!("--durability fast: p99 at {RATE}/s"), p99, "ms", Goal::AtMost(150.0));
    Ok(load.rate())
}

async fn safe(options: &Options, report: &mut Report) -> Result<()> {
    let server = NatsServer::syncing();
    let shop = Deployed::new(vec![Host::start(on(options, &server, "safe")).await?], server.pid()).await?;
    let load = loaded(options, &shop, "--durability safe", report).await?;
    report.value("--durability safe: orders a second", load.rate(), "/s");
    Ok(())
}

async fn bridged(options: &Options, report: &mut Report) -> Result<()> {
    let mut host = Host::start(Settings::bridged().of(options.manifest.clone())).await?;
    let server = host.server()?.pid();
    let shop = Deployed::new(vec![host], server).await?;
    let load = loaded(options, &shop, "bridged to a second process", report).await?;
    report.goal("bridged to a second process: orders a second", load.rate(), "/s", Goal::AtLeast(100.0));
    Ok(())
}

/// Buyers are dealt to both processes in turn, and so are the sources of events by the processes themselves.
async fn two(options: &Options, report: &mut Report) -> Result<f64> {
    let server = NatsServer::start();
    let hosts =
        vec![Host::start(on(options, &server, "fast")).await?, Host::start(on(options, &server, "fast")).await?];
    let shop = Deployed::new(hosts, server.pid()).await?;
    let load = loaded(options, &shop, "two processes", report).await?;
    report.value("two processes: orders a second", load.rate(), "/s");
    Ok(load.rate())
}

async fn loaded(options: &Options, shop: &impl Shop, name: &str, report: &mut Report) -> Result<Load> {
    closed(shop, options.clients, Until::Elapsed(WARM_UP)).await?;
    let mut load = closed(shop, options.clients, Until::Elapsed(options.duration.min(LONGEST))).await?;
    ensure!(load.failed == 0 && !load.latencies.is_empty(), "{name}: {}", load.first_failure());
    report.value(&format!("{name}: p50"), load.latencies.percentile(50), "ms");
    report.value(&format!("{name}: p99"), load.latencies.percentile(99), "ms");
    report.value(&format!("{name}: CPU of hosts and server an order"), load.cpu_an_order(), "µs");
    Ok(load)
}
