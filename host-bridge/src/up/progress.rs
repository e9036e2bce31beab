//! Progress while components are compiled, on standard error.

use crate::engine::Progress;
use std::io::Write as _;

/// Shows one line a component, where it took compiling: a warm start has nothing to tell.
pub(super) struct Compiling {
    quiet: bool,
}

impl Compiling {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    pub(super) fn show(&self, step: Progress<'_>) {
        if self.quiet || step.cached {
            return;
        }
        // A closed standard error is no reason to stop.
        let _closed = writeln!(std::io::stderr(), "compiled {} ({}/{})", step.component, step.done, step.total);
    }
}
