//! The host, its gateway and what the host notes of itself: everything a fault test stands on.

use crate::{Gateway, History, Noted, Power, Sabotage, Unsynced, Vitals};
use anyhow::{Result, ensure};
use end_to_end::{Host, Settings, Shop, eventually};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Arms failpoints of the host.
const FAILPOINTS: &str = "A4CO_FAILPOINTS";
/// How long a fault that is aimed waits for what it is to meet: how often a random moment is one of work depends on the
/// machine; on a fast one, too seldom.
pub(crate) const AIMED: Duration = Duration::from_millis(200);
/// The signal of `abort`.
const ABORTED: i32 = 6;

/// A running marketplace with its gateway outside.
#[derive(Debug)]
pub struct Stage {
    /// The host.
    pub host: Host,
    /// The gateway.
    pub gateway: Gateway,
    /// The view of customers.
    pub shop: Shop,
    /// What was published.
    pub history: History,
    /// What the host has written and not synced, where its environment makes it tell.
    pub unsynced: Unsynced,
    /// What goes wrong for it, where it is preloaded.
    pub sabotage: Sabotage,
    folder: TempDir,
    /// Failpoints the host's log told of before the one that is armed.
    reached: usize,
}

impl Stage {
    /// Starts both. With `preloaded` the host tells what it has not synced.
    ///
    /// # Errors
    /// Where one does not start.
    pub async fn set(preloaded: bool) -> Result<Self> {
        Self::set_with(Settings::default(), preloaded).await
    }

    /// The same, with settings of the host's.
    ///
    /// # Errors
    /// Where one does not start.
    pub async fn set_with(settings: Settings, preloaded: bool) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let gateway = Gateway::start(folder.path()).await?;
        let unsynced = Unsynced::at(folder.path().join("unsynced"));
        let sabotage = Sabotage::in_folder(folder.path().join("faults"))?;
        let mut settings = settings
            .with("gateway_url", &gateway.url())
            .with("payment_retry_delay", "50ms")
            .with("gateway_retry_delay", "200ms")
            // A gateway that never answers is given up while a test waits for it.
            .with("gateway_timeout", "500ms")
            .with("payment_deadline", "8s");
        let mut note = |name: &str, file: &str| {
            settings.environment.push((name.to_owned(), folder.path().join(file).display().to_string()));
        };
        note("A4CO_VITALS", "vitals");
        if preloaded {
            note("A4CO_HOLD_SYNC", "hold");
            settings.environment.extend(unsynced.environment());
            settings.environment.push(sabotage.environment());
        }
        let host = Host::start(settings).await?;
        let shop = Shop::new(host.client());
        let history = History::of(&host).await?;
        Ok(Self { host, gateway, shop, history, unsynced, sabotage, folder, reached: 0 })
    }

    /// Starts the host again with a failpoint.
    ///
    /// # Errors
    /// Where it does not stop, or not start.
    pub async fn arm(&mut self, failpoint: &str) -> Result<()> {
        self.reached = self.failpoints();
        self.host.stop().await?;
        self.host.configure(|settings| settings.set_environment(FAILPOINTS, Some(failpoint)));
        self.host.restart().await
    }

    /// Waits until the host has died of its failpoint, and starts it without one.
    ///
    /// # Errors
    /// Where it goes on, or died of something else.
    pub async fn died(&mut self) -> Result<()> {
        let status = self.host.ended().await?;
        ensure!(status.signal() == Some(ABORTED), "the host ended with {status}:\n{}", self.host.log());
        self.reached().await?;
        self.host.configure(|settings| settings.set_environment(FAILPOINTS, None));
        self.host.restart().await
    }

    /// Waits until the armed failpoint is reached.
    ///
    /// # Errors
    /// Where it is not.
    pub async fn reached(&self) -> Result<()> {
        eventually("the failpoint is reached", async || (self.failpoints() > self.reached).then_some(())).await
    }

    /// Starts the host again without a failpoint.
    ///
    /// # Errors
    /// Where it does not stop, or not start.
    pub async fn disarm(&mut self) -> Result<()> {
        self.host.stop().await?;
        self.host.configure(|settings| settings.set_environment(FAILPOINTS, None));
        self.host.restart().await
    }

    fn failpoints(&self) -> usize {
        self.host.log().matches("failpoint reached").count()
    }

    /// A file of that name in a folder of this stage's own.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits for a moment at which a death of the host would interrupt work, no longer than `at_most`.
    pub async fn amid_work(&self, at_most: Duration) {
        let began = Instant::now();
        while began.elapsed() < at_most && !self.vitals().is_ok_and(|vitals| vitals.is_amid_work()) {
            tokio::time::sleep(Duration::from_micros(100)).await;
        }
    }

    /// The machine loses its power: the host is killed, and what was not synced is taken back. `aimed`, it meets a commit
    /// that is written and not synced where one comes within [`AIMED`]: a random moment is seldom one, since the host
    /// mostly rests between commits or waits for the disk. Whether it took such a write, and an event that was not
    /// acknowledged.
    ///
    /// # Errors
    /// Where the host cannot be killed, or its files not be changed.
    pub async fn lose_power(&mut self, aimed: bool, choices: &mut fastrand::Rng) -> Result<bool> {
        if aimed {
            std::fs::write(self.hold(), "")?;
            self.amid_commit().await;
        }
        self.host.kill()?;
        if aimed {
            std::fs::remove_file(self.hold())?;
        }
        let amid_work = self.vitals()?.is_amid_work();
        let power = if choices.bool() { Power::LosesAll } else { Power::LosesSectors };
        let lost = self.unsynced.lose(&self.database(), power, choices)?;
        Ok(amid_work && lost > 0)
    }

    /// Waits until a sync is held back amid work, no longer than [`AIMED`].
    async fn amid_commit(&self) {
        let began = Instant::now();
        let held = || self.unsynced.count(Noted::Held).is_ok_and(|held| held > 0);
        while began.elapsed() < AIMED && !(held() && self.vitals().is_ok_and(|vitals| vitals.is_amid_work())) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// How far the host has come, or had when it died.
    ///
    /// # Errors
    /// Where it has noted nothing.
    pub fn vitals(&self) -> Result<Vitals> {
        Vitals::read(&self.folder.path().join("vitals"))
    }

    /// Forgets what a dead host had noted, so that the next one's notes are not taken for its.
    ///
    /// # Errors
    /// Where the notes cannot be removed.
    pub fn forget_vitals(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.folder.path().join("vitals"))?)
    }

    /// While this file exists, a preloaded host begins no sync.
    #[must_use]
    pub fn hold(&self) -> PathBuf {
        self.folder.path().join("hold")
    }

    /// Where the database is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.host.state_dir().join("state")
    }
}
