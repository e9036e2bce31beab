//! More than the process can take: of connections, and of orders.

use super::{Arena, Injection, Load, PRODUCTS};
use crate::Surge;
use anyhow::{Context as _, Result, ensure};
use end_to_end::eventually;
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

/// From normal flow to the next fault, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// Descriptors that are left to the process when others begin to take them.
const LEFT: usize = 8;
/// Connections that are opened and left alone.
const IDLE: usize = 64;
/// How long they are held: longer than it takes to tell twice, were each failure told.
const HELD: Duration = Duration::from_secs(3);
/// What the process says.
const TOLD: &str = "a connection could not be accepted";
/// Ticks of a second, in which the system counts a process's time.
const TICKS: u64 = 100;
/// How long it is looked at how much can be served, and how long more comes.
const LOOKED: Duration = Duration::from_secs(3);
const SURGE: Duration = Duration::from_secs(4);
/// Events in line where too much came.
const LINE: u64 = 200;
/// How much more.
const TIMES: f64 = 2.0;

/// Takes all file descriptors that are left, with connections that ask for nothing, and lets them go.
pub(super) async fn exhaust(arena: &mut Arena, load: &mut Load) -> Result<Injection> {
    load.live(LIFE).await;
    let host = &arena.stage.host;
    let (process, address) = (Process(host.pid()), host.client_address());
    let limit = process.limit_descriptors(process.descriptors()? + LEFT)?;
    let told = host.log().matches(TOLD).count();
    let idle = (0..IDLE).map(|_| TcpStream::connect(&address)).collect::<std::io::Result<Vec<_>>>()?;
    eventually("the process runs out of descriptors", async || (host.log().matches(TOLD).count() > told).then_some(()))
        .await?;
    let open = process.descriptors()?;
    let busy = process.ticks()?;
    tokio::time::sleep(HELD).await;
    let busy = process.ticks()? - busy;
    let lines = host.log().matches(TOLD).count() - told;
    drop(idle);
    let recovery = load.recovery(&host.client()).await?;
    process.limit_descriptors(limit)?;
    ensure!(lines == 1, "in {HELD:?} it was told {lines} times");
    let share = busy * 100 / (TICKS * HELD.as_secs());
    ensure!(share < 90, "without descriptors the process took {share} % of a core");
    let remark = Some(format!("with all {open} descriptors open the process took {share} % of a core"));
    Ok(Injection { counted: 1, recovery, remark, ..Injection::default() })
}

/// Finds out how much can be served, lets twice as much come, and looks at how long it takes until all is as it was.
pub(super) async fn overload(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    let (host, process) = (&arena.stage.host, Process(arena.stage.host.pid()));
    // Of several products: else it is one product's line that is long.
    let products = (0..PRODUCTS - 1).map(|number| format!("prod-{number}")).collect();
    let surge = Surge::beside(&load.customers, &host.client(), (&format!("surge-{round}"), products));
    let capacity = surge.capacity(LOOKED).await?;
    let (before, came) = (process.resident()?, surge.came());
    let mut waiting = surge.come(capacity * TIMES, SURGE).await;
    let (behind, grown) = (arena.behind().await?, process.resident()?);
    let recovery = load.recovery(&host.client()).await?;
    while let Some(ended) = waiting.join_next().await {
        ended??;
    }
    let offered = surge.came() - came;
    let remark = Some(format!(
        "{capacity:.0} orders a second came to their end, {offered} were placed in {SURGE:?}: {} were told to come \
         later, {behind} events were in line, memory from {before} to {grown} MiB",
        surge.put_off()
    ));
    // More came than could be served: there is a line.
    Ok(Injection { counted: u32::from(behind > LINE), recovery, remark, ..Injection::default() })
}

/// A process as the system sees it.
#[derive(Debug, Clone, Copy)]
struct Process(u32);

impl Process {
    fn read(self, file: &str) -> Result<String> {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0)).with_context(|| format!("{file} of the process"))
    }

    fn descriptors(self) -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/fd", self.0))?.count())
    }

    /// Sets how many it may have; how many it might have before.
    fn limit_descriptors(self, most: usize) -> Result<usize> {
        let limits = self.read("limits")?;
        let line =
            limits.lines().find_map(|line| line.strip_prefix("Max open files")).context("a limit on open files")?;
        let before = line.split_whitespace().next().context("a soft limit")?.parse()?;
        let mut set = Command::new("prlimit");
        let set = set.args(["--pid", &self.0.to_string(), &format!("--nofile={most}:")]).status();
        ensure!(set.context("prlimit, of util-linux")?.success(), "prlimit cannot set a limit of process {}", self.0);
        Ok(before)
    }

    /// How long it was at work, in the system's ticks.
    fn ticks(self) -> Result<u64> {
        let stat = self.read("stat")?;
        // The name before it may have spaces of its own.
        let after = stat.rsplit(')').next().unwrap_or_default();
        let fields: Vec<u64> = after.split_whitespace().skip(11).take(2).flat_map(str::parse).collect();
        Ok(fields.iter().sum())
    }

    /// Its memory in MiB.
    fn resident(self) -> Result<u64> {
        let status = self.read("status")?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("its memory")?;
        let kilobytes: u64 = line.split_whitespace().next().context("a number")?.parse()?;
        Ok(kilobytes / 1_024)
    }
}
