//! `a4co check`.

use crate::manifest::{self, Given};
use std::io::Write;
use std::path::Path;

/// Checks the manifest at `path`, and says what is in it.
///
/// # Errors
/// The manifest's faults.
pub fn check(path: &Path, given: &Given, out: &mut dyn Write) -> anyhow::Result<()> {
    let application = manifest::load(path, given)?;
    for warning in &application.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    writeln!(
        out,
        "{}: ok: {} components, {} routes, {} streams, {} consumers",
        path.display(),
        application.components.len(),
        application.routes.len(),
        application.streams.len(),
        application.consumers().len(),
    )?;
    Ok(())
}
