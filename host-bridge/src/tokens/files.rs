//! Key files: `<party>.json` for its owner's eyes only, `<party>.public.json` for the other side.

use super::KeySet;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Mode of a file with private keys.
const PRIVATE: u32 = 0o600;
/// Mode of a file with public keys.
const PUBLIC: u32 = 0o644;

/// Why keys cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There are keys already.
    #[error("{0} exists: `a4co keys rotate` replaces keys without an interruption")]
    Exists(PathBuf),
    /// There are none.
    #[error("there is no {0}: make it with `a4co keys generate`, or copy it from where it was made")]
    Missing(PathBuf),
    /// Others may read it.
    #[error("{path} can be read by others (mode {mode:03o}): chmod 600 {path}, and rotate the key if it may be known")]
    Exposed {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It holds no usable keys.
    #[error("{path}: {reason}")]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The file system refused.
    #[error("{path}: {error}")]
    Io {
        /// On what.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
}

/// The file of `party`'s private keys.
#[must_use]
pub fn private_path(folder: &Path, party: &str) -> PathBuf {
    folder.join(format!("{party}.json"))
}

/// The file of `party`'s public keys.
#[must_use]
pub fn public_path(folder: &Path, party: &str) -> PathBuf {
    folder.join(format!("{party}.public.json"))
}

/// Makes a party's first key.
///
/// # Errors
/// Where it has one, or the files cannot be written.
pub fn generate(folder: &Path, party: &str) -> Result<KeySet, KeyFileError> {
    let path = private_path(folder, party);
    if path.exists() || public_path(folder, party).exists() {
        return Err(KeyFileError::Exists(path));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed(folder))?;
    let set = KeySet::generate().map_err(malformed(&path))?;
    write(folder, party, &set)?;
    Ok(set)
}

/// Gives a party a new key that signs; the one that signed so far stays active.
///
/// # Errors
/// Where it has none, or the files cannot be written.
pub fn rotate(folder: &Path, party: &str) -> Result<KeySet, KeyFileError> {
    let set = load_private(folder, party)?.rotated().map_err(malformed(&private_path(folder, party)))?;
    write(folder, party, &set)?;
    Ok(set)
}

/// Reads a party's private keys.
///
/// # Errors
/// Where there are none, others may read them, or they are malformed.
pub fn load_private(folder: &Path, party: &str) -> Result<KeySet, KeyFileError> {
    let path = private_path(folder, party);
    let set = load(&path)?;
    let mode = fs::metadata(&path).map_err(failed(&path))?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Exposed { path, mode });
    }
    if set.keys.iter().any(|key| key.d.is_none()) {
        return Err(malformed(&path)("a key lacks its private part: is this the public file?".to_owned()));
    }
    Ok(set)
}

/// Reads a party's public keys.
///
/// # Errors
/// Where there are none, or they are malformed.
pub fn load_public(folder: &Path, party: &str) -> Result<KeySet, KeyFileError> {
    load(&public_path(folder, party)).map(|set| set.public())
}

fn load(path: &Path) -> Result<KeySet, KeyFileError> {
    match fs::read_to_string(path) {
        Ok(text) => KeySet::parse(&text).map_err(malformed(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(KeyFileError::Missing(path.to_owned())),
        Err(error) => Err(failed(path)(error)),
    }
}

/// The public file first: whoever verifies must know a key before it signs.
fn write(folder: &Path, party: &str, set: &KeySet) -> Result<(), KeyFileError> {
    replace(&public_path(folder, party), &set.public().to_json(), PUBLIC)?;
    replace(&private_path(folder, party), &set.to_json(), PRIVATE)
}

/// Whole or not at all: a reader never meets half a file.
fn replace(path: &Path, text: &str, mode: u32) -> Result<(), KeyFileError> {
    let new = path.with_extension("json.new");
    let written = || -> io::Result<()> {
        // Left behind by a process that died here.
        let _none = fs::remove_file(&new);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    written().map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    |error| KeyFileError::Io { path, error }
}

fn malformed(path: &Path) -> impl FnOnce(String) -> KeyFileError {
    let path = path.to_owned();
    |reason| KeyFileError::Malformed { path, reason }
}
