//! Up to where things are on disk: what leaves the process waits for the flush that covers it.

use futures::future::{BoxFuture, FutureExt as _, ready};

/// A position in the order in which state changes: everything up to it is certain once it is flushed. Zero is certain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Watermark(pub u64);

/// Tells when a position is on disk.
pub trait Durability: Send + Sync + 'static {
    /// Whether `watermark` is on disk already.
    fn is_durable(&self, watermark: Watermark) -> bool;

    /// The position that covers all that has happened so far.
    fn latest(&self) -> Watermark;

    /// Returns once `watermark` is on disk.
    fn durable(&self, watermark: Watermark) -> BoxFuture<'_, ()>;
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
