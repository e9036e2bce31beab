//! The notes: records appended to one file, each in one write, so that a kill leaves whole records.
//!
//! A record is six little-endian `u64` (kind, file, offset, the file's length before, bytes before, bytes after), then
//! the bytes that lay there before, then those that were written.

use crate::files::{Tracked, content, length};
use libc::{c_int, c_void, off64_t, size_t};
use std::ffi::CString;
use std::sync::OnceLock;

const WRITE: u64 = 1;
const TRUNCATE: u64 = 2;
const SYNCED: u64 = 3;
const HELD: u64 = 4;

/// A fault that struck.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Struck {
    /// A write found no room.
    Full = 5,
    /// A sync failed.
    FailedSync = 6,
    /// The process is about to be ended.
    Killed = 7,
    /// A file could not be opened to be written.
    ReadOnly = 8,
    /// The clock has been set.
    Clock = 9,
}
/// How long a held sync sleeps until it looks again.
static NAP: libc::timespec = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };

/// Notes a write that is about to happen.
///
/// # Safety
/// `buffer` has `count` bytes.
pub(crate) unsafe fn write(fd: c_int, tracked: Tracked, offset: off64_t, buffer: *const c_void, count: size_t) {
    // SAFETY: the caller's promise.
    let after = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), count) };
    append(WRITE, tracked, (offset, length(fd)), (&content(fd, offset, count), after));
}

/// Notes that a file is about to be cut or grown.
pub(crate) fn truncate(fd: c_int, tracked: Tracked, to: off64_t) {
    let before = length(fd);
    let lost = usize::try_from(before.saturating_sub(to)).unwrap_or(0);
    append(TRUNCATE, tracked, (to, before), (&content(fd, to, lost), &[]));
}

/// Notes that all that was written to a file is on disk.
pub(crate) fn synced(tracked: Tracked) {
    append(SYNCED, tracked, (0, 0), (&[], &[]));
}

/// Notes a fault, with a number of its own.
pub(crate) fn struck(fault: Struck, tracked: Tracked, number: i64) {
    append(fault as u64, tracked, (number, 0), (&[], &[]));
}

/// Waits while the test wants no sync to begin.
pub(crate) fn hold(tracked: Tracked) {
    static GATE: OnceLock<Option<CString>> = OnceLock::new();
    let Some(gate) = GATE.get_or_init(|| path("A4CO_HOLD_SYNC")) else { return };
    let mut told = false;
    // SAFETY: a path that ends in a zero.
    while unsafe { libc::access(gate.as_ptr(), libc::F_OK) } == 0 {
        if !std::mem::replace(&mut told, true) {
            append(HELD, tracked, (0, 0), (&[], &[]));
        }
        // SAFETY: a duration, and nobody who wants the rest of it.
        unsafe { libc::nanosleep(&raw const NAP, std::ptr::null_mut()) };
    }
}

fn append(kind: u64, tracked: Tracked, (offset, length): (i64, i64), (before, after): (&[u8], &[u8])) {
    let Some(fd) = notes() else { return };
    let numbers = [kind, tracked as u64, offset as u64, length as u64, before.len() as u64, after.len() as u64]
        .map(u64::to_le_bytes);
    let record = [numbers.as_flattened(), before, after].concat();
    // SAFETY: a buffer with its length. The kernel is called itself: `write` is ours.
    unsafe { libc::syscall(libc::SYS_write, fd, record.as_ptr(), record.len()) };
}

fn notes() -> Option<c_int> {
    static NOTES: OnceLock<Option<c_int>> = OnceLock::new();
    *NOTES.get_or_init(|| {
        let path = path("A4CO_UNSYNCED")?;
        let flags = libc::O_CREAT | libc::O_APPEND | libc::O_WRONLY | libc::O_CLOEXEC;
        // SAFETY: a path that ends in a zero. The kernel is called itself: `open` is ours.
        let fd = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), flags, 0o600) };
        c_int::try_from(fd).ok().filter(|fd| *fd >= 0)
    })
}

fn path(variable: &str) -> Option<CString> {
    CString::new(std::env::var(variable).ok()?).ok()
}
