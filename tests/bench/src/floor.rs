//! What the machine gives to anybody: axum with a fixed answer, and SQLite committing rows as our store does, with nothing
//! around either. No figure of a host can be better.

use crate::native::tap_nodelay;
use crate::options::Options;
use crate::process::Running;
use crate::reads::read;
use crate::report::Report;
use anyhow::{Context as _, Result};
use artifacts::free_address;
use axum::Router;
use axum::routing::get;
use rusqlite::Connection;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest of each: a rate is steady soon.
const LONGEST: Duration = Duration::from_secs(5);
/// Rows of one commit: one alone, an order's worth, what gathers under load.
const ROWS: [usize; 3] = [1, 32, 256];
/// Bytes of a row's value.
const VALUE: usize = 400;

/// One round.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let duration = options.duration.min(LONGEST);
    let (server, listen) = server().await?;
    let requests = read(listen, || "/".to_owned(), duration).await?;
    drop(server);
    report.value("axum, a fixed answer, 16 connections", rate(requests, duration), "/s");
    for rows in ROWS {
        let (commits, took) = commit(rows, duration)?;
        let title = format!("SQLite WAL, synchronous=FULL, {rows} rows a commit");
        report.value(&format!("{title}: commits"), rate(commits, took), "/s");
        report.value(&format!("{title}: rows"), rate(commits * rows as u64, took), "/s");
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

/// A process of axum with a fixed answer, and where it listens.
///
/// # Errors
/// Where it does not start.
pub async fn server() -> Result<(Running, SocketAddr)> {
    let listen = free_address();
    let mut command = Command::new(std::env::current_exe().context("this program's path")?);
    command.args(["serve-fixed", "--listen", &listen.to_string()]).stdin(Stdio::null()).stdout(Stdio::null());
    Ok((Running::serving(&mut command, listen).await?, listen))
}

/// Commits `rows` rows again and again; how often, and how long it took.
fn commit(rows: usize, duration: Duration) -> Result<(u64, Duration)> {
    let folder = tempfile::tempdir()?;
    let mut connection = Connection::open(folder.path().join("floor.db"))?;
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=4000;
         CREATE TABLE log (id INTEGER PRIMARY KEY, value BLOB NOT NULL)",
    )?;
    let (value, began, mut commits) = (vec![7_u8; VALUE], Instant::now(), 0);
    while began.elapsed() < duration {
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction.prepare_cached("INSERT INTO log (value) VALUES (?1)")?;
            for _ in 0..rows {
                insert.execute([&value])?;
            }
        }
        transaction.commit()?;
        commits += 1;
    }
    Ok((commits, began.elapsed()))
}

/// Serves a fixed answer until the process is killed.
///
/// # Errors
/// Where it cannot listen.
pub async fn serve(listen: SocketAddr) -> Result<()> {
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    let router = Router::new().route("/", get(async || r#"{"available":1000000,"reserved":0,"sold":0}"#));
    axum::serve(tap_nodelay(listener), router).await.context("serving")
}
