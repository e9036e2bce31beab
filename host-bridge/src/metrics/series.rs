//! Metric series found by their label values without an allocation, and bounded in number.

use parking_lot::RwLock;
use prometheus_client::encoding::{EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder};
use prometheus_client::metrics::TypedMetric;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use rustc_hash::{FxBuildHasher, FxHashMap};
use std::fmt::Debug;
use std::hash::BuildHasher;
use std::sync::Arc;

/// Most series of one metric. Label values come from components too (subjects, event types); one that makes them up
/// must not fill the memory of the host or of Prometheus. What comes later is counted under `other`.
const MAX_SERIES: usize = 2_000;

/// Label values of one series, with their names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Labels<const N: usize> {
    names: [&'static str; N],
    values: [Arc<str>; N],
}

impl<const N: usize> Labels<N> {
    pub(super) fn new(names: [&'static str; N], values: [Arc<str>; N]) -> Self {
        Self { names, values }
    }
}

impl<const N: usize> EncodeLabelSet for Labels<N> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.names
            .iter()
            .zip(&self.values)
            .try_for_each(|(name, value)| (*name, value.as_ref()).encode(encoder.encode_label()))
    }
}

type Bucket<const N: usize, T> = Vec<([Arc<str>; N], T)>;

/// Remembers one `T` for each combination of values.
#[derive(Debug)]
pub(super) struct Cache<const N: usize, T> {
    known: RwLock<FxHashMap<u64, Bucket<N, T>>>,
}

impl<const N: usize, T> Default for Cache<N, T> {
    fn default() -> Self {
        Self { known: RwLock::default() }
    }
}

impl<const N: usize, T: Clone> Cache<N, T> {
    /// The `T` of `values`; made by `make` at the first call.
    pub(super) fn get(&self, values: [&str; N], make: impl FnOnce([Arc<str>; N]) -> T) -> T {
        let hash = FxBuildHasher.hash_one(values);
        if let Some(found) = find(&self.known.read(), hash, values) {
            return found;
        }
        let mut known = self.known.write();
        let full = known.len() >= MAX_SERIES;
        let values = if full { ["other"; N] } else { values };
        let hash = FxBuildHasher.hash_one(values);
        if let Some(found) = find(&known, hash, values) {
            return found;
        }
        let owned = values.map(Arc::from);
        let made = make(owned.clone());
        known.entry(hash).or_default().push((owned, made.clone()));
        made
    }
}

fn find<const N: usize, T: Clone>(known: &FxHashMap<u64, Bucket<N, T>>, hash: u64, values: [&str; N]) -> Option<T> {
    let same = |owned: &[Arc<str>; N]| owned.iter().zip(values).all(|(mine, theirs)| mine.as_ref() == theirs);
    known.get(&hash)?.iter().find(|(owned, _)| same(owned)).map(|(_, found)| found.clone())
}

/// One metric with `N` labels.
#[derive(Debug)]
pub(super) struct Series<const N: usize, M> {
    names: [&'static str; N],
    family: Family<Labels<N>, M, fn() -> M>,
    cache: Cache<N, M>,
}

impl<const N: usize, M> Series<N, M>
where
    M: EncodeMetric + TypedMetric + Clone + Debug + Send + Sync + 'static,
{
    /// Registers the metric. The name goes without the suffix that its type adds (`_total`).
    pub(super) fn new(registry: &mut Registry, name: &str, help: &str, shape: ([&'static str; N], fn() -> M)) -> Self {
        let (names, make) = shape;
        let family = Family::new_with_constructor(make);
        registry.register(name, help, family.clone());
        Self { names, family, cache: Cache::default() }
    }

    /// The series of these label values.
    pub(super) fn with(&self, values: [&str; N]) -> M {
        self.cache.get(values, |owned| self.family.get_or_create_owned(&Labels::new(self.names, owned)))
    }
}
