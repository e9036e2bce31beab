//! What a row of the matrix came to, for people and for programs.

use super::Injection;
use super::fault::{Fault, Setup};
use anyhow::{Context as _, Result};
use end_to_end::percentile;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Normal flow is to be there again within this time, in 99 of 100 cases.
pub(super) const GOAL: Duration = Duration::from_secs(5);

/// One row.
#[derive(Debug, Clone)]
pub struct Report {
    /// Where.
    pub setup: Setup,
    /// What.
    pub fault: Fault,
    /// How often, as the evidence has it.
    pub injected: u32,
    /// Orders the customers asked for meanwhile.
    pub orders: usize,
    /// Effects that are lost.
    pub lost: usize,
    /// Effects that are there twice.
    pub doubled: usize,
    /// What else may not be: parts that disagree, dead letters.
    pub wrong: usize,
    /// All of it in words; empty where everything holds.
    pub findings: String,
    /// How long the row took.
    pub seconds: u64,
    /// Each with the part of it in which no client of the servers could have gone on, where that was looked at.
    recoveries: Vec<(Duration, Option<Duration>)>,
    remarks: Vec<String>,
}

impl Report {
    pub(super) fn new(setup: Setup, fault: Fault) -> Self {
        let counts = (0, 0, 0, 0, 0, 0);
        let (injected, orders, lost, doubled, wrong, seconds) = counts;
        Self {
            setup,
            fault,
            injected,
            orders,
            lost,
            doubled,
            wrong,
            findings: String::new(),
            seconds,
            recoveries: Vec::new(),
            remarks: Vec::new(),
        }
    }

    pub(super) fn note(&mut self, injection: Injection) {
        self.injected += injection.counted;
        self.recoveries.extend(injection.recovery.map(|recovery| (recovery, injection.beneath)));
        self.remarks.extend(injection.remark);
    }

    /// Whether nothing is lost, doubled or wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether normal flow came back within the goal.
    #[must_use]
    pub fn is_quick(&self) -> bool {
        self.recovery(99).is_none_or(|recovery| recovery <= GOAL)
    }

    /// A percentile of the time from the end of the fault to normal flow.
    #[must_use]
    pub fn recovery(&self, percent: usize) -> Option<Duration> {
        percentile_of(self.times(), percent)
    }

    /// The same of the part of it in which no client of the servers could have gone on.
    #[must_use]
    pub fn beneath(&self, percent: usize) -> Option<Duration> {
        percentile_of(self.beneaths(), percent)
    }

    /// The same of the rest of it, which is ours: from when the servers could serve again.
    #[must_use]
    pub fn own(&self, percent: usize) -> Option<Duration> {
        percentile_of(self.owns(), percent)
    }

    fn times(&self) -> impl Iterator<Item = Duration> {
        self.recoveries.iter().map(|(recovery, _)| *recovery)
    }

    fn beneaths(&self) -> impl Iterator<Item = Duration> {
        self.recoveries.iter().filter_map(|(_, beneath)| *beneath)
    }

    fn owns(&self) -> impl Iterator<Item = Duration> {
        self.recoveries.iter().filter_map(|(recovery, beneath)| Some(recovery.saturating_sub((*beneath)?)))
    }

    fn json(&self) -> Value {
        fn milliseconds(times: impl Iterator<Item = Duration>) -> Vec<u64> {
            times.map(|time| time.as_millis() as u64).collect()
        }
        json!({
            "setup": self.setup.to_string(), "fault": self.fault.to_string(), "injected": self.injected,
            "orders": self.orders, "lost": self.lost, "doubled": self.doubled, "wrong": self.wrong,
            "findings": self.findings, "seconds": self.seconds,
            "recoveryP50Ms": self.recovery(50).map(|time| time.as_millis() as u64),
            "recoveryP99Ms": self.recovery(99).map(|time| time.as_millis() as u64),
            "recoveriesMs": milliseconds(self.times()), "beneathMs": milliseconds(self.beneaths()),
            "ownMs": milliseconds(self.owns()),
            "remarks": self.remarks,
        })
    }
}

/// A percentile of times in any order.
fn percentile_of(times: impl Iterator<Item = Duration>, percent: usize) -> Option<Duration> {
    let mut sorted: Vec<_> = times.collect();
    sorted.sort_unstable();
    percentile(&sorted, percent)
}

/// The table.
#[must_use]
pub fn table(reports: &[Report]) -> String {
    let mut text = format!(
        "{:<9} {:<22} {:>8} {:>7} {:>5} {:>8} {:>6} {:>9} {:>9} {:>13} {:>8}\n",
        "setup",
        "fault",
        "injected",
        "orders",
        "lost",
        "doubled",
        "wrong",
        "rec. p50",
        "rec. p99",
        "servers' p99",
        "rest p99"
    );
    for report in reports {
        let Report { setup, fault, injected, orders, lost, doubled, wrong, .. } = report;
        let [p50, p99] = [50, 99].map(|percent| seconds(report.recovery(percent)));
        let [beneath, own] = [report.beneath(99), report.own(99)].map(seconds);
        let late = if report.is_quick() { "" } else { " late" };
        // Writing into a string does not fail.
        let _written = writeln!(
            text,
            "{setup:<9} {fault:<22} {injected:>8} {orders:>7} {lost:>5} {doubled:>8} {wrong:>6} {p50:>9} {p99:>9} {beneath:>13} {own:>8}{late}"
        );
        for remark in &report.remarks {
            let _written = writeln!(text, "          {remark}");
        }
    }
    text
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| format!("{:.2} s", time.as_secs_f64()))
}

/// Writes all of it to a file, with what it ran on.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_json(reports: &[Report], file: &Path) -> Result<()> {
    let rows: Vec<_> = reports.iter().map(Report::json).collect();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let text = serde_json::to_string_pretty(&json!({
        "commit": said("git", &["rev-parse", "--short", "HEAD"]),
        "cores": cores,
        "natsServer": said(&artifacts::nats::nats_server().to_string_lossy(), &["--version"]),
        "rows": rows,
    }))?;
    std::fs::write(file, text + "\n").with_context(|| file.display().to_string())
}

/// What a program says of itself.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
