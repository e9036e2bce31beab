//! `a4co migrate`: moves the state of a stopped embedded host into NATS, nothing lost and nothing doubled.
//!
//! Events keep their sequences, so positions hold; what was not settled is handed out again, with its failures counted.
//! It may be interrupted at any point and run again: events go on after the last one there, everything else is written
//! over, and no host starts on a part. At its end the database is renamed, so that nothing can run on both.

mod pieces;
#[cfg(test)]
mod tests;

use crate::bus::nats::{NatsBus, NatsBusOptions, import::Standing};
use crate::cli::NatsOptions;
use crate::clock::{Clock, SystemClock};
use crate::keyvalue::nats::{NatsKeyValue, Place};
use crate::manifest::{self, Application, Given};
use crate::nats::{Nats, streams};
use crate::node;
use crate::store::{DATABASE, Store, StoreOptions};
use anyhow::{Context as _, bail, ensure};
use pieces::Move;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What the database is called once all of it is in NATS.
const MOVED: &str = "a4co.db.migrated";

/// What goes where.
#[derive(Debug)]
pub struct MigrateOptions {
    /// The manifest.
    pub manifest: PathBuf,
    /// Variables from outside.
    pub given: Given,
    /// The state directory of a host that is stopped.
    pub state_dir: PathBuf,
    /// Where to.
    pub nats: NatsOptions,
}

/// Moves it, and tells what was moved.
///
/// # Errors
/// Where the state directory is in use or holds no state, where the target holds something of its own, or where the
/// server does not take it; after an error it can be run again.
pub async fn run(options: MigrateOptions, out: &mut dyn Write) -> anyhow::Result<()> {
    let application = manifest::load(&options.manifest, &options.given)?;
    let directory = &options.state_dir;
    ensure!(
        directory.join(DATABASE).is_file(),
        "{} holds no state to migrate: name the directory of the embedded host with --state-dir",
        directory.display()
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let store = StoreOptions { upkeep: false, ..StoreOptions::new(clock.clone(), application.streams.clone()) };
    let store = Store::open(directory, store)?;
    let moved = into_nats(&application, &options, &store, clock).await;
    tokio::task::block_in_place(|| store.close());
    let summary = moved?;
    set_aside(directory)?;
    writeln!(out, "{summary}\nthe database is kept as {}", directory.join(MOVED).display())?;
    writeln!(
        out,
        "start with a4co up --nats {} --state-dir {}",
        options.nats.settings.servers.join(","),
        directory.display()
    )?;
    Ok(())
}

async fn into_nats(
    application: &Application,
    options: &MigrateOptions,
    store: &Arc<Store>,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<String> {
    let source = node::id(&options.state_dir, clock.now())?;
    let nats = Nats::connect(&options.nats.settings).await?;
    streams::provision(&nats, &application.wanted_streams()).await?;
    let place = Place { prefix: options.nats.prefix.clone(), application: application.name.clone() };
    let values = NatsKeyValue::new(nats.clone(), place).expiring(application.expiries.clone());
    let bus = NatsBusOptions {
        prefix: options.nats.prefix.clone(),
        node: format!("migrate-{source}"),
        streams: application.streams.clone(),
        clock,
        fired: None,
    };
    let bus = NatsBus::open(nats.clone(), bus).await.with_context(|| format!("the event bus at {}", nats.servers()))?;
    let moving = Move { store, nats: &nats, values: &values, import: bus.import(), application };
    let moved = all(&moving, &source).await;
    bus.close().await;
    moved
}

async fn all(moving: &Move<'_>, source: &str) -> anyhow::Result<String> {
    match moving.import.standing(source).await? {
        Standing::New => moving.check_empty().await?,
        Standing::Begun => tracing::info!("a migration that was interrupted goes on"),
        Standing::Done => bail!("this state has been migrated already: start with a4co up --nats"),
        Standing::Others => bail!("another state was migrated to {}: choose other streams", moving.nats.servers()),
    }
    moving.import.note(source, false).await?;
    let events = moving.events().await?;
    let values = moving.values().await?;
    let letters = moving.letters().await?;
    let replays = moving.replays().await?;
    let timers = moving.timers().await?;
    // Last, so that nothing is handed out that is not complete.
    let consumers = moving.positions().await?;
    moving.import.note(source, true).await?;
    Ok(format!(
        "moved {events} events, {values} values, {letters} dead letters, {replays} replays, {timers} timers and the \
         positions of {consumers} consumers to {}",
        moving.nats.servers()
    ))
}

/// Nothing may go on with what was moved.
fn set_aside(directory: &Path) -> anyhow::Result<()> {
    let (from, to) = (directory.join(DATABASE), directory.join(MOVED));
    std::fs::rename(&from, &to).with_context(|| format!("renaming {} to {}", from.display(), to.display()))
}
