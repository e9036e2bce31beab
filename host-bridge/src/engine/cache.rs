//! Compiled code on disk, so that a restart compiles nothing.
//!
//! A compiled file is native code: whoever writes one runs in this process. So a file counts only if it lies in our own
//! directory, belongs to us alone, and its bytes have the digest it opens with.

use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use wasmtime::Engine;
use wasmtime::component::Component;

const MAGIC: &[u8; 16] = b"a4co-compiled-1\n";
const DIGEST_BYTES: usize = 32;

/// SHA-256.
pub(super) type Digest256 = [u8; DIGEST_BYTES];

/// A directory of compiled components.
#[derive(Debug, Clone)]
pub(super) struct CodeCache {
    directory: PathBuf,
}

impl CodeCache {
    /// Opens `directory`, creating it for its owner alone.
    pub(super) fn open(directory: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// The compiled component, from the cache if it is there; whether it was.
    pub(super) fn load(&self, engine: &Engine, wasm: &[u8], digest: &Digest256) -> wasmtime::Result<(Component, bool)> {
        let path = self.directory.join(file_name(engine, digest));
        if let Some(component) = self.read(engine, &path) {
            return Ok((component, true));
        }
        let component = Component::from_binary(engine, wasm)?;
        if let Err(error) = self.write(&path, &component.serialize()?) {
            tracing::warn!(path = %path.display(), %error, "compiled code could not be kept; the next start compiles again");
        }
        Ok((component, false))
    }

    /// Removes what no component in `digests` uses on `engine`.
    pub(super) fn retain(&self, engine: &Engine, digests: &[Digest256]) {
        let keep: Vec<String> = digests.iter().map(|digest| file_name(engine, digest)).collect();
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        for entry in entries.flatten() {
            if !keep.iter().any(|name| entry.file_name() == name.as_str()) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn read(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let mut file = fs::File::open(path).ok()?;
        if !self.is_ours(&file.metadata().ok()?) {
            tracing::warn!(path = %path.display(), "compiled code others could have written is not used");
            return None;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).ok()?;
        let code = checked(&bytes).or_else(|| {
            tracing::warn!(path = %path.display(), "compiled code is damaged and is compiled again");
            None
        })?;
        deserialize(engine, code).inspect_err(|error| tracing::debug!(%error, "compiled code does not fit")).ok()
    }

    fn is_ours(&self, file: &fs::Metadata) -> bool {
        let Ok(directory) = fs::metadata(&self.directory) else { return false };
        file.is_file() && file.mode() & 0o077 == 0 && file.uid() == directory.uid() && directory.mode() & 0o022 == 0
    }

    /// Writes beside and renames: a reader sees all of it or nothing.
    fn write(&self, path: &Path, code: &[u8]) -> io::Result<()> {
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }
}

/// The code within a file, if its digest is right.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (digest, code) = rest.split_at_checked(DIGEST_BYTES)?;
    (Sha256::digest(code).as_slice() == digest).then_some(code)
}

#[expect(unsafe_code, reason = "Wasmtime marks loading native code unsafe; see the SAFETY comment")]
fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes were written by `CodeCache::write` from `Component::serialize`: they come from a file that only
    // our user can write, in a directory only our user can change, and have the digest noted when they were written.
    // Wasmtime itself checks version and configuration.
    unsafe { Component::deserialize(engine, code) }
}

/// Digest of the component, of Wasmtime and of the engine's configuration: another of any is another file.
fn file_name(engine: &Engine, digest: &Digest256) -> String {
    let mut hasher = Hashed(Sha256::new());
    hasher.write(digest);
    hasher.write(env!("CARGO_PKG_VERSION").as_bytes());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let mut name: String = hasher.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    name.push_str(".compiled");
    name
}

/// SHA-256 where `std` wants a hasher.
struct Hashed(Sha256);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const WASM: &[u8] = b"\0asm\x0d\0\x01\0";

    fn cached(directory: &Path) -> (CodeCache, Engine, PathBuf) {
        let (cache, engine) = (CodeCache::open(directory).unwrap(), Engine::default());
        let (_, hit) = cache.load(&engine, WASM, &[0; 32]).unwrap();
        assert!(!hit, "the first load compiles");
        let path = directory.join(file_name(&engine, &[0; 32]));
        (cache, engine, path)
    }

    #[test]
    fn a_second_load_compiles_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, engine, path) = cached(directory.path());
        assert!(cache.load(&engine, WASM, &[0; 32]).unwrap().1);
        assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_changed_file_is_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, engine, path) = cached(directory.path());
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&path, bytes).unwrap();
        assert!(!cache.load(&engine, WASM, &[0; 32]).unwrap().1);
        assert!(cache.load(&engine, WASM, &[0; 32]).unwrap().1, "and is replaced");
    }

    #[test]
    fn a_file_others_can_write_is_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, engine, path) = cached(directory.path());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!cache.load(&engine, WASM, &[0; 32]).unwrap().1);
    }

    #[test]
    fn another_configuration_is_another_file() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let other = Engine::new(&config).unwrap();
        assert_ne!(file_name(&Engine::default(), &[0; 32]), file_name(&other, &[0; 32]));
    }
}
