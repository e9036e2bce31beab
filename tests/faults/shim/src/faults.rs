//! Faults on demand: each is on while a file of its name lies in the folder `$A4CO_FAULTS`, and is noted when it strikes.

use crate::files::Tracked;
use crate::notes::{self, Struck};
use libc::{c_char, c_int};
use std::ffi::{CStr, CString};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// How much of a write a full disk still takes: a sector.
const LAST_ROOM: usize = 512;

/// What of a write there is room for; `None` where the disk is not full.
pub(crate) fn room_for(tracked: Tracked, count: usize) -> Option<usize> {
    is_on("full").then(|| {
        notes::struck(Struck::Full, tracked, 0);
        if count > LAST_ROOM { LAST_ROOM } else { 0 }
    })
}

/// Whether this sync fails. Each file fails one: whoever removes it has it.
pub(crate) fn sync_fails(tracked: Tracked) -> bool {
    let name = match tracked {
        Tracked::Database => "fail-sync-db",
        Tracked::Log => "fail-sync-wal",
    };
    let Some(path) = path(name) else { return false };
    // SAFETY: a path that ends in a zero.
    let fails = unsafe { libc::unlink(path.as_ptr()) } == 0;
    if fails {
        notes::struck(Struck::FailedSync, tracked, 0);
    }
    fails
}

/// Calls since the log was synced last.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Ends the process before the call of a commit whose number, from 0, the file `kill-at` has.
pub(crate) fn die_before(tracked: Tracked) {
    let call = CALLS.fetch_add(1, Ordering::Relaxed).cast_signed();
    if number("kill-at") == Some(call) {
        notes::struck(Struck::Killed, tracked, call);
        // SAFETY: takes numbers; the process ends here.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

/// The log was synced: the next call is the first of another commit.
pub(crate) fn committed() {
    CALLS.store(0, Ordering::Relaxed);
}

/// Seconds by which the clock is set off. Noted each time the process finds another number.
pub(crate) fn clock_is_off_by() -> i64 {
    static FOUND: AtomicI64 = AtomicI64::new(0);
    let off = number("clock").unwrap_or_default();
    if FOUND.swap(off, Ordering::Relaxed) != off {
        notes::struck(Struck::Clock, Tracked::Database, off);
    }
    off
}

/// Whether the file at this path may not be opened to be written: all that is in the state directory, or only the database.
pub(crate) fn is_read_only(path: *const c_char, flags: c_int) -> bool {
    if flags & (libc::O_WRONLY | libc::O_RDWR | libc::O_CREAT) == 0 || path.is_null() {
        return false;
    }
    // SAFETY: a path that the caller gave to `open` ends in a zero.
    let path = unsafe { CStr::from_ptr(path) }.to_bytes();
    let named = |name: &[u8]| path.ends_with(name);
    let database = [b"/a4co.db".as_slice(), b"/a4co.db-wal", b"/a4co.db-shm"].into_iter().any(named);
    let denied = (database && is_on("read-only-db")) || ((database || named(b"/state/lock")) && is_on("read-only"));
    if denied {
        notes::struck(Struck::ReadOnly, Tracked::Database, 0);
    }
    denied
}

fn is_on(name: &str) -> bool {
    // SAFETY: a path that ends in a zero.
    path(name).is_some_and(|path| unsafe { libc::access(path.as_ptr(), libc::F_OK) } == 0)
}

/// The number in a file of the folder.
fn number(name: &str) -> Option<i64> {
    let path = path(name)?;
    let mut text = [0_u8; 24];
    // SAFETY: the kernel is called itself, since `open` is ours: a path that ends in a zero, a buffer with its length, and
    // the descriptor that was just opened.
    let length = unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return None;
        }
        let length = libc::syscall(libc::SYS_read, fd, text.as_mut_ptr(), text.len());
        libc::syscall(libc::SYS_close, fd);
        length
    };
    let text = text.get(..usize::try_from(length).ok()?)?;
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

/// Where a file of the folder is; `None` where no test wants faults.
fn path(name: &str) -> Option<CString> {
    static FOLDER: OnceLock<Option<String>> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| std::env::var("A4CO_FAULTS").ok()).as_ref()?;
    CString::new(format!("{folder}/{name}")).ok()
}
