//! What the admin listener asks of the running host.

use super::state::Storage;
use crate::admin::Operations;
use crate::trigger::event::PauseSwitch;
use futures::future::{BoxFuture, FutureExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The running host.
pub(super) struct Running {
    ready: AtomicBool,
    storage: Arc<Storage>,
    switch: PauseSwitch,
    cache: PathBuf,
}

impl Running {
    pub(super) fn new(storage: Arc<Storage>, switch: PauseSwitch, cache: PathBuf) -> Self {
        Self { ready: AtomicBool::new(false), storage, switch, cache }
    }

    pub(super) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

impl Operations for Running {
    fn ready(&self) -> Result<(), String> {
        if !self.ready.load(Ordering::Acquire) {
            return Err("the host is starting or stopping".to_owned());
        }
        self.storage.away().or_else(|| self.storage.stalled()).map_or(Ok(()), Err)
    }

    fn away(&self) -> Option<String> {
        self.storage.away()
    }

    fn warnings(&self) -> Vec<String> {
        self.storage.warnings()
    }

    fn paused(&self, component: &str, stream: &str, paused: bool) {
        self.switch.pause(component, stream, paused);
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        let mut sizes = self.storage.sizes();
        sizes.push(("code_cache", folder_bytes(&self.cache)));
        sizes
    }

    fn backup(&self, file: PathBuf) -> BoxFuture<'_, anyhow::Result<u64>> {
        async move { self.storage.backup(&file).await }.boxed()
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}
