//! The virtual file system: the system's own, but that reads and writes of a database's pages pass through here.
//!
//! It opens files with the system's own functions, and hands SQLite their table with three entries replaced. So the file
//! object stays the system's, and every other function works on it as if nobody stood before it.

#![expect(unsafe_code, reason = "SQLite's file systems are tables of C functions")]

use crate::page::Page;
use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;

/// What connections are opened with.
pub const NAME: &CStr = c"a4co-checked";

/// What a page is that SQLite takes for one of the file's, and that lies past its end.
const PAST_END: c_int = ffi::SQLITE_IOERR_CORRUPTFS;

/// The system's own file system. SQLite never takes it back.
struct Base(*mut sqlite3_vfs);

// SAFETY: what it points to is SQLite's, lives as long as the process and is not changed; its functions are made to be
// called from any thread.
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

/// The functions of the system's files, and the same with ours in between.
struct Methods {
    /// Where the system's table lies: there is one for each kind of file system.
    place: usize,
    own: sqlite3_io_methods,
    checked: sqlite3_io_methods,
    /// For a file that may be in the making.
    growing: sqlite3_io_methods,
}

static BASE: OnceLock<Base> = OnceLock::new();
static METHODS: OnceLock<Methods> = OnceLock::new();

/// Makes the file system known to SQLite, once a process: for whoever names it in a URI.
///
/// # Errors
/// Where SQLite does not take it.
pub fn register() -> rusqlite::Result<()> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    match REGISTERED.get_or_init(register_now) {
        &ffi::SQLITE_OK => Ok(()),
        code => Err(rusqlite::Error::SqliteFailure(ffi::Error::new(*code), None)),
    }
}

fn register_now() -> c_int {
    // SAFETY: no name asks for the default; the result is null or lives as long as the process.
    let base = unsafe { ffi::sqlite3_vfs_find(std::ptr::null()) };
    // SAFETY: checked for null by `as_ref`.
    let Some(system) = (unsafe { base.as_ref() }) else { return ffi::SQLITE_ERROR };
    BASE.get_or_init(|| Base(base));
    let ours = sqlite3_vfs { zName: NAME.as_ptr(), pNext: std::ptr::null_mut(), xOpen: Some(open), ..*system };
    // SAFETY: SQLite keeps the pointer for as long as the process lives: so does a leaked box.
    unsafe { ffi::sqlite3_vfs_register(Box::into_raw(Box::new(ours)), 0) }
}

/// Opens a file as the system does; a database's is checked from here on.
unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    out: *mut c_int,
) -> c_int {
    let Some(Base(base)) = BASE.get() else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: set once to a file system that lives as long as the process.
    let Some(system_open) = (unsafe { (**base).xOpen }) else { return ffi::SQLITE_CANTOPEN };
    // SAFETY: the caller's own arguments. The file has as many bytes as the system's file system asks for: ours says the
    // same size.
    let code = unsafe { system_open(*base, name, file, flags, out) };
    if code != ffi::SQLITE_OK || flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
        return code;
    }
    // SAFETY: an open file has a table of functions, which lives as long as the process.
    let (place, own) = unsafe { ((*file).pMethods.addr(), *(*file).pMethods) };
    let methods = METHODS.get_or_init(|| Methods {
        place,
        own,
        checked: checked(own, read),
        growing: checked(own, read_growing),
    });
    if methods.place != place {
        // Another kind of file system under it: its pages would pass by unchecked.
        if let Some(close) = own.xClose {
            // SAFETY: it was opened just now, with this table.
            unsafe { close(file) };
        }
        // SAFETY: tells SQLite that there is nothing to close.
        unsafe { (*file).pMethods = std::ptr::null() };
        return ffi::SQLITE_CANTOPEN;
    }
    let growing = flags & ffi::SQLITE_OPEN_CREATE != 0;
    // SAFETY: the table lives as long as the process.
    unsafe { (*file).pMethods = if growing { &raw const methods.growing } else { &raw const methods.checked } };
    code
}

/// How SQLite reads.
type Read = unsafe extern "C" fn(*mut sqlite3_file, *mut c_void, c_int, i64) -> c_int;

/// Version 2 has no memory maps, in which pages would be read without us.
fn checked(own: sqlite3_io_methods, read: Read) -> sqlite3_io_methods {
    sqlite3_io_methods {
        iVersion: own.iVersion.min(2),
        xRead: Some(read),
        xWrite: Some(write),
        xDeviceCharacteristics: Some(characteristics),
        ..own
    }
}

/// A page past the end is none that was lost: SQLite gave it away, took it back before it was written, and gives it away
/// again. It reads zeros then.
unsafe extern "C" fn read_growing(file: *mut sqlite3_file, into: *mut c_void, amount: c_int, offset: i64) -> c_int {
    // SAFETY: the caller's own arguments.
    match unsafe { read(file, into, amount, offset) } {
        PAST_END => ffi::SQLITE_IOERR_SHORT_READ,
        code => code,
    }
}

unsafe extern "C" fn read(file: *mut sqlite3_file, into: *mut c_void, amount: c_int, offset: i64) -> c_int {
    let Some(system_read) = METHODS.get().and_then(|methods| methods.own.xRead) else { return ffi::SQLITE_IOERR_READ };
    // SAFETY: the caller's own arguments, for the file's own function.
    let code = unsafe { system_read(file, into, amount, offset) };
    let length = usize::try_from(amount).unwrap_or_default();
    match (code, Page::at(offset, length)) {
        (ffi::SQLITE_OK, Some(page)) => {
            // SAFETY: a buffer of that length, which was just filled.
            let bytes = unsafe { std::slice::from_raw_parts(into.cast::<u8>(), length) };
            if page.is_sound(bytes) { code } else { ffi::SQLITE_IOERR_DATA }
        }
        // A page that SQLite takes for one of the file's is past its end.
        (ffi::SQLITE_IOERR_SHORT_READ, Some(_)) => PAST_END,
        _ => code,
    }
}

unsafe extern "C" fn write(file: *mut sqlite3_file, from: *const c_void, amount: c_int, offset: i64) -> c_int {
    let Some(system_write) = METHODS.get().and_then(|methods| methods.own.xWrite) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    let length = usize::try_from(amount).unwrap_or_default();
    let Some(page) = Page::at(offset, length) else {
        // SAFETY: the caller's own arguments, for the file's own function.
        return unsafe { system_write(file, from, amount, offset) };
    };
    // SQLite's own bytes stay as they are.
    // SAFETY: a buffer of that length.
    let mut bytes = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), length) }.to_vec();
    page.seal(&mut bytes);
    // SAFETY: a buffer of that length, for the file's own function.
    unsafe { system_write(file, bytes.as_ptr().cast(), amount, offset) }
}

/// Without reads of parts of a page, which could not be checked.
unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    let own = METHODS.get().and_then(|methods| methods.own.xDeviceCharacteristics);
    // SAFETY: the caller's own argument, for the file's own function.
    own.map_or(0, |own| unsafe { own(file) } & !ffi::SQLITE_IOCAP_SUBPAGE_READ)
}
