//! `GET` availability: requests a second over 16 connections, against the same read behind axum.

use crate::catalogue::Catalogue;
use crate::client::Connection;
use crate::options::Options;
use crate::report::{Goal, Report};
use crate::target::{Kind, Target};
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use std::cell::Cell;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections at once.
const CONNECTIONS: usize = 16;
/// Longest reading: a rate is steady soon.
const LONGEST: Duration = Duration::from_secs(15);
/// Reading before the figures count.
const WARM_UP: Duration = Duration::from_secs(1);

/// Measures the host, then the baseline.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let host = one(options, Kind::Host, report).await?;
    report.goal("GET availability", host, "/s", Goal::AtLeast(8_000.0));
    if options.native {
        let native = one(options, Kind::Native, report).await?;
        report.goal("GET availability, of native axum's", host / native, "×", Goal::AtLeast(0.3));
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
async fn one(options: &Options, kind: Kind, report: &mut Report) -> Result<f64> {
    let state = tempfile::tempdir()?;
    let target = Target::start(options, kind, &state).await?;
    let catalogue = Catalogue::load(target.listen).await?;
    let path = || format!("/api/v1/inventory/availability/{}", catalogue.product());
    read(target.listen, path, WARM_UP).await?;
    let cpu = target.cpu_micros()?;
    let duration = options.duration.min(LONGEST);
    let requests = read(target.listen, path, duration).await?;
    let rate = requests as f64 / duration.as_secs_f64();
    let cpu = target.cpu_micros()?.saturating_sub(cpu) as f64 / requests as f64;
    report.value(&format!("{}: GET availability", kind.name()), rate, "/s");
    report.value(&format!("{}: CPU of the server a request", kind.name()), cpu, "µs");
    target.stop()?;
    Ok(rate)
}

/// Asks for `path` over all connections for that long; how many were answered.
///
/// # Errors
/// Where one is not answered with 200.
pub async fn read(address: SocketAddr, path: impl Fn() -> String, duration: Duration) -> Result<u64> {
    let (requests, began) = (Cell::new(0_u64), Instant::now());
    let reader = async |mut connection: Connection| {
        while began.elapsed() < duration {
            let path = path();
            let reply = connection.get(&path).await?;
            ensure!(reply.status == 200, "GET {path}: {} {}", reply.status, reply.text());
            requests.set(requests.get() + 1);
        }
        Ok(())
    };
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(address).await?);
    }
    try_join_all(connections.into_iter().map(reader)).await?;
    Ok(requests.get())
}
