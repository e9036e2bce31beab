//! How often what went wrong: a fault that is to come about and never does proves nothing.

use a4co_host::bus::simulated::{Injected, SimulatedBus};
use a4co_host::keyvalue::simulated::SimulatedKeyValue;
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Default)]
pub struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    /// This went wrong once more.
    pub fn add(&self, fault: &'static str) {
        *self.0.lock().entry(fault).or_default() += 1;
    }

    /// All that was counted, with what bus and store tell of themselves.
    #[must_use]
    pub fn all(&self, bus: &SimulatedBus, keys: &SimulatedKeyValue) -> BTreeMap<&'static str, u64> {
        let mut counts = self.0.lock().clone();
        let (bus, keys): (Injected, Injected) = (bus.injected(), keys.injected());
        let told = [
            ("acknowledgement forgotten", bus.lost_acks),
            ("copy", bus.copies),
            ("fetch cut short", bus.delays),
            ("outcome unknown", bus.lost_answers + keys.lost_answers),
            ("refused", bus.refused + keys.refused),
        ];
        counts.extend(told.into_iter().filter(|(_, times)| *times > 0));
        counts
    }
}
