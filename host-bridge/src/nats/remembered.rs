//! Values this process last wrote to NATS, bounded. Others write them too, so none is certain: one serves only where what
//! is done with it is checked, by a compare-and-swap on its revision. It saves the read before most of these.

use parking_lot::Mutex;
use rustc_hash::FxHashMap;
use std::borrow::Borrow;
use std::hash::Hash;

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Memory<V> {
    /// The value.
    pub(crate) value: V,
    /// What a swap of it must expect.
    pub(crate) revision: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Remembered<K, V> {
    generations: Mutex<Generations<K, V>>,
    /// Bytes of a generation.
    most: usize,
}

/// What was written lately, and what was before: once the young are many, they are the old, and those are forgotten.
#[derive(Debug)]
struct Generations<K, V> {
    young: FxHashMap<K, (Memory<V>, usize)>,
    old: FxHashMap<K, (Memory<V>, usize)>,
    bytes: usize,
}

impl<K: Hash + Eq, V: Clone> Remembered<K, V> {
    /// Remembers at most twice `most` bytes.
    pub(crate) fn new(most: usize) -> Self {
        let generations = Generations { young: FxHashMap::default(), old: FxHashMap::default(), bytes: 0 };
        Self { generations: Mutex::new(generations), most }
    }

    /// What was last written under `key`.
    pub(crate) fn recall<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Memory<V>>
    where
        K: Borrow<Q>,
    {
        let generations = self.generations.lock();
        let found = generations.young.get(key).or_else(|| generations.old.get(key));
        found.map(|(memory, _)| memory.clone())
    }

    /// `memory`, of `bytes` bytes, was written under `key`.
    pub(crate) fn remember(&self, key: K, memory: Memory<V>, bytes: usize) {
        let generations = &mut *self.generations.lock();
        generations.forget(&key);
        if bytes > self.most {
            return;
        }
        if generations.bytes + bytes > self.most {
            generations.old = std::mem::take(&mut generations.young);
            generations.bytes = 0;
        }
        generations.bytes += bytes;
        generations.young.insert(key, (memory, bytes));
    }

    /// Something else may be there now.
    pub(crate) fn forget<Q: Hash + Eq + ?Sized>(&self, key: &Q)
    where
        K: Borrow<Q>,
    {
        self.generations.lock().forget(key);
    }
}

impl<K: Hash + Eq, V> Generations<K, V> {
    fn forget<Q: Hash + Eq + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Some((_, bytes)) = self.young.remove(key) {
            self.bytes -= bytes;
        }
        self.old.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(revision: u64) -> Memory<&'static str> {
        Memory { value: "v", revision }
    }

    #[test]
    fn the_last_write_is_recalled_until_it_is_forgotten() {
        let remembered = Remembered::<String, _>::new(100);
        assert_eq!(remembered.recall("a"), None);
        remembered.remember("a".to_owned(), written(1), 10);
        remembered.remember("a".to_owned(), written(2), 10);
        assert_eq!(remembered.recall("a"), Some(written(2)));
        remembered.forget("a");
        assert_eq!(remembered.recall("a"), None);
    }

    #[test]
    fn what_was_written_long_ago_makes_room() {
        let remembered = Remembered::<u64, _>::new(100);
        for key in 0..1_000 {
            remembered.remember(key, written(key), 10);
            let kept = (0..=key).filter(|key| remembered.recall(key).is_some()).count();
            assert!(kept <= 20 && (kept >= 10 || kept as u64 == key + 1), "{kept} after {key}");
        }
        assert_eq!(remembered.recall(&999), Some(written(999)));
        assert_eq!(remembered.recall(&500), None);
    }

    #[test]
    fn one_that_is_rewritten_all_the_time_displaces_nothing() {
        let remembered = Remembered::<u64, _>::new(100);
        remembered.remember(1, written(1), 10);
        for revision in 2..1_000 {
            remembered.remember(2, written(revision), 80);
        }
        assert_eq!(remembered.recall(&1), Some(written(1)));
        remembered.remember(2, written(1_000), 101);
        assert_eq!(remembered.recall(&2), None, "larger than all there is room for");
    }
}
