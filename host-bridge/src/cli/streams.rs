//! `a4co streams`.

use super::NatsOptions;
use crate::manifest::{self, Given};
use crate::nats::{Nats, streams};
use anyhow::ensure;
use std::io::Write;
use std::path::PathBuf;

/// Whose streams, and what to do with them.
#[derive(Debug)]
pub struct StreamsOptions {
    /// The manifest.
    pub manifest: PathBuf,
    /// Variables from outside.
    pub given: Given,
    /// The server.
    pub nats: NatsOptions,
    /// Create and change; else only show.
    pub apply: bool,
}

/// Shows what must happen to a server's streams, and does it where that is asked.
///
/// # Errors
/// The manifest's faults, a server that is away or refuses, differences that no update changes.
pub async fn run(options: StreamsOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let application = manifest::load(&options.manifest, &options.given)?;
    ensure!(
        !application.streams.is_empty(),
        "{}: there are no streams under [application.tool.events.streams]",
        options.manifest.display()
    );
    let nats = Nats::connect(&options.nats.settings).await?;
    let plan = streams::plan(&nats, &application.wanted_streams()).await?;
    if plan.is_empty() {
        writeln!(out, "{}nothing to do: the streams at {} are as the manifest says", plan, nats.servers())?;
        return Ok(());
    }
    if !options.apply {
        writeln!(out, "{}to do this: a4co streams apply --nats {}", plan, nats.servers())?;
        return Ok(());
    }
    streams::apply(&nats, &plan).await?;
    writeln!(out, "{}done: the streams at {} are as the manifest says", plan, nats.servers())?;
    Ok(())
}
