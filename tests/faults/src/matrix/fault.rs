//! Which faults there are, in which setups, and how often each is injected in a full run.

use super::{Arena, Injection, Load, clock, damage, disk, limits, network, processes, servers, streams};
use crate::Way;
use anyhow::Result;
use std::fmt::{self, Display, Formatter};

/// Which processes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Setup {
    /// `a4co up`.
    Embedded,
    /// `a4co up --nats`, one server.
    Nats,
    /// `a4co bridge --nats`, and `a4co up --http-only` in the part of Spin.
    Bridge,
    /// `a4co up --nats --durability safe`, three servers.
    Cluster,
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// `kill -9` of `a4co`, every third time once more amid its recovery
    Kill,
    /// The same, and what was not synced is lost
    Power,
    /// `kill -9` of `a4co` between two calls of a commit, each in turn; every second time with what was not synced
    KillInCommit,
    /// The disk is full
    DiskFull,
    /// A sync fails
    FailedSync,
    /// The state directory cannot be written at a start
    ReadOnly,
    /// The database, or its log, is cut short while the process is dead
    Truncated,
    /// A bit of the database, or of its log, flips while the process is dead
    BitFlip,
    /// The clock is set by an hour, and back
    Clock,
    /// The process has no file descriptors left
    Descriptors,
    /// Twice as many orders as can be served
    Overload,
    /// `kill -9` of the NATS server, every third time away for three seconds
    KillServer,
    /// `SIGSTOP` of one of two processes until the other has taken over, then `SIGCONT`
    Pause,
    /// Nothing passes between a process and NATS, for 1, 4 or 8 seconds
    Partition,
    /// The same, only from the process to NATS
    HeldRequests,
    /// The same, only from NATS to the process
    HeldAnswers,
    /// NATS has stored events, and whoever published them is not told
    LostPubAcks,
    /// Acknowledgements are lost on their way, or what says that they are stored
    LostAcks,
    /// The same of the writes of a component's state
    LostSwaps,
    /// Events published again by somebody else, past the window in which NATS would know them
    Duplicates,
    /// All consumers on the server are deleted
    DeletedConsumers,
    /// A stream is filled to its limit while one consumer stands still
    FullStream,
    /// Two processes on one NATS are stopped and started again in turn
    RollingRestart,
    /// `kill -9` of the server that leads a stream or bucket
    KillLeader,
    /// `kill -9` of the bridge
    KillBridge,
    /// `kill -9` of the application behind the bridge
    KillApplication,
    /// Nothing passes between the bridge and the application, for 1, 4 or 8 seconds
    PartitionApplication,
}

/// One row of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Where.
    pub setup: Setup,
    /// What.
    pub fault: Fault,
    /// How often in a full run.
    pub times: u32,
}

/// The whole matrix.
#[must_use]
pub fn rows() -> Vec<Row> {
    use Fault::*;
    let embedded = [
        (Kill, 100),
        (Power, 50),
        (KillInCommit, 60),
        (DiskFull, 10),
        (FailedSync, 15),
        (ReadOnly, 10),
        (Truncated, 20),
        (BitFlip, 40),
        (Clock, 12),
        (Descriptors, 10),
        (Overload, 3),
    ];
    let nats = [
        (Kill, 100),
        (KillServer, 30),
        (Pause, 10),
        (Partition, 12),
        (HeldRequests, 12),
        (HeldAnswers, 12),
        (LostPubAcks, 60),
        (LostAcks, 60),
        (LostSwaps, 60),
        (Duplicates, 1_000),
        (DeletedConsumers, 300),
        (FullStream, 6),
        (RollingRestart, 20),
    ];
    let cluster = [(KillLeader, 12), (Kill, 10)];
    let bridge = [
        (KillBridge, 30),
        (KillApplication, 30),
        (KillServer, 10),
        (Partition, 9),
        (HeldRequests, 6),
        (HeldAnswers, 6),
        (PartitionApplication, 9),
    ];
    let of = |setup, faults: &[(Fault, u32)]| -> Vec<Row> {
        faults.iter().map(|(fault, times)| Row { setup, fault: *fault, times: *times }).collect()
    };
    [of(Setup::Embedded, &embedded), of(Setup::Nats, &nats), of(Setup::Cluster, &cluster), of(Setup::Bridge, &bridge)]
        .concat()
}

impl Fault {
    /// Injects it once, under load, and waits until everything flows again.
    pub(super) async fn inject(self, arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
        match self {
            Self::Kill => processes::kill(arena, load, round).await,
            Self::Power => processes::power(arena, load, round).await,
            Self::KillInCommit => disk::kill_in_commit(arena, load, round).await,
            Self::DiskFull => disk::fill(arena, load).await,
            Self::FailedSync => disk::fail_sync(arena, load, round).await,
            Self::ReadOnly => damage::deny(arena, load, round).await,
            Self::Truncated => damage::cut(arena, load, round).await,
            Self::BitFlip => damage::flip(arena, load, round).await,
            Self::Clock => clock::set(arena, load, round).await,
            Self::Descriptors => limits::exhaust(arena, load).await,
            Self::Overload => limits::overload(arena, load, round).await,
            Self::KillServer => servers::kill(arena, load, round).await,
            Self::Pause => processes::pause(arena, load, round).await,
            Self::Partition => network::hold(arena, load, (&[Way::ToServer, Way::ToClient], round)).await,
            Self::HeldRequests => network::hold(arena, load, (&[Way::ToServer], round)).await,
            Self::HeldAnswers => network::hold(arena, load, (&[Way::ToClient], round)).await,
            Self::LostPubAcks => network::lose_pub_acks(arena, load).await,
            Self::LostAcks => network::lose_acks(arena, load, round).await,
            Self::LostSwaps => network::lose_swaps(arena, load, round).await,
            Self::Duplicates => streams::duplicate(arena, load).await,
            Self::DeletedConsumers => streams::delete_consumers(arena, load).await,
            Self::FullStream => streams::fill(arena, load).await,
            Self::RollingRestart => processes::roll(arena, load, round).await,
            Self::KillLeader => servers::kill_leader(arena, load, round).await,
            Self::KillBridge => processes::kill_part(arena, load, end_to_end::Part::Bridge).await,
            Self::KillApplication => processes::kill_part(arena, load, end_to_end::Part::Application).await,
            Self::PartitionApplication => network::hold_application(arena, load, round).await,
        }
    }

    /// Whether NATS is reached through a proxy.
    pub(super) fn needs_proxy(self) -> bool {
        matches!(
            self,
            Self::Partition
                | Self::HeldRequests
                | Self::HeldAnswers
                | Self::LostPubAcks
                | Self::LostAcks
                | Self::LostSwaps
        )
    }

    /// Whether the library that notes writes and breaks them is preloaded.
    pub(super) fn needs_library(self) -> bool {
        matches!(
            self,
            Self::Power
                | Self::KillInCommit
                | Self::DiskFull
                | Self::FailedSync
                | Self::ReadOnly
                | Self::Truncated
                | Self::BitFlip
                | Self::Clock
        )
    }

    /// Whether it is of what one process has from its machine: disk, files, clock, descriptors, processor.
    pub(super) fn is_of_the_machine(self) -> bool {
        matches!(self, Self::Descriptors | Self::Overload) || (self.needs_library() && self != Self::Power)
    }

    /// Whether there are two processes of one kind.
    pub(super) fn needs_second(self) -> bool {
        matches!(self, Self::Pause | Self::RollingRestart)
    }
}

impl Display for Setup {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(&name(*self))
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.pad(&name(*self))
    }
}

/// As on the command line.
fn name(value: impl clap::ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
