//! `GET` availability: requests a second over 16 connections, against the same read behind axum.

use crate::catalogue::Catalogue;
use crate::client::Connection;
use crate::options::Options;
use crate::report::{Goal, Report};
use crate::target::{Kind, Target};
use anyhow::{Result, ensure};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
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
    let catalogue = Arc::new(Catalogue::load(target.listen).await?);
    read(&target, &catalogue, WARM_UP).await?;
    let cpu = target.cpu_micros()?;
    let duration = options.duration.min(LONGEST);
    let requests = read(&target, &catalogue, duration).await?;
    let rate = requests as f64 / duration.as_secs_f64();
    let cpu = target.cpu_micros()?.saturating_sub(cpu) as f64 / requests as f64;
    report.value(&format!("{}: GET availability", kind.name()), rate, "/s");
    report.value(&format!("{}: CPU of the server a request", kind.name()), cpu, "µs");
    target.stop()?;
    Ok(rate)
}

async fn read(target: &Target, catalogue: &Arc<Catalogue>, duration: Duration) -> Result<u64> {
    let (requests, began) = (Rc::new(Cell::new(0_u64)), Instant::now());
    let local = tokio::task::LocalSet::new();
    let mut readers = Vec::new();
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(target.listen).await?;
        let (requests, catalogue) = (requests.clone(), catalogue.clone());
        readers.push(local.spawn_local(async move {
            while began.elapsed() < duration {
                let path = format!("/api/v1/inventory/availability/{}", catalogue.product());
                let reply = connection.get(&path).await?;
                ensure!(reply.status == 200, "GET {path}: {} {}", reply.status, reply.text());
                requests.set(requests.get() + 1);
            }
            Ok(())
        }));
    }
    local
        .run_until(async { futures::future::try_join_all(readers).await })
        .await?
        .into_iter()
        .collect::<Result<()>>()?;
    Ok(requests.get())
}
