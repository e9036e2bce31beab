//! Key-value pairs in memory: what is not flushed yet, what was used lately. Every swap is judged here.
//!
//! A key that is being read from disk has a slot already, pinned: a write that overtakes the read fills the slot, and
//! what the read brings is dropped. So a stale value is never kept.

use super::batch::{CellWrite, Row};
use super::state::State;
use crate::durability::Watermark;
use crate::keyvalue::{Entry, Expiries};
use bytes::Bytes;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// What a slot takes in memory beside key and value, in bytes, roughly.
const SLOT_OVERHEAD: usize = 200;
/// Slots looked at for eviction at each insertion: bounds the work under the lock.
const EVICTION_STEPS: usize = 8;

/// All stores.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    names: HashMap<Arc<str>, usize>,
    stores: Vec<StoreCells>,
    /// The next row id.
    pub next_row: u64,
    /// Bytes of slots past which clean ones are evicted.
    pub limit: usize,
    /// Which values go by age.
    pub expiries: Expiries,
    bytes: usize,
    hand: VecDeque<(usize, Arc<str>)>,
}

#[derive(Debug, Default)]
struct StoreCells {
    id: u32,
    saved: bool,
    name: Arc<str>,
    slots: HashMap<Arc<str>, Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    value: Option<Bytes>,
    tick: u64,
    /// What the table holds once all batches so far are written.
    row: Option<Row>,
    /// Value and row are known.
    loaded: bool,
    /// Reads on their way, and multi-key steps that need it to stay.
    pins: u32,
    /// Touched since the eviction hand passed.
    used: bool,
    /// Its entry in the batch of that number.
    entry: Option<(u64, usize)>,
}

impl Slot {
    fn view(&self) -> Entry {
        let revision = self.row.map_or(0, |row| row.revision);
        Entry { value: self.value.clone(), revision, watermark: Watermark(self.tick) }
    }

    fn size(&self, key: &str) -> usize {
        SLOT_OVERHEAD + key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

impl Cells {
    /// Takes in a store that exists on disk.
    pub(crate) fn restore(&mut self, id: u32, name: &str) {
        let name: Arc<str> = name.into();
        self.names.insert(name.clone(), self.stores.len());
        self.stores.push(StoreCells { id, saved: true, name, slots: HashMap::new() });
    }

    /// Bytes of slots in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The store's index; it is saved at its first write only.
    pub(crate) fn store(&mut self, name: &str) -> usize {
        if let Some(index) = self.names.get(name) {
            return *index;
        }
        let id = self.stores.iter().map(|store| store.id).max().unwrap_or(0) + 1;
        self.restore(id, name);
        let index = self.stores.len() - 1;
        if let Some(store) = self.stores.get_mut(index) {
            store.saved = false;
        }
        index
    }

    /// The store's id in the tables.
    pub(crate) fn id(&self, store: usize) -> u32 {
        self.stores.get(store).map_or(0, |store| store.id)
    }

    /// The index of the store with that id in the tables.
    pub(crate) fn index(&self, id: u32) -> Option<usize> {
        self.stores.iter().position(|store| store.id == id)
    }

    /// What a key holds, if that is known.
    pub(crate) fn get(&mut self, store: usize, key: &str) -> Option<Entry> {
        let slot = self.stores.get_mut(store)?.slots.get_mut(key)?;
        slot.used = true;
        slot.loaded.then(|| slot.view())
    }

    /// Keeps a key's slot in place; true where its value must be read from disk.
    pub(crate) fn pin(&mut self, store: usize, key: &str) -> bool {
        let Some(cells) = self.stores.get_mut(store) else { return false };
        if let Some(slot) = cells.slots.get_mut(key) {
            slot.pins += 1;
            return !slot.loaded;
        }
        let key: Arc<str> = key.into();
        let slot = Slot { pins: 1, ..Slot::default() };
        self.bytes += slot.size(&key);
        cells.slots.insert(key.clone(), slot);
        self.hand.push_back((store, key));
        true
    }

    /// Brings what was read, unless a write was faster.
    pub(crate) fn fill(&mut self, store: usize, key: &str, read: Option<(Row, Bytes)>) {
        let Some(slot) = self.stores.get_mut(store).and_then(|cells| cells.slots.get_mut(key)) else { return };
        if slot.loaded {
            return;
        }
        slot.loaded = true;
        if let Some((row, value)) = read {
            self.bytes += value.len();
            slot.row = Some(row);
            slot.value = Some(value);
        }
    }

    /// Lets a slot go that [`Cells::pin`] kept.
    pub(crate) fn unpin(&mut self, store: usize, key: &str) {
        if let Some(slot) = self.stores.get_mut(store).and_then(|cells| cells.slots.get_mut(key)) {
            slot.pins = slot.pins.saturating_sub(1);
        }
    }

    /// Evicts some of what is on disk and was not used lately, while there is too much.
    pub(crate) fn evict(&mut self, durable: u64) {
        for _ in 0..EVICTION_STEPS {
            if self.bytes <= self.limit {
                return;
            }
            let Some((store, key)) = self.hand.pop_front() else { return };
            let Some(cells) = self.stores.get_mut(store) else { continue };
            let Some(slot) = cells.slots.get_mut(&key) else { continue };
            if slot.pins > 0 || slot.tick > durable || std::mem::take(&mut slot.used) {
                self.hand.push_back((store, key));
                continue;
            }
            self.bytes = self.bytes.saturating_sub(slot.size(&key));
            cells.slots.remove(&key);
        }
    }
}

impl State {
    /// Writes or deletes a key whose slot is loaded; returns its new revision, 0 where it is gone.
    pub(crate) fn write_cell(&mut self, store: usize, key: &str, value: Option<Bytes>) -> u64 {
        let tick = self.advance();
        let (number, durable) = (self.batch.number, self.durable);
        let next_row = self.cells.next_row;
        let Some(cells) = self.cells.stores.get_mut(store) else { return 0 };
        if !cells.saved {
            cells.saved = true;
            self.batch.stores.push((cells.id, cells.name.clone()));
        }
        let Some((key, slot)) = cells.slots.get_key_value(key).map(|(key, _)| key.clone()).and_then(|key| {
            let slot = cells.slots.get_mut(&key)?;
            Some((key, slot))
        }) else {
            return 0;
        };
        let before = slot.row;
        let row = value.as_ref().map(|_| Row { id: before.map_or(next_row, |row| row.id), revision: tick });
        if before.is_none() && row.is_some() {
            self.cells.next_row += 1;
        }
        let grown = value.as_ref().map_or(0, Bytes::len);
        let shrunk = slot.value.as_ref().map_or(0, Bytes::len);
        self.cells.bytes = (self.cells.bytes + grown).saturating_sub(shrunk);
        slot.value = value.clone();
        (slot.row, slot.tick, slot.used) = (row, tick, true);
        let after = row.zip(value);
        let open = slot.entry.filter(|(batch, _)| *batch == number);
        match open.and_then(|(_, index)| self.batch.cells.get_mut(index)) {
            Some(entry) => entry.after = after,
            None => {
                slot.entry = Some((number, self.batch.cells.len()));
                let kept_for = self.cells.expiries.after(&cells.name, &key);
                self.batch.cells.push(CellWrite { store: cells.id, key, before, after, kept_for });
            }
        }
        self.cells.evict(durable);
        row.map_or(0, |row| row.revision)
    }
}
