//! Bodies at the edge: requests are bounded, responses wait until what they tell is on disk.

use crate::durability::Durability;
use crate::engine::Invocation;
use bytes::Bytes;
use futures::future::BoxFuture;
use http_body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use wasmtime_wasi_http::{Error, WasiBody};

/// A request's body, cut off at a limit; the flag tells whoever answers that it was.
pub(super) struct BoundedBody<B> {
    body: B,
    left: u64,
    exceeded: Arc<AtomicBool>,
}

impl<B> BoundedBody<B> {
    pub(super) fn new(body: B, most: u64, exceeded: Arc<AtomicBool>) -> Self {
        Self { body, left: most, exceeded }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for BoundedBody<B> {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = frame.map_err(Error::Hyper)?;
        let length = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
        match self.left.checked_sub(length) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Some(Ok(frame)))
            }
            None => {
                self.exceeded.store(true, Ordering::Relaxed);
                Poll::Ready(Some(Err(Error::HttpRequestBodySize(None))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A response's body: a chunk leaves only once everything its invocation saw or wrote before it is on disk.
pub(super) struct DurableBody {
    body: WasiBody,
    invocation: Arc<Invocation>,
    durability: Arc<dyn Durability>,
    held: Option<(Frame<Bytes>, BoxFuture<'static, ()>)>,
}

impl DurableBody {
    pub(super) fn new(body: WasiBody, invocation: Arc<Invocation>, durability: Arc<dyn Durability>) -> Self {
        Self { body, invocation, durability, held: None }
    }

    fn wait(&self) -> Option<BoxFuture<'static, ()>> {
        let watermark = self.invocation.watermark();
        if self.durability.is_durable(watermark) {
            return None;
        }
        let durability = Arc::clone(&self.durability);
        Some(Box::pin(async move { durability.durable(watermark).await }))
    }
}

impl Body for DurableBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.held.is_none() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match self.wait() {
                None => return Poll::Ready(Some(Ok(frame))),
                Some(wait) => self.held = Some((frame, wait)),
            }
        }
        if let Some((_, wait)) = &mut self.held {
            ready!(wait.as_mut().poll(cx));
        }
        Poll::Ready(self.held.take().map(|(frame, _)| Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.held.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}
