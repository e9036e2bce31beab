//! The suite over the adapters that are at hand.

use super::*;
use crate::bus::embedded::EmbeddedBus;
use crate::bus::nats::NatsBus;
use crate::bus::nats::tests::stage;
use crate::bus::simulated::{Faults, SimulatedBus};
use crate::store::{Store, StoreOptions};

macro_rules! suite {
    ($bench:ident: $($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            super::super::$name(super::$bench()).await;
        }
    )+};
}

/// What every adapter keeps, the simulation too.
macro_rules! everywhere {
    ($bench:ident) => {
        suite!($bench: a_receipt_tells_where_the_event_lies, a_repeat_is_known_after_a_restart,
            consumers_get_what_they_want_in_order, a_waiting_consumer_is_woken, a_consumer_starts_where_it_says,
            a_restart_resumes, a_released_hand_out_does_not_count, settling_publishes_once, a_paused_consumer_waits,
            the_status_tells_what_is_left, events_of_one_correlation_are_found, publishers_at_once_lose_nothing,
            a_dead_letter_is_kept, dead_letters_come_newest_first, a_replay_comes_to_who_failed_alone,
            a_discarded_letter_is_gone, due_timers_fire_in_order, timers_survive_a_restart,
            a_cancelled_timer_stays_cancelled, a_fired_timer_is_not_set_again, a_timer_waits_for_the_backlog,
            a_timer_that_is_overdue_when_it_is_set_waits_for_the_backlog,
            a_timer_of_the_same_name_replaces, the_driver_hears_of_an_earlier_timer);
    };
}

mod embedded {
    everywhere!(in_a_file);
    // The simulation lets a test open a consumer beside one it holds, and carries effects out one by one, as a broker.
    suite!(in_a_file: overdue_timers_fire_one_after_what_follows_from_the_other);
    suite!(in_a_file: a_consumer_has_one_holder, a_later_filter_gets_old_events_beside, a_timer_without_a_stream_undoes_all, settling_is_all_or_nothing);
}

/// Where memory holds nothing, everything is read back.
mod embedded_without_cache {
    everywhere!(in_a_file_without_cache);
}

/// A real server: what holds in one process holds where many share it.
mod nats {
    everywhere!(on_a_server);
    suite!(on_a_server: a_consumer_has_one_holder, a_later_filter_gets_old_events_beside, a_timer_without_a_stream_undoes_all, settling_is_all_or_nothing);
}

mod simulated {
    everywhere!(in_memory);
}

fn in_a_file() -> Embedded {
    Embedded::with_cache(1 << 20)
}

fn in_a_file_without_cache() -> Embedded {
    Embedded::with_cache(0)
}

fn on_a_server() -> OnServer {
    let (url, clock) = (stage::account(), ManualClock::at(at(0)));
    let opened = stage::open(&url, "one", Arc::new(clock.clone()));
    let bus = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(opened));
    OnServer { url, clock, bus }
}

fn in_memory() -> Simulated {
    let clock = ManualClock::at(at(0));
    Simulated { bus: SimulatedBus::new(streams(), Arc::new(clock.clone()), Faults::default()), clock }
}

struct Embedded {
    directory: tempfile::TempDir,
    clock: ManualClock,
    event_cache_bytes: usize,
    store: Option<Arc<Store>>,
}

impl Embedded {
    fn with_cache(event_cache_bytes: usize) -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), ManualClock::at(at(0)));
        let mut bench = Self { directory, clock, event_cache_bytes, store: None };
        bench.start();
        bench
    }

    fn start(&mut self) {
        let options = StoreOptions::new(Arc::new(self.clock.clone()), streams());
        let options = StoreOptions { event_cache_bytes: self.event_cache_bytes, ..options };
        self.store = Some(Store::open(self.directory.path(), options).unwrap());
    }
}

impl Bench for Embedded {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(EmbeddedBus::new(self.store.clone().unwrap()))
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        self.store.take().unwrap().close();
        self.start();
        Box::pin(std::future::ready(()))
    }
}

struct Simulated {
    bus: SimulatedBus,
    clock: ManualClock,
}

impl Bench for Simulated {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(self.bus.clone())
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        self.bus.flush();
        self.bus.crash();
        Box::pin(std::future::ready(()))
    }
}

struct OnServer {
    url: stage::Account,
    clock: ManualClock,
    bus: NatsBus,
}

impl Bench for OnServer {
    fn bus(&self) -> Arc<dyn EventBus> {
        Arc::new(self.bus.clone())
    }

    fn clock(&self) -> &ManualClock {
        &self.clock
    }

    fn restart(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(async {
            self.bus.close().await;
            self.bus = stage::open(&self.url, "one", Arc::new(self.clock.clone())).await;
        })
    }
}
