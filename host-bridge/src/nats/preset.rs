//! How durably the server keeps what it has acknowledged, and what that means in words.

/// How durably the server keeps what it has acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Preset {
    /// One replica, synced when the server chooses (two minutes by default): survives the end of the server's process,
    /// not the loss of power.
    #[default]
    Fast,
    /// Three replicas; or one, on a server that syncs before it answers (`sync_interval: always`).
    Safe,
}

/// Replicas of [`Preset::Safe`] on a cluster: one of three may be lost.
const SAFE_REPLICAS: usize = 3;

impl Preset {
    /// As on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Safe => "safe",
        }
    }

    /// Replicas of a stream or bucket whose settings do not say.
    #[must_use]
    pub fn replicas(self, clustered: bool) -> usize {
        if self == Self::Safe && clustered { SAFE_REPLICAS } else { 1 }
    }

    /// What an answer to a client guarantees, in words, and what the loss of power takes.
    #[must_use]
    pub fn meaning(self, clustered: bool) -> &'static str {
        match (self, clustered) {
            (Self::Fast, _) => {
                "fast: one replica. An answer survives the end of any process; when the server's machine loses power, \
                 what it had not synced is lost (`sync_interval`: up to 2 minutes by default)"
            }
            (Self::Safe, true) => {
                "safe: three replicas. An answer is on two machines before it is sent, and survives the loss of one; \
                 when all lose power at once, what they had not synced is lost (`sync_interval`)"
            }
            (Self::Safe, false) => {
                "safe, on one server: an answer survives the loss of power if the server syncs before it acknowledges \
                 (`jetstream { sync_interval: always }`). No client can see whether it does: check its configuration, \
                 or use a cluster of three"
            }
        }
    }
}
