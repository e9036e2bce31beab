//! What the tests run: the host's binary, found where cargo put it, and the components, built once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The components of the marketplace.
pub const COMPONENTS: [&str; 8] =
    ["artisan", "product", "inventory", "order", "payment", "gateway-sandbox", "saga", "notification"];

/// The root of the workspace.
#[must_use]
pub fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// A binary of the workspace, beside the running test or program: `target/release/<name>`.
///
/// # Panics
/// Where it is not there; the message says what to run.
#[must_use]
#[expect(clippy::panic, clippy::expect_used, reason = "for tests")]
pub fn binary(name: &str) -> PathBuf {
    let this = std::env::current_exe().expect("the running program has a path");
    let found = this.ancestors().skip(1).take(3).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: run `cargo build --release --workspace` first"))
}

/// Builds the `.wasm` of packages of this workspace, once a process; returns the folder they are in.
///
/// # Panics
/// Where the build fails; its output is in the message.
#[expect(clippy::panic, clippy::expect_used, reason = "for tests")]
pub fn build(packages: &[&str]) -> PathBuf {
    let folder = workspace().join("target/wasm32-wasip2/guest");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(["build", "--quiet", "--profile", "guest", "--target", "wasm32-wasip2"]);
    for package in packages {
        cargo.args(["-p", package]);
    }
    // The variables cargo set for this process would make the inner one rebuild what is there.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST") || name == "CARGO_PRIMARY_PACKAGE" {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().expect("cargo runs");
    if !output.status.success() {
        panic!("building {packages:?} failed:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    folder
}

/// Builds the marketplace's components, once a process; returns the manifest.
pub fn marketplace() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&COMPONENTS);
    });
    workspace().join("spin.toml")
}
