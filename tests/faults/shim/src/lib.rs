//! Preloaded (`LD_PRELOAD`) into the host, it stands before the C library's writes and syncs of the database's files and
//! notes them in the file `$A4CO_UNSYNCED`: each write with what it overwrote, each sync once it has returned. After a
//! kill a test takes back what was not synced, as a power failure does. While the file `$A4CO_HOLD_SYNC` exists no sync
//! is begun.
//!
//! It never calls the functions it replaces, but the kernel itself.

#![expect(unsafe_code, reason = "it takes the place of functions of the C library, with their signatures")]

mod files;
mod notes;

use files::Tracked;
use libc::{c_int, c_void, off64_t, size_t, ssize_t};

/// `write(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, count: size_t) -> ssize_t {
    if let Some(tracked) = Tracked::of(fd) {
        // SAFETY: asks for the descriptor's position; the buffer is the caller's promise.
        unsafe { notes::write(fd, tracked, libc::lseek64(fd, 0, libc::SEEK_CUR), buffer, count) };
    }
    // SAFETY: the caller's own arguments.
    unsafe { libc::syscall(libc::SYS_write, fd, buffer, count) as ssize_t }
}

/// `pwrite64(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pwrite64(fd: c_int, buffer: *const c_void, count: size_t, offset: off64_t) -> ssize_t {
    if let Some(tracked) = Tracked::of(fd) {
        // SAFETY: the buffer is the caller's promise.
        unsafe { notes::write(fd, tracked, offset, buffer, count) };
    }
    // SAFETY: the caller's own arguments.
    unsafe { libc::syscall(libc::SYS_pwrite64, fd, buffer, count, offset) as ssize_t }
}

/// `ftruncate64(2)`.
///
/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ftruncate64(fd: c_int, length: off64_t) -> c_int {
    if let Some(tracked) = Tracked::of(fd) {
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

fn sync(fd: c_int, call: libc::c_long) -> c_int {
    let tracked = Tracked::of(fd);
    if let Some(tracked) = tracked {
        notes::hold(tracked);
    }
    // SAFETY: takes a number; a wrong one is an error that the caller is told.
    let result = unsafe { libc::syscall(call, fd) as c_int };
    if let Some(tracked) = tracked.filter(|_| result == 0) {
        notes::synced(tracked);
    }
    result
}
