//! Bodies over the host's streams: whole in, whole out, in as few calls of the host as it takes.

use wasi::io::streams::{InputStream, OutputStream, StreamError};

/// Bytes asked for at once.
const READ: u64 = 64 * 1_024;

/// Reads to the end, which is known without asking where `length` tells it.
///
/// # Errors
/// Where the body broke off.
pub(crate) fn read(stream: &InputStream, length: Option<u64>) -> Result<Vec<u8>, StreamError> {
    let mut whole = Vec::new();
    while length.is_none_or(|length| u64::try_from(whole.len()).is_ok_and(|read| read < length)) {
        match stream.blocking_read(READ) {
            Ok(chunk) if whole.is_empty() => whole = chunk,
            Ok(chunk) => whole.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(whole)
}

/// Writes what the host takes without a wait; what is left.
///
/// # Errors
/// Where nobody reads any more.
pub(crate) fn offer<'a>(stream: &OutputStream, bytes: &'a [u8]) -> Result<&'a [u8], StreamError> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
    let (now, left) = bytes.split_at(bytes.len().min(room));
    if !now.is_empty() {
        stream.write(now)?;
    }
    Ok(left)
}

/// Writes everything, as fast as it is read.
///
/// # Errors
/// As [`offer`].
pub(crate) fn write(stream: &OutputStream, bytes: &[u8]) -> Result<(), StreamError> {
    let mut left = offer(stream, bytes)?;
    while !left.is_empty() {
        stream.subscribe().block();
        left = offer(stream, left)?;
    }
    Ok(())
}

/// The length that headers tell.
pub(crate) fn length(headers: &[(String, String)]) -> Option<u64> {
    headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, length)| length.parse().ok())
}
