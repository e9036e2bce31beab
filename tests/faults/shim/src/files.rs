//! Which files are noted: the database and its write-ahead log. Its shared memory (`-shm`) is rebuilt after a crash and
//! never synced.

use libc::c_int;

/// A file whose writes are noted, as the notes name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracked {
    /// `a4co.db`.
    Database = 1,
    /// `a4co.db-wal`.
    Log = 2,
}

impl Tracked {
    /// Which of them a descriptor is open on, if any.
    pub(crate) fn of(fd: c_int) -> Option<Self> {
        let link = format!("/proc/self/fd/{fd}\0");
        let mut name = [0_u8; 4096];
        // SAFETY: a path that ends in a zero, and a buffer with its length.
        let length = unsafe { libc::readlink(link.as_ptr().cast(), name.as_mut_ptr().cast(), name.len()) };
        let name = name.get(..usize::try_from(length).ok()?)?;
        match name {
            _ if name.ends_with(b"/a4co.db") => Some(Self::Database),
            _ if name.ends_with(b"/a4co.db-wal") => Some(Self::Log),
            _ => None,
        }
    }
}

/// A file's length, in bytes.
pub(crate) fn length(fd: c_int) -> i64 {
    // SAFETY: plain numbers, for which all zeros is a value; the call fills it.
    unsafe {
        let mut status: libc::stat64 = std::mem::zeroed();
        if libc::fstat64(fd, &raw mut status) == 0 { status.st_size } else { 0 }
    }
}

/// What lies in a file at an offset, at most `count` bytes.
pub(crate) fn content(fd: c_int, offset: i64, count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    // SAFETY: a buffer with its length. A descriptor that cannot be read is an error, and the content then empty.
    let read = unsafe { libc::pread64(fd, bytes.as_mut_ptr().cast(), count, offset) };
    bytes.truncate(usize::try_from(read).unwrap_or(0));
    bytes
}
