//! Runs the programs of this folder, which are JavaScript because the clients that are not ours are.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Where they are.
#[must_use]
pub fn folder() -> PathBuf {
    artifacts::workspace().join("tests/interop")
}

/// Runs one file of tests, with the server's binary; `more` is environment beside it.
///
/// # Panics
/// Where a test in it fails, or none ran; what they said is in the message.
#[expect(clippy::panic, reason = "for tests")]
pub fn run(file: &str, more: &[(&str, PathBuf)]) {
    install();
    let mut node = Command::new("node");
    node.args(["--test", "--test-concurrency=1", "--test-reporter=spec"]).arg(format!("tests/{file}.test.js"));
    node.env("NATS_SERVER_BIN", artifacts::nats::nats_server()).env_remove("NATS_URL");
    node.envs(more.iter().map(|(name, value)| (name, value)));
    // Of a test runner around this one: it would speak the runner's language.
    node.env_remove("NODE_TEST_CONTEXT");
    let output = output(&mut node);
    let said = String::from_utf8_lossy(&output.stdout);
    let (passed, skipped) = (count(&said, "pass"), count(&said, "skipped"));
    if !output.status.success() || passed == 0 || skipped > 0 {
        panic!("{file}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    }
}

/// What the runner says at its end, such as `ℹ pass 4`.
fn count(said: &str, of: &str) -> usize {
    let line = said.lines().rev().find_map(|line| line.strip_prefix("ℹ ")?.strip_prefix(of)?.trim().parse().ok());
    line.unwrap_or_default()
}

/// Installs what `package-lock.json` names, once.
fn install() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let place = folder();
        if !is_current(&place) {
            let output = output(Command::new("npm").args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]));
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "npm ci in {}: {said}", place.display());
        }
    });
}

/// Whether what is installed is not older than what is wanted.
fn is_current(place: &Path) -> bool {
    let changed = |path: &str| std::fs::metadata(place.join(path)).and_then(|file| file.modified()).ok();
    changed("node_modules/.package-lock.json")
        .is_some_and(|at| changed("package-lock.json").is_some_and(|lock| at >= lock))
}

#[expect(clippy::panic, reason = "for tests")]
fn output(command: &mut Command) -> Output {
    command.current_dir(folder());
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}; Node.js 20 or newer and npm are needed"))
}
