//! A few of each fault of the matrix, so that it cannot rot; the full run is `cargo run --release -p faults`. Faults that
//! fit together share one marketplace, its load and its verdict.

use anyhow::{Result, ensure};
use faults::{Fault, Seed, Setup, rows, run_matrix, table};
use std::collections::BTreeSet;

/// In one process, by one server, behind one proxy.
const ALONE: [(Fault, u32); 11] = [
    (Fault::Kill, 2),
    (Fault::KillServer, 2),
    (Fault::Partition, 1),
    (Fault::HeldRequests, 1),
    (Fault::HeldAnswers, 1),
    (Fault::LostPubAcks, 5),
    (Fault::LostAcks, 10),
    (Fault::LostSwaps, 10),
    (Fault::Duplicates, 50),
    (Fault::DeletedConsumers, 10),
    (Fault::FullStream, 1),
];
const TOGETHER: [(Fault, u32); 2] = [(Fault::RollingRestart, 2), (Fault::Pause, 1)];
const EMBEDDED: [(Fault, u32); 2] = [(Fault::Kill, 2), (Fault::Power, 2)];
/// Of the disk and the files on it.
const DAMAGED: [(Fault, u32); 6] = [
    (Fault::KillInCommit, 4),
    (Fault::DiskFull, 1),
    (Fault::FailedSync, 3),
    (Fault::ReadOnly, 2),
    (Fault::Truncated, 2),
    (Fault::BitFlip, 4),
];
/// Of everything else that a process has from its machine.
const STRAINED: [(Fault, u32); 3] = [(Fault::Clock, 3), (Fault::Descriptors, 1), (Fault::Overload, 1)];
const BRIDGED: [(Fault, u32); 7] = [
    (Fault::KillBridge, 2),
    (Fault::KillApplication, 2),
    (Fault::KillServer, 1),
    (Fault::Partition, 1),
    (Fault::HeldRequests, 1),
    (Fault::HeldAnswers, 1),
    (Fault::PartitionApplication, 1),
];
const CLUSTERED: [(Fault, u32); 2] = [(Fault::Kill, 1), (Fault::KillLeader, 1)];

async fn hold(setup: Setup, faults: &[(Fault, u32)]) -> Result<()> {
    let seed = Seed::take();
    let reports = run_matrix(setup, faults, seed).await?;
    println!("{}{seed}", table(&reports));
    for report in &reports {
        ensure!(report.is_clean(), "{setup} {}: {}; {seed}", report.fault, report.findings);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_process_on_nats_loses_and_doubles_nothing() -> Result<()> {
    hold(Setup::Nats, &ALONE).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_on_nats_lose_and_double_nothing() -> Result<()> {
    hold(Setup::Nats, &TOGETHER).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_embedded_process_loses_and_doubles_nothing() -> Result<()> {
    hold(Setup::Embedded, &EMBEDDED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_fails_or_rots_loses_and_doubles_nothing() -> Result<()> {
    hold(Setup::Embedded, &DAMAGED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clocks_that_jump_and_more_than_can_be_taken_lose_and_double_nothing() -> Result<()> {
    hold(Setup::Embedded, &STRAINED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bridge_and_an_application_lose_and_double_nothing() -> Result<()> {
    hold(Setup::Bridge, &BRIDGED).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_that_loses_a_leader_loses_and_doubles_nothing() -> Result<()> {
    hold(Setup::Cluster, &CLUSTERED).await
}

#[test]
fn every_row_is_walked_here() {
    let walked: BTreeSet<String> = [
        (Setup::Nats, &ALONE[..]),
        (Setup::Nats, &TOGETHER),
        (Setup::Embedded, &EMBEDDED),
        (Setup::Embedded, &DAMAGED),
        (Setup::Embedded, &STRAINED),
        (Setup::Bridge, &BRIDGED),
        (Setup::Cluster, &CLUSTERED),
    ]
    .iter()
    .flat_map(|(setup, faults)| faults.iter().map(move |(fault, _)| format!("{setup} {fault}")))
    .collect();
    let all: BTreeSet<String> = rows().iter().map(|row| format!("{} {}", row.setup, row.fault)).collect();
    assert_eq!(walked, all);
}
