//! What is published from now on, for whoever watches: read from the streams, so that only what is stored is seen, and
//! only while somebody watches.

use super::core::Core;
use super::reader::{Reader, Reading};
use super::{headers, layout};
use crate::event::Event;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::sync::broadcast;

/// Events a slow watcher may lag behind.
const CAPACITY: usize = 4_096;
/// How often it is looked whether somebody still watches.
const LOOK: Duration = Duration::from_secs(5);

/// The watchers of one process.
#[derive(Debug)]
pub(super) struct Tail {
    sender: broadcast::Sender<Arc<Event>>,
    running: Arc<Mutex<bool>>,
}

impl Default for Tail {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(CAPACITY), running: Arc::default() }
    }
}

impl Tail {
    /// Watches from now on. Outside a runtime nothing is ever seen.
    pub(super) fn watch(&self, core: &Arc<Core>) -> broadcast::Receiver<Arc<Event>> {
        let receiver = self.sender.subscribe();
        let mut running = self.running.lock();
        if !*running && let Ok(runtime) = tokio::runtime::Handle::try_current() {
            *running = true;
            for stream in &core.streams {
                let follower = Follower {
                    core: Arc::downgrade(core),
                    stream: stream.name.clone(),
                    sender: self.sender.clone(),
                    running: self.running.clone(),
                };
                runtime.spawn(follower.run());
            }
        }
        receiver
    }
}

struct Follower {
    core: Weak<Core>,
    stream: String,
    sender: broadcast::Sender<Arc<Event>>,
    running: Arc<Mutex<bool>>,
}

impl Follower {
    async fn run(self) {
        while let Some(core) = self.core.upgrade() {
            let Ok(info) = layout::info(&core.nats, &self.stream).await else {
                drop(core);
                tokio::time::sleep(LOOK).await;
                continue;
            };
            let (incarnation, after) = (layout::incarnation(&info), info.state.last_sequence);
            let reading = Reading { stream: self.stream.clone(), incarnation, filters: Vec::new(), after };
            let reader = Reader::start(core.nats.clone(), reading);
            drop(core);
            if !self.follow(reader).await {
                return;
            }
        }
    }

    /// Passes on until the stream is another one (true) or nobody watches (false).
    async fn follow(&self, mut reader: Reader) -> bool {
        loop {
            match tokio::time::timeout(LOOK, reader.next()).await {
                Ok(Some(read)) => {
                    if let Some(event) = headers::to_event(&read.subject, read.headers.as_ref(), read.payload) {
                        // Nobody may watch just now.
                        let _unseen = self.sender.send(event);
                    }
                }
                Ok(None) => return self.core.upgrade().is_some(),
                Err(_) => {}
            }
            // Under the lock, so that one who begins to watch now either is counted or starts it anew.
            let mut running = self.running.lock();
            if self.sender.receiver_count() == 0 || !*running {
                *running = false;
                return false;
            }
        }
    }
}
