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

async fn one(options: &Options, kind: Kind, report: &mut Report) -> Result<f64> {
    let state = tempfile::tempdir()?;
    let target = Target::start(options, kind, &state).await?;
    let catalogue = Catalogue::load(target.listen).await?;
    let path = || format!("/api/v1/inventory/availability/{}", catalogue.product());
    let served = sustained(target.listen, path, options.duration, || target.cpu_micros()).await?;
    report.value(&format!("{}: GET availability", kind.name()), served.rate, "/s");
    report.value(&format!("{}: CPU of the server a request", kind.name()), served.cpu, "µs");
    target.stop()?;
    Ok(served.rate)
}

/// What a server reached.
#[derive(Debug, Clone, Copy)]
pub struct Served {
    /// Requests a second.
    pub rate: f64,
    /// Its CPU time a request, in microseconds.
    pub cpu: f64,
}

/// Asks for `path` for that long, or as long as it takes a rate to be steady, after a warm-up.
///
/// # Errors
/// As [`read`].
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub async fn sustained(
    address: SocketAddr,
    path: impl Fn() -> String,
    duration: Duration,
    cpu_micros: impl Fn() -> Result<u64>,
) -> Result<Served> {
    read(address, &path, WARM_UP).await?;
    let (before, duration) = (cpu_micros()?, duration.min(LONGEST));
    let requests = read(address, &path, duration).await? as f64;
    let cpu = cpu_micros()?.saturating_sub(before) as f64;
    Ok(Served { rate: requests / duration.as_secs_f64(), cpu: cpu / requests })
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
