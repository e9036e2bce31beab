//! What `a4co` says, and how it ends, where a NATS server is not as it must be.

#![allow(clippy::unwrap_used, reason = "for tests")]

use artifacts::nats::NatsServer;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

const MANIFEST: &str = r#"
spin_manifest_version = 2
[application]
name = "test"
[application.tool.events.streams]
ORDERS = { subjects = ["order.>"], max_messages = 1000 }
[trigger]
[component.a]
source = "a.wasm"
key_value_stores = ["default"]
"#;

/// A folder with an application that is never started.
fn application() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spin.toml"), MANIFEST).unwrap();
    std::fs::write(folder.path().join("a.wasm"), "").unwrap();
    folder
}

/// Runs `a4co` there; whether it succeeded, and what it printed.
fn a4co(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_a4co")).args(arguments).current_dir(folder).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

/// `a4co up` ends with an error that has these parts.
#[track_caller]
fn check_refused(folder: &Path, arguments: &[&str], parts: &[&str]) {
    let up = ["up", "--quiet", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
    let (success, said) = a4co(folder, &[&up, arguments].concat());
    assert!(!success, "{said}");
    let error = said.lines().skip_while(|line| !line.starts_with("error: ")).collect::<Vec<_>>().join("\n");
    for part in parts {
        assert!(error.contains(part), "{part:?} is not in\n{said}");
    }
}

#[test]
fn an_unreachable_server_ends_the_start() {
    let folder = application();
    let parts = ["no connection to NATS at nats://127.0.0.1:1", "is a server running there?"];
    check_refused(folder.path(), &["--nats", "nats://127.0.0.1:1"], &parts);
}

#[test]
fn wrong_credentials_end_the_start() {
    let (folder, server) = (application(), NatsServer::configured("authorization { token: \"right\" }"));
    std::fs::write(folder.path().join("token"), "wrong").unwrap();
    let arguments = ["--nats", &server.url(), "--nats-token-file", "token"];
    check_refused(folder.path(), &arguments, &[&server.url(), "does not accept what is in token"]);
}

#[test]
fn a_missing_permission_ends_the_start() {
    let server = NatsServer::configured(
        r#"authorization { users = [
            { user: "app", password: "x", permissions: { publish: { deny: ["$JS.API.STREAM.CREATE.ORDERS"] } } } ] }"#,
    );
    let (folder, url) = (application(), server.url().replace("nats://", "nats://app:x@"));
    let parts = ["stream ORDERS at", "does not let this user publish to `$JS.API.STREAM.CREATE.ORDERS`"];
    check_refused(folder.path(), &["--nats", &url], &parts);
}

#[test]
fn a_drifted_stream_ends_the_start_and_is_applied_by_the_command_named() {
    let (folder, server) = (application(), NatsServer::start());
    let (applied, said) = a4co(folder.path(), &["streams", "apply", "--nats", &server.url()]);
    assert!(applied && said.contains("+ ORDERS: to be created") && said.contains("done:"), "{said}");
    let changed = MANIFEST.replace("1000", "2000");
    std::fs::write(folder.path().join("spin.toml"), changed).unwrap();
    let line = "max_messages: expected 2000, found 1000";
    check_refused(folder.path(), &["--nats", &server.url()], &["~ ORDERS: differs", line, "a4co streams apply --nats"]);
    let (planned, said) = a4co(folder.path(), &["streams", "plan", "--nats", &server.url()]);
    assert!(planned && said.contains(line) && said.contains("to do this: a4co streams apply"), "{said}");
    let (applied, said) = a4co(folder.path(), &["streams", "apply", "--nats", &server.url()]);
    assert!(applied, "{said}");
    let (planned, said) = a4co(folder.path(), &["streams", "plan", "--nats", &server.url()]);
    assert!(planned && said.contains("  ORDERS: as expected\nnothing to do"), "{said}");
}

#[test]
fn a_state_directory_in_use_ends_the_start() {
    let (folder, server) = (application(), NatsServer::start());
    let state = folder.path().join(".a4co");
    std::fs::create_dir(&state).unwrap();
    let held = std::fs::File::create(state.join("lock")).unwrap();
    held.lock().unwrap();
    check_refused(folder.path(), &["--nats", &server.url()], &["the state directory .a4co is in use"]);
}
