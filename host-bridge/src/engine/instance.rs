//! One instance of a component: its store, and how it is begun, reused and given up.

use super::failure::OutOfTime;
use super::invocation::Invocation;
use crate::host::{Guest, HostState};
use std::sync::Arc;
use tokio::time::Instant;
use wasmtime::{Engine, Store, StoreContextMut, UpdateDeadline};

/// The part of its handles that an instance may leave behind and still be used again.
const MOST_LEFT: usize = 8;

/// A live instance, entered through `entry`.
pub(super) struct Instance<E> {
    /// Its store. Dropping it is what ends the instance.
    pub(super) store: Store<HostState>,
    /// The export it is called by.
    pub(super) entry: E,
    /// Invocations it has begun.
    pub(super) used: u32,
}

/// A fresh store for `guest`, limited, about to run `invocation`.
pub(super) fn store(engine: &Engine, guest: &Guest, invocation: Arc<Invocation>) -> Store<HostState> {
    let mut store = Store::new(engine, HostState::new(guest, invocation));
    HostState::limit(&mut store, guest);
    store.epoch_deadline_callback(tick);
    store.set_epoch_deadline(1);
    store
}

impl<E> Instance<E> {
    /// A fresh instance, already about to run its first invocation.
    pub(super) fn fresh(store: Store<HostState>, entry: E) -> Self {
        Self { store, entry, used: 1 }
    }

    /// Whether what it has left behind would come to stand in the way of what it may use.
    pub(super) fn is_worn(&mut self, handles: usize) -> bool {
        self.store.data_mut().handles_left() > handles / MOST_LEFT
    }

    /// Makes it run another invocation.
    pub(super) fn begin(&mut self, invocation: Arc<Invocation>) {
        self.used += 1;
        self.store.data_mut().begin(invocation);
        self.store.set_epoch_deadline(1);
    }
}

/// At every tick a running guest lets others run, and at its deadline it ends: so an endless loop holds a worker thread
/// for one tick at a time.
fn tick(store: StoreContextMut<'_, HostState>) -> wasmtime::Result<UpdateDeadline> {
    if Instant::now() >= store.data().invocation().deadline() {
        return Err(OutOfTime.into());
    }
    Ok(UpdateDeadline::Yield(1))
}
