//! Processes: what `/proc` tells of one, and one that does not outlive its owner.

use anyhow::{Context as _, Result, ensure};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// How long a server may take until it listens: one may have to compile first.
const START: Duration = Duration::from_secs(30);

/// A child that is killed when it is dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts it.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        Ok(Self(command.spawn().with_context(|| format!("starting {command:?}"))?))
    }

    /// Starts a server, and waits until it listens.
    ///
    /// # Errors
    /// Where it is not there, or does not listen.
    pub async fn serving(command: &mut Command, listen: SocketAddr) -> Result<Self> {
        let server = Self::spawn(command)?;
        let began = Instant::now();
        while tokio::net::TcpStream::connect(listen).await.is_err() {
            ensure!(began.elapsed() < START, "{command:?} does not listen on {listen}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(server)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// Where that cannot be asked.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.0.try_wait()?)
    }

    /// Waits until it has ended.
    ///
    /// # Errors
    /// Where that cannot be asked.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        Ok(self.0.wait()?)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _may_be_gone = self.0.kill();
        let _may_be_gone = self.0.wait();
    }
}

/// Microseconds of a clock tick in `/proc/<pid>/stat`: 100 a second on every Linux.
const TICK_MICROS: u64 = 10_000;

/// CPU time of all threads so far, user and system, in microseconds.
///
/// # Errors
/// Where the process is gone.
pub fn cpu_micros(pid: u32) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("the process is gone")?;
    // The name may hold anything; what follows its closing parenthesis starts with field 3.
    let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<u64>().unwrap_or(0));
    Ok(ticks.sum::<u64>() * TICK_MICROS)
}

/// Resident memory in MiB.
///
/// # Errors
/// Where the process is gone.
#[expect(clippy::cast_precision_loss, reason = "a size in MiB")]
pub fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("the process is gone")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kib as f64 / 1024.0)
}
