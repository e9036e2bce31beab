//! A manifest of a test's own: another one with something changed in it.

use anyhow::{Context as _, Result, ensure};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The manifest, in a folder of its own.
#[derive(Debug)]
pub struct Manifest {
    folder: TempDir,
    text: String,
}

impl Manifest {
    /// A copy of the manifest at `path`. Its components stay where they are.
    ///
    /// # Errors
    /// Where there is none.
    pub fn copy(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let root = path.parent().context("a manifest lies in a folder")?;
        let text = text.replace("\nsource = \"", &format!("\nsource = \"{}/", root.display()));
        let manifest = Self { folder: tempfile::tempdir()?, text };
        manifest.write()?;
        Ok(manifest)
    }

    /// Puts `to` where `from` is, which must be one place.
    ///
    /// # Errors
    /// Where it is none, or several.
    pub fn replace(&mut self, from: &str, to: &str) -> Result<()> {
        let places = self.text.matches(from).count();
        ensure!(places == 1, "`{from}` is {places} times in the manifest");
        self.text = self.text.replace(from, to);
        self.write()
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join("spin.toml")
    }

    fn write(&self) -> Result<()> {
        Ok(std::fs::write(self.path(), &self.text)?)
    }
}
