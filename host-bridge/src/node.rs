//! Which node this is: a process that is started again on the same directory is the same one.

use crate::clock::Millis;
use anyhow::Context as _;
use std::path::Path;
use uuid::{NoContext, Timestamp, Uuid};

/// The file with the id.
const FILE: &str = "node-id";

/// The id kept in `directory`, made at the first start. Whoever calls holds the directory's lock.
pub(crate) fn id(directory: &Path, now: Millis) -> anyhow::Result<String> {
    let file = directory.join(FILE);
    match std::fs::read_to_string(&file) {
        Ok(text) => {
            let id = Uuid::try_parse(text.trim());
            let id = id.with_context(|| format!("{} holds no node id: remove it", file.display()))?;
            Ok(id.to_string())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(&file, now),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

/// Written beside and renamed: a crash leaves no half of one.
fn create(file: &Path, now: Millis) -> anyhow::Result<String> {
    let nanos = u32::try_from(now.0 % 1_000).unwrap_or_default() * 1_000_000;
    let id = Uuid::new_v7(Timestamp::from_unix(NoContext, now.0 / 1_000, nanos)).to_string();
    let beside = file.with_extension("new");
    std::fs::write(&beside, format!("{id}\n")).with_context(|| format!("writing {}", beside.display()))?;
    std::fs::rename(&beside, file).with_context(|| format!("writing {}", file.display()))?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_keeps_its_id_and_another_has_another() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = id(one.path(), Millis(1_700_000_000_000)).unwrap();
        assert_eq!(id(one.path(), Millis(1_800_000_000_000)).unwrap(), first);
        assert_ne!(id(other.path(), Millis(1_700_000_000_000)).unwrap(), first);
        std::fs::write(one.path().join(FILE), "nonsense").unwrap();
        let error = format!("{:#}", id(one.path(), Millis(0)).unwrap_err());
        assert!(error.contains("holds no node id"), "{error}");
    }
}
