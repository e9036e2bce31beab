//! Preloaded (`LD_PRELOAD`) into the host, it stands before the C library's writes and syncs of the database's files and
//! notes them in the file `$A4CO_UNSYNCED`: each write with what it overwrote, each sync once it has returned. After a
//! kill a test takes back what was not synced, as a power failure does. While the file `$A4CO_HOLD_SYNC` exists no sync
//! is begun. In the folder `$A4CO_FAULTS` a test says what is to go wrong: see `faults`.
//!
//! It never calls the functions it replaces, but the kernel itself.

#![expect(unsafe_code, reason = "it takes the place of functions of the C library, with their signatures")]

mod faults;
mod files;
mod notes;

use files::Tracked;
use libc::{c_char, c_int, c_void, clockid_t, mode_t, off64_t, size_t, ssize_t, timespec};

/// `write(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    let Some(tracked) = Tracked::of(fd) else {
        // SAFETY: the caller's own arguments.
        return unsafe { libc::syscall(libc::SYS_write, fd, buffer, count) as ssize_t };
    };
    let Some(count) = admitted(tracked, count) else { return refused(libc::ENOSPC) };
    // SAFETY: asks for the descriptor's position; the buffer is the caller's promise, and not more of it is read.
    unsafe {
        notes::write(fd, tracked, libc::lseek64(fd, 0, libc::SEEK_CUR), buffer, count);
        libc::syscall(libc::SYS_write, fd, buffer, count) as ssize_t
    }
}

/// `pwrite64(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    let Some(tracked) = Tracked::of(fd) else {
        // SAFETY: the caller's own arguments.
        return unsafe { libc::syscall(libc::SYS_pwrite64, fd, buffer, count, offset) as ssize_t };
    };
    let Some(count) = admitted(tracked, count) else { return refused(libc::ENOSPC) };
    // SAFETY: the buffer is the caller's promise, and not more of it is read.
    unsafe {
        notes::write(fd, tracked, offset, buffer, count);
        libc::syscall(libc::SYS_pwrite64, fd, buffer, count, offset) as ssize_t
    }
}

/// `ftruncate64(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    if let Some(tracked) = Tracked::of(fd) {
        faults::die_before(tracked);
        notes::truncate(fd, tracked, length);
    }
    // SAFETY: the caller's own arguments.
    unsafe { libc::syscall(libc::SYS_ftruncate, fd, length) as c_int }
}

/// `fdatasync(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fdatasync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fdatasync)
}

/// `fsync(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn fsync(fd: c_int) -> c_int {
    sync(fd, libc::SYS_fsync)
}

/// `open64(2)`, with the third argument that it has where it may create a file.
///
/// # Safety
/// As the C library's. Where it is called with two arguments the third is whatever lay in its register, and is not looked
/// at by the kernel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    if faults::is_read_only(path, flags) {
        return refused(libc::EROFS) as c_int;
    }
    // SAFETY: the caller's own arguments.
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int }
}

/// `open(2)`.
///
/// # Safety
/// As [`open64`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn open(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller's own arguments.
    unsafe { open64(path, flags, mode) }
}

/// `clock_gettime(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the caller's own arguments.
    let result = unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) as c_int };
    if result == 0 && clock == libc::CLOCK_REALTIME {
        // SAFETY: the kernel has just written there.
        unsafe { (*time).tv_sec += faults::clock_is_off_by() };
    }
    result
}

/// How much of a write may go on; `None` where the disk takes nothing. The process may end here.
fn admitted(tracked: Tracked, count: size_t) -> Option<size_t> {
    faults::die_before(tracked);
    match faults::room_for(tracked, count) {
        None => Some(count),
        Some(0) => None,
        some => some,
    }
}

/// What a call that fails returns.
fn refused(error: c_int) -> ssize_t {
    // SAFETY: this thread's own `errno`.
    unsafe { *libc::__errno_location() = error };
    -1
}

fn sync(fd: c_int, call: libc::c_long) -> c_int {
    let tracked = Tracked::of(fd);
    if let Some(tracked) = tracked {
        faults::die_before(tracked);
        notes::hold(tracked);
        if faults::sync_fails(tracked) {
            return refused(libc::EIO) as c_int;
        }
    }
    // SAFETY: takes a number; a wrong one is an error that the caller is told.
    let result = unsafe { libc::syscall(call, fd) as c_int };
    if let Some(tracked) = tracked.filter(|_| result == 0) {
        notes::synced(tracked);
        if tracked == Tracked::Log {
            faults::committed();
        }
    }
    result
}
