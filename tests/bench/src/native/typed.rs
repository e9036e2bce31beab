//! Events as the components know them, beside the log: who publishes puts them in, who handles finds them.

use a4co_host::event::Event as Logged;
use kit::Event;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Events kept; those of a consumer that lags further behind are read from the log's JSON.
const KEPT: usize = 65_536;

/// The newest events.
#[derive(Debug, Default)]
pub struct Typed {
    newest: Mutex<Newest>,
}

#[derive(Debug, Default)]
struct Newest {
    by_id: FxHashMap<String, Arc<Event>>,
    order: VecDeque<String>,
}

impl Typed {
    /// Keeps an event.
    pub fn keep(&self, id: &str, event: Arc<Event>) {
        let mut newest = self.newest.lock();
        if newest.by_id.insert(id.to_owned(), event).is_none() {
            newest.order.push_back(id.to_owned());
        }
        if newest.order.len() > KEPT
            && let Some(oldest) = newest.order.pop_front()
        {
            newest.by_id.remove(&oldest);
        }
    }

    /// An event of the log, read where it is not kept.
    ///
    /// # Errors
    /// Where it is none of the marketplace's.
    pub fn of(&self, logged: &Logged) -> Result<Arc<Event>, String> {
        let id = logged.id().ok_or("not an event")?;
        if let Some(event) = self.newest.lock().by_id.get(id) {
            return Ok(event.clone());
        }
        let data = std::str::from_utf8(logged.data().unwrap_or_default()).map_err(|error| error.to_string())?;
        let event = Arc::new(Event::read(logged.subject.as_str(), data).map_err(|error| error.to_string())?);
        self.keep(id, event.clone());
        Ok(event)
    }
}
