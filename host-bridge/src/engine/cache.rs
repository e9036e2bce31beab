//! Compiled code on disk, so that a restart compiles nothing.
//!
//! A compiled file is native code: whoever writes one runs in this process. So a file counts only if it lies in our own
//! directory, belongs to us alone, and its bytes have the digest it opens with.
//!
//! Several processes may share a directory, of one application or of many: each component is compiled by one of them while
//! the others wait, and what another application uses is kept.

use crate::clock::{Clock as _, SystemClock};
use sha2::{Digest, Sha256};
use std::fs;
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use wasmtime::Engine;
use wasmtime::component::Component;

const MAGIC: &[u8; 16] = b"a4co-compiled-1\n";
const DIGEST_BYTES: usize = 32;
/// How much of what this application does not use is kept: for an application beside it, and for the way back to the last
/// version. A component takes 1 to 4 MiB.
const KEPT_OF_OTHERS: u64 = 256 * 1024 * 1024;
/// What the shortest file counts for: none is free.
const BLOCK: u64 = 4096;

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

    /// The compiled component, from the cache if it is there; whether it was. While another process compiles it, waits.
    pub(super) fn load(&self, engine: &Engine, wasm: &[u8], digest: &Digest256) -> wasmtime::Result<(Component, bool)> {
        let path = self.directory.join(file_name(engine, digest));
        if let Some(component) = self.read(engine, &path) {
            return Ok((component, true));
        }
        let _alone = Alone::with(path.with_extension("lock"));
        if let Some(component) = self.read(engine, &path) {
            return Ok((component, true));
        }
        let component = Component::from_binary(engine, wasm)?;
        if let Err(error) = self.write(&path, &component.serialize()?) {
            tracing::warn!(path = %path.display(), %error, "compiled code could not be kept; the next start compiles again");
        }
        Ok((component, false))
    }

    /// Keeps what the components in `digests` use on `engine`, and of the rest what was used last, up to
    /// [`KEPT_OF_OTHERS`].
    pub(super) fn retain(&self, engine: &Engine, digests: &[Digest256]) {
        self.retain_within(KEPT_OF_OTHERS, engine, digests);
    }

    fn retain_within(&self, kept_of_others: u64, engine: &Engine, digests: &[Digest256]) {
        let ours: Vec<String> = digests.iter().map(|digest| file_name(engine, digest)).collect();
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        let is_other = |entry: &fs::DirEntry| !ours.iter().any(|name| entry.file_name() == name.as_str());
        let mut others: Vec<(SystemTime, u64, PathBuf)> = entries
            .flatten()
            .filter(is_other)
            .filter_map(|entry| {
                let file = entry.metadata().ok()?;
                Some((file.modified().ok()?, file.len().max(BLOCK), entry.path()))
            })
            .collect();
        others.sort_unstable_by(|one, other| other.cmp(one));
        let mut kept = 0;
        for (_, bytes, path) in others {
            kept += bytes;
            if kept > kept_of_others {
                let _ = fs::remove_file(path);
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
        // When it was used last; where that cannot be said it only goes sooner.
        let now = Duration::from_millis(SystemClock::default().now().0);
        let _ = file.set_modified(SystemTime::UNIX_EPOCH + now);
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
        let beside = path.with_extension("new");
        let _ = fs::remove_file(&beside);
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(MAGIC)?;
        file.write_all(&Sha256::digest(code))?;
        file.write_all(code)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    }
}

/// The right to compile one component, among all processes that share the directory. It ends with the process at the latest.
struct Alone {
    path: PathBuf,
    file: Option<fs::File>,
}

impl Alone {
    /// Waits for it. Where the file system knows no locks nobody waits, and the work is done twice.
    fn with(path: PathBuf) -> Self {
        let opened = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        let file = locked.inspect_err(|error| tracing::debug!(%error, "compiling without a lock")).ok();
        Self { path, file }
    }
}

impl Drop for Alone {
    /// Takes the file away first: who waits for it finds the component compiled, and who comes later needs no lock.
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = fs::remove_file(&self.path);
        }
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
    fn one_compiles_and_whoever_comes_meanwhile_waits_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, engine) = (CodeCache::open(directory.path()).unwrap(), Engine::default());
        let together = std::sync::Barrier::new(8);
        let load = || {
            together.wait();
            cache.load(&engine, WASM, &[0; 32]).unwrap().1
        };
        let hits = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|hit| *hit).count()
        });
        assert_eq!(hits, 7);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "and nothing else is left");
    }

    #[test]
    fn what_others_use_is_kept_the_last_used_first() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, engine) = (CodeCache::open(directory.path()).unwrap(), Engine::default());
        let at = |digest: u8| directory.path().join(file_name(&engine, &[digest; 32]));
        for digest in 0..4 {
            cache.load(&engine, WASM, &[digest; 32]).unwrap();
            let used = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::from(digest));
            fs::File::open(at(digest)).unwrap().set_modified(used).unwrap();
        }
        cache.load(&engine, WASM, &[1; 32]).unwrap();
        let bytes = fs::metadata(at(0)).unwrap().len().max(BLOCK);
        cache.retain_within(2 * bytes, &engine, &[[0; 32]]);
        let left: Vec<u8> = (0..4).filter(|digest| at(*digest).exists()).collect();
        assert_eq!(left, [0, 1, 3], "its own, the one just used, and the younger of the others");
    }

    #[test]
    fn another_configuration_is_another_file() {
        let mut config = wasmtime::Config::new();
        config.epoch_interruption(true);
        let other = Engine::new(&config).unwrap();
        assert_ne!(file_name(&Engine::default(), &[0; 32]), file_name(&other, &[0; 32]));
    }
}
