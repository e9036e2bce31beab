//! Up to where things are on disk: what leaves the process waits for the flush that covers it.

use futures::future::{BoxFuture, FutureExt as _, ready};
use std::sync::Arc;

/// A position in the order in which state changes: everything up to it is certain once it is flushed. Zero is certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark(pub u64);

/// Nothing can be written now: why, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Stalled(Arc<str>);

impl Stalled {
    /// With a sentence for the operator.
    #[must_use]
    pub fn new(why: String) -> Self {
        Self(why.into())
    }
}

/// Tells when a position is on disk.
pub trait Durability: Send + Sync + 'static {
    /// Whether `watermark` is on disk already.
    fn is_durable(&self, watermark: Watermark) -> bool;

    /// The position that covers all that has happened so far.
    fn latest(&self) -> Watermark;

    /// Returns once `watermark` is on disk.
    fn durable(&self, watermark: Watermark) -> BoxFuture<'_, ()>;

    /// The same for whoever can say no meanwhile: fails as soon as nothing can be written.
    fn flushed(&self, watermark: Watermark) -> BoxFuture<'_, Result<(), Stalled>> {
        self.durable(watermark).map(Ok).boxed()
    }
}

/// Where whoever answers has made sure before: all is certain at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct AtOnce;

impl Durability for AtOnce {
    fn is_durable(&self, _: Watermark) -> bool {
        true
    }

    fn latest(&self) -> Watermark {
        Watermark(0)
    }

    fn durable(&self, _: Watermark) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}
