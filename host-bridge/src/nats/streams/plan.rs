//! What must happen to a server's streams so that they are as the manifest says.

use super::{WantedStream, found, wanted};
use crate::nats::{ApiError, Nats, NoAnswer};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::stream::{Config, Info};
use serde::Deserialize;
use serde_json::json;
use std::fmt::{self, Display, Formatter};

/// What must happen, a step a stream, in the manifest's order.
#[derive(Debug)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    servers: String,
}

/// What must happen to one stream.
#[derive(Debug)]
pub enum Step {
    /// Nothing: it is as it should be.
    Keep {
        /// The stream.
        name: String,
    },
    /// It is not there.
    Create(Box<Config>),
    /// It is there, and differs.
    Change {
        /// As it would be.
        corrected: Box<Config>,
        /// Where it differs.
        differences: Vec<Difference>,
    },
}

/// Where a stream differs from what is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Of what.
    pub what: &'static str,
    /// By the manifest.
    pub expected: String,
    /// On the server.
    pub found: String,
    /// Why no update changes it, where none does.
    pub fixed: Option<&'static str>,
}

/// Why the streams are not as they should be.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The server did not do what it was asked.
    #[error("stream {stream} at {servers}: {reason}")]
    Server {
        /// The stream.
        stream: String,
        /// The servers, as configured.
        servers: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Streams differ from the manifest.
    #[error(
        "the streams at {servers} are not as the manifest says:\n{plan}change the manifest, or see what an update would \
         do with `a4co streams plan --nats {servers}` and run it with `a4co streams apply --nats {servers}`"
    )]
    Drift {
        /// The servers, as configured.
        servers: String,
        /// Where they differ.
        plan: String,
    },
    /// What differs cannot be changed.
    #[error(
        "{plan}what cannot be changed needs a new stream: stop what publishes to it, drain its consumers, then \
         `nats stream rm` it and apply again"
    )]
    Fixed {
        /// Where they differ.
        plan: String,
    },
}

/// Compares `streams` with what the server has.
///
/// # Errors
/// Where the server does not tell.
pub async fn plan(nats: &Nats, streams: &[WantedStream]) -> Result<Plan, ProvisionError> {
    let mut steps = Vec::with_capacity(streams.len());
    for stream in streams {
        let wanted = wanted::config(stream, nats);
        steps.push(match look_up(nats, &wanted.name).await? {
            None => Step::Create(Box::new(wanted)),
            Some(there) => {
                let differences = found::differences(&wanted, &there);
                if differences.is_empty() {
                    Step::Keep { name: wanted.name }
                } else {
                    Step::Change { corrected: Box::new(found::corrected(&wanted, &there)), differences }
                }
            }
        });
    }
    Ok(Plan { steps, servers: nats.servers().to_owned() })
}

/// Creates what is missing of `streams` and verifies what is there.
///
/// # Errors
/// Where a stream differs, with the differences; or where one cannot be created.
pub async fn provision(nats: &Nats, streams: &[WantedStream]) -> Result<(), ProvisionError> {
    let plan = plan(nats, streams).await?;
    if plan.has_changes() {
        return Err(ProvisionError::Drift { servers: plan.servers.clone(), plan: plan.to_string() });
    }
    carry_out(nats, &plan).await
}

/// Creates and changes what `plan` says; nothing at all where a part of it cannot be done.
///
/// # Errors
/// Where a difference is of a kind that no update changes, or where the server refuses.
pub async fn apply(nats: &Nats, plan: &Plan) -> Result<(), ProvisionError> {
    if plan.differences().any(|difference| difference.fixed.is_some()) {
        return Err(ProvisionError::Fixed { plan: plan.to_string() });
    }
    carry_out(nats, plan).await
}

async fn carry_out(nats: &Nats, plan: &Plan) -> Result<(), ProvisionError> {
    for step in &plan.steps {
        let (verb, what, config) = match step {
            Step::Keep { .. } => continue,
            Step::Create(config) => ("CREATE", "created", config),
            Step::Change { corrected, .. } => ("UPDATE", "changed", corrected),
        };
        let done = nats.api::<Info>(&format!("STREAM.{verb}.{}", config.name), config).await;
        if let Err(error) = done {
            return Err(refused(nats, config, &error).await);
        }
        tracing::info!(stream = %config.name, replicas = config.num_replicas, "a stream is {what}");
    }
    Ok(())
}

async fn look_up(nats: &Nats, name: &str) -> Result<Option<Config>, ProvisionError> {
    match nats.api::<Info>(&format!("STREAM.INFO.{name}"), &()).await {
        Ok(info) => Ok(Some(info.config)),
        Err(error) if error.is(ErrorCode::STREAM_NOT_FOUND) => Ok(None),
        Err(error) => Err(server(nats, name, error.to_string())),
    }
}

fn server(nats: &Nats, stream: &str, reason: String) -> ProvisionError {
    ProvisionError::Server { stream: stream.to_owned(), servers: nats.servers().to_owned(), reason }
}

/// Why the server does not take `config`, and what to do.
async fn refused(nats: &Nats, config: &Config, error: &ApiError) -> ProvisionError {
    let reason = if error.is(ErrorCode::STREAM_SUBJECT_OVERLAP) {
        let others = takers(nats, &config.subjects).await;
        format!("its subjects are taken by {others}: an event lies in one stream; remove that one, or change either")
    } else if error.is(ErrorCode::STREAM_REPLICAS_NOT_SUPPORTED) || error.is(ErrorCode::CLUSTER_NO_PEERS) {
        format!(
            "the server cannot keep {} replicas ({error}): it needs a cluster of as many servers; or set `replicas`, or \
             --durability fast",
            config.num_replicas
        )
    } else if let ApiError::NoAnswer(NoAnswer::Forbidden(why)) = error {
        format!("{why}, or let an operator run `a4co streams apply` with a user who may")
    } else {
        error.to_string()
    };
    server(nats, &config.name, reason)
}

#[derive(Deserialize)]
struct Names {
    streams: Option<Vec<String>>,
}

/// The streams that take one of `subjects`.
async fn takers(nats: &Nats, subjects: &[String]) -> String {
    let mut names: Vec<String> = Vec::new();
    for subject in subjects {
        let found = nats.api::<Names>("STREAM.NAMES", &json!({ "subject": subject })).await;
        names.extend(found.ok().and_then(|found| found.streams).unwrap_or_default());
    }
    names.dedup();
    if names.is_empty() { "another stream".to_owned() } else { format!("stream {}", names.join(" and ")) }
}

impl Plan {
    /// Whether a stream that is there differs.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.differences().next().is_some()
    }

    /// Whether nothing is to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Keep { .. }))
    }

    fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.steps.iter().flat_map(|step| match step {
            Step::Change { differences, .. } => differences.as_slice(),
            Step::Keep { .. } | Step::Create(_) => &[],
        })
    }
}

impl Display for Plan {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            match step {
                Step::Keep { name } => writeln!(f, "  {name}: as expected")?,
                Step::Create(config) => writeln!(f, "+ {}: to be created: {}", config.name, found::summary(config))?,
                Step::Change { corrected, differences } => {
                    writeln!(f, "~ {}: differs", corrected.name)?;
                    for Difference { what, expected, found, fixed } in differences {
                        write!(f, "    {what}: expected {expected}, found {found}")?;
                        match fixed {
                            Some(why) => writeln!(f, " (cannot be changed: {why})")?,
                            None => writeln!(f)?,
                        }
                    }
                }
            }
        }
        Ok(())
    }
}
