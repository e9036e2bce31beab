//! What the admin listener asks of the running host.

use crate::admin::Operations;
use crate::store::Store;
use crate::trigger::event::PauseSwitch;
use futures::future::{BoxFuture, FutureExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The running host.
pub(super) struct Running {
    ready: AtomicBool,
    store: Arc<Store>,
    switch: PauseSwitch,
    cache: PathBuf,
}

impl Running {
    pub(super) fn new(store: Arc<Store>, switch: PauseSwitch, cache: PathBuf) -> Self {
        Self { ready: AtomicBool::new(false), store, switch, cache }
    }

    pub(super) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
    }
}

impl Operations for Running {
    fn ready(&self) -> Result<(), String> {
        if self.ready.load(Ordering::Acquire) { Ok(()) } else { Err("the host is starting or stopping".to_owned()) }
    }

    fn paused(&self, component: &str, stream: &str, paused: bool) {
        self.switch.pause(component, stream, paused);
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        let sizes = self.store.sizes();
        vec![
            ("database", sizes.database_bytes),
            ("wal", sizes.wal_bytes),
            ("code_cache", folder_bytes(&self.cache)),
            ("values_in_memory", sizes.cached_value_bytes),
            ("events_in_memory", sizes.cached_event_bytes),
        ]
    }

    fn backup(&self, file: PathBuf) -> BoxFuture<'_, anyhow::Result<u64>> {
        async move {
            self.store.backup(&file).await?;
            Ok(std::fs::metadata(&file)?.len())
        }
        .boxed()
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|data| data.len()).sum()
}
