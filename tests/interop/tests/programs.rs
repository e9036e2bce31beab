//! Each file of tests in JavaScript, as a test of this workspace.
#![allow(clippy::unwrap_used, reason = "for tests")]

use interop::{folder, run};

#[test]
fn a_plain_client_and_the_host_understand_each_other() {
    let manifest = artifacts::marketplace();
    run("flow", &[("A4CO_BIN", artifacts::binary("a4co")), ("A4CO_MANIFEST", manifest)]);
}

#[test]
fn the_wire_contract_passes_through_a_plain_client() {
    run("wire", &[]);
}

#[test]
fn every_role_may_do_its_work_on_nats_and_nothing_else() {
    run("permissions", &[]);
}

#[test]
fn every_server_that_infra_configures_serves() {
    run("servers", &[]);
}

#[test]
fn alerts_and_dashboards_ask_for_what_exists() {
    run("queries", &[]);
}

#[test]
fn what_compose_and_spinkube_name_exists() {
    run("deployment", &[]);
}

#[test]
fn no_file_of_tests_is_forgotten() {
    let here = include_str!("programs.rs");
    let files = std::fs::read_dir(folder().join("tests")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let tests: Vec<_> = names.filter_map(|name| name.strip_suffix(".test.js").map(str::to_owned)).collect();
    assert!(tests.len() >= 6, "{tests:?}");
    for name in tests {
        assert!(here.contains(&format!("run(\"{name}\",")), "nothing runs {name}.test.js");
    }
}
