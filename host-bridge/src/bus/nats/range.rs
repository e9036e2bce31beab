//! Reads what lies in a stream now, once, for whoever looks things up.

use super::BusError;
use super::reader::{Read, Reader, Reading};
use crate::nats::Nats;
use std::time::Duration;

/// Longest wait for the next message of a range.
const WAIT: Duration = Duration::from_secs(5);

/// Hands what `reading` covers, up to `until` or the stream's end, to `see`, which tells whether it wants more.
pub(super) async fn read(
    nats: &Nats,
    reading: Reading,
    until: u64,
    mut see: impl FnMut(Read) -> bool,
) -> Result<(), BusError> {
    if pending(nats, &reading).await? == 0 {
        return Ok(());
    }
    let stream = reading.stream.clone();
    let mut reader = Reader::start(nats.clone(), reading);
    loop {
        let next = tokio::time::timeout(WAIT, reader.next()).await;
        let Some(read) = next.map_err(|_| BusError::Unavailable(format!("stream {stream} is silent")))? else {
            return Err(BusError::Unavailable(format!("stream {stream} is gone or another one")));
        };
        let (sequence, pending) = (read.sequence, read.pending);
        if sequence > until || !see(read) || pending == 0 {
            return Ok(());
        }
    }
}

/// How many messages `reading` covers now.
pub(super) async fn pending(nats: &Nats, reading: &Reading) -> Result<u64, BusError> {
    let config = super::reader::config(&reading.filters, reading.after + 1);
    let made = nats.jetstream().create_consumer_on_stream(config, &reading.stream).await;
    let made = made.map_err(|error| BusError::Unavailable(format!("stream {}: {error}", reading.stream)))?;
    let (name, pending) = (made.cached_info().name.clone(), made.cached_info().num_pending);
    // It would go by itself; this only spares the server.
    let (jetstream, stream) = (nats.jetstream().clone(), reading.stream.clone());
    let _deleting = tokio::spawn(async move { jetstream.delete_consumer_from_stream(name, stream).await });
    Ok(pending)
}
