//! What the tests run: the host's binary, found where cargo put it, the components, built once, NATS servers, addresses.

mod addresses;
pub mod nats;

pub use addresses::free_address;

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

/// A binary of the workspace, beside the running test or program: `target/release/<name>`. Cargo builds it with the
/// tests because its package has an integration test.
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

/// Builds the host and the gateway, as cargo builds them for the tests; for programs that are run by themselves.
///
/// # Panics
/// Where the build fails; its output is in the message.
pub fn programs() {
    cargo(&["build", "--quiet", "--release", "--workspace", "--bin", "a4co", "--bin", "gateway"]);
}

/// Builds a library that is preloaded into a process; returns where it is. Cargo builds no `cdylib` for the tests of
/// others.
///
/// # Panics
/// Where the build fails; its output is in the message.
#[must_use]
pub fn preloaded(package: &str) -> PathBuf {
    cargo(&["build", "--quiet", "--release", "-p", package]);
    workspace().join(format!("target/release/lib{package}.so"))
}

/// Builds the `.wasm` of packages of this workspace, once a process; returns the folder they are in.
///
/// # Panics
/// Where the build fails; its output is in the message.
pub fn build(packages: &[&str]) -> PathBuf {
    let mut arguments = vec!["build", "--quiet", "--profile", "guest", "--target", "wasm32-wasip2"];
    arguments.extend(packages.iter().flat_map(|package| ["-p", package]));
    cargo(&arguments);
    workspace().join("target/wasm32-wasip2/guest")
}

#[expect(clippy::panic, clippy::expect_used, reason = "for tests")]
fn cargo(arguments: &[&str]) {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace()).args(arguments);
    // The variables cargo set for this process would make the inner one rebuild what is there.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST") || name == "CARGO_PRIMARY_PACKAGE" {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output().expect("cargo runs");
    if !output.status.success() {
        panic!("`cargo {}` failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
}

/// Builds the marketplace's components, once a process; returns the manifest.
pub fn marketplace() -> PathBuf {
    static BUILT: OnceLock<()> = OnceLock::new();
    BUILT.get_or_init(|| {
        build(&COMPONENTS);
    });
    workspace().join("spin.toml")
}
