//! Files that are damaged, or may not be written, when the process starts: it must refuse, and leave them as they are.

use super::{Arena, Injection, Load};
use crate::{Ill, Noted, Stage};
use anyhow::{Context as _, Result, ensure};
use std::path::Path;
use std::time::{Duration, Instant};

/// From normal flow to the next fault, in milliseconds.
const LIFE: std::ops::RangeInclusive<u64> = 5..=500;
/// The database, its log, and the log's index, which is made anew.
const FILES: [&str; 3] = ["a4co.db", "a4co.db-wal", "a4co.db-shm"];
/// Those that hold something.
const KEPT: usize = 2;
/// How long a start may take until it is ready or refused.
const START: Duration = Duration::from_secs(30);

/// Flips a bit somewhere.
pub(super) async fn flip(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    hurt(arena, load, round, |bytes, choices| {
        let place = choices.usize(..bytes.len().max(1));
        if let Some(byte) = bytes.get_mut(place) {
            *byte ^= 1 << choices.u8(..8);
        }
    })
    .await
}

/// Cuts a file off somewhere.
pub(super) async fn cut(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    hurt(arena, load, round, |bytes, choices| bytes.truncate(choices.usize(..bytes.len().max(1)))).await
}

/// Damages the database and its log in turn. It counts where the start was refused; where what was hit held nothing that
/// was promised, it goes on.
async fn hurt(
    arena: &mut Arena,
    load: &mut Load,
    round: u32,
    harm: impl FnOnce(&mut Vec<u8>, &mut fastrand::Rng),
) -> Result<Injection> {
    load.live(LIFE).await;
    let stage = &mut arena.stage;
    stage.host.kill()?;
    stage.unsynced.forget()?;
    let whole = Files::read(&stage.database())?;
    let mut hurt = whole.clone();
    if let Some(file) = hurt.0.get_mut(round as usize % KEPT) {
        harm(file, &mut load.choices);
    }
    hurt.write(&stage.database())?;
    let refused = refused(stage).await?;
    if let Some(said) = &refused {
        ensure!(said.contains("is damaged") && said.contains("a4co restore"), "a start on damage said\n{said}");
        hurt.are_untouched(&stage.database())?;
        whole.write(&stage.database())?;
        stage.host.begin()?;
    }
    let recovery = load.recovery(&stage.host.client()).await?;
    stage.host.ready().await?;
    Ok(Injection { counted: u32::from(refused.is_some()), recovery, ..Injection::default() })
}

/// Lets nothing be written at a start: in the whole directory, and to the database alone, in turn.
pub(super) async fn deny(arena: &mut Arena, load: &mut Load, round: u32) -> Result<Injection> {
    load.live(LIFE).await;
    let ill = if round.is_multiple_of(2) { Ill::ReadOnly } else { Ill::ReadOnlyDatabase };
    let stage = &mut arena.stage;
    stage.host.kill()?;
    stage.unsynced.forget()?;
    let files = Files::read(&stage.database())?;
    stage.sabotage.begin(ill)?;
    let said = refused(stage).await?.context("a process started on a database that it cannot write")?;
    ensure!(said.contains("write access"), "a start without the right to write said\n{said}");
    files.are_untouched(&stage.database())?;
    let struck = stage.unsynced.count(Noted::ReadOnly)?;
    stage.sabotage.end(ill)?;
    stage.host.begin()?;
    let recovery = load.recovery(&stage.host.client()).await?;
    stage.host.ready().await?;
    Ok(Injection { counted: u32::from(struck > 0), recovery, ..Injection::default() })
}

/// Starts the host; what it said where it refused, `None` where it became ready. Whether it served anything meanwhile the
/// customers tell, who go on asking.
pub(super) async fn refused(stage: &mut Stage) -> Result<Option<String>> {
    let before = stage.host.log().len();
    stage.host.begin()?;
    let (began, admin) = (Instant::now(), stage.host.admin());
    loop {
        if let Some(status) = stage.host.has_ended()? {
            let said = stage.host.log().split_off(before);
            ensure!(!status.success() && said.contains("error: "), "a start ended with {status} and said\n{said}");
            return Ok(Some(said));
        }
        if admin.get("/readyz").await.is_ok_and(|reply| reply.status == 200) {
            return Ok(None);
        }
        ensure!(began.elapsed() < START, "neither ready nor refused:\n{}", stage.host.log().split_off(before));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// What lies in a state directory.
#[derive(Debug, Clone)]
struct Files(Vec<Vec<u8>>);

impl Files {
    fn read(folder: &Path) -> Result<Self> {
        let read = |name: &&str| std::fs::read(folder.join(name)).with_context(|| (*name).to_owned());
        Ok(Self(FILES.iter().map(read).collect::<Result<_>>()?))
    }

    fn write(&self, folder: &Path) -> Result<()> {
        for (name, bytes) in FILES.iter().zip(&self.0) {
            std::fs::write(folder.join(name), bytes).with_context(|| (*name).to_owned())?;
        }
        Ok(())
    }

    fn are_untouched(&self, folder: &Path) -> Result<()> {
        for (name, bytes) in FILES.iter().zip(&self.0).take(KEPT) {
            let now = std::fs::read(folder.join(name)).with_context(|| format!("{name} after a refused start"))?;
            ensure!(now == *bytes, "{name} was changed by a start that was refused");
        }
        Ok(())
    }
}
