//! What a manifest may say, and what each fault of one is answered.

use super::{Application, Given, ManifestError, Problem, load, parse};
use crate::bus::Start;
use crate::nats::streams::{Discard, StreamSettings};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

const FULL: &str = r#"
spin_manifest_version = 2
[application]
name = "shop"
version = "1.2.3"
authors = ["A <a@example.com>"]
targets = ["spin-up:3.3"]
[application.tool.events.streams.ORDERS]
subjects = ["order.>"]
max_age = "7d"
max_messages = 1000000
replicas = 3
duplicate_window = "5m"
discard = "old"
[application.tool.events.streams.INVENTORY]
subjects = ["inventory.>"]
[application.tool.key_value.default]
expire = [{ prefix = "drafts/", after = "2d" }, { prefix = "*/drafts/", after = "3d" }]
[application.tool.other]
anything = "goes"
[variables]
gateway = { default = "http://127.0.0.1:9000" }
token = { required = true, secret = true }
[[trigger.http]]
route = "/api/orders/..."
component = "order"
[[trigger.http]]
id = "second"
route = { private = true }
component = "stock"
executor = { type = "spin" }
[component.order]
source = "out/order.wasm"
key_value_stores = ["default"]
allowed_outbound_hosts = ["{{ gateway }}", "http://stock.spin.internal"]
variables = { url = "{{gateway}}/charge?t={{ token }}" }
environment = { MODE = "x" }
files = []
[component.order.build]
command = "cargo build"
workdir = "order"
watch = ["src/**"]
[component.order.tool.events]
subscribe = [{ subject = "order.created" }, { subject = "*.stock.>", key = "eventData.orderId", start = "all" }]
publish = ["order.>"]
concurrency = 4
handler_timeout = "250ms"
subjects = { note = "order.note" }
[component.order.tool.host]
memory = "32MiB"
request_timeout = "2s"
reuse_http = 8
[component.stock]
source = "out/stock.wasm"
build.command = ["one", "two"]
[component.stock.tool.events]
subscribe = [{ subject = "*.created" }]
"#;

fn given(flags: &[(&str, &str)], environment: &[(&str, &str)]) -> Given {
    let owned = |(a, b): &(&str, &str)| ((*a).to_owned(), (*b).to_owned());
    Given::with_environment(flags.iter().map(owned).collect(), environment.iter().map(owned))
}

fn full() -> Application {
    parse(Path::new("shop/spin.toml"), FULL, &given(&[("token", "t1")], &[("SPIN_VARIABLE_TOKEN", "t2")])).unwrap()
}

#[test]
fn a_manifest_is_read_and_resolved() {
    let shop = full();
    assert_eq!((shop.name.as_str(), shop.version.as_str()), ("shop", "1.2.3"));
    assert_eq!(shop.streams[0].max_age, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(shop.streams[0].max_messages, Some(1_000_000));
    let [orders, inventory] = &shop.wanted_streams()[..] else { panic!("two streams") };
    let minutes = Duration::from_secs(300);
    let expected = StreamSettings { replicas: Some(3), duplicate_window: Some(minutes), discard: Discard::Old };
    assert_eq!((&orders.1, &inventory.1), (&expected, &StreamSettings::default()));
    let days = |store: &str, key: &str| shop.expiries.after(store, key).map(|after| after.as_secs() / 86_400);
    assert_eq!(["drafts/1", "draft/1", "x/drafts/1"].map(|key| days("default", key)), [Some(2), None, Some(3)]);
    assert_eq!(days("other", "drafts/1"), None);
    let order = &shop.components[0];
    assert_eq!(order.source, Path::new("shop/out/order.wasm"));
    assert_eq!(order.build.as_ref().unwrap().workdir, Path::new("shop/order"));
    assert_eq!(order.allowed_outbound_hosts, ["http://127.0.0.1:9000", "http://stock.spin.internal"]);
    assert_eq!(order.variables["url"], "http://127.0.0.1:9000/charge?t=t1");
    assert_eq!(order.environment["MODE"], "x");
    assert_eq!((order.limits.memory_bytes, order.limits.reuse_http), (32 << 20, 8));
    assert_eq!(order.limits.request_timeout, Duration::from_secs(2));
    let events = order.events.as_ref().unwrap();
    assert_eq!((events.concurrency, events.max_attempts), (4, 8));
    assert_eq!(events.handler_timeout, Duration::from_millis(250));
    assert_eq!(events.subscribe[0].key, "aggregateId");
    assert_eq!((events.subscribe[1].key.as_str(), events.subscribe[1].start), ("eventData.orderId", Start::All));
    assert_eq!(events.subjects["note"], "order.note");
    assert_eq!(shop.components[1].build.as_ref().unwrap().commands, ["one", "two"]);
    assert_eq!(shop.routes[0].pattern.as_deref(), Some("/api/orders/..."));
    assert_eq!((shop.routes[1].pattern.as_deref(), shop.routes[1].component.as_str()), (None, "stock"));
    assert_eq!(shop.warnings, [] as [String; 0]);
}

#[test]
fn a_pattern_that_spans_streams_gives_a_consumer_of_each() {
    let names: Vec<String> = full().consumers().iter().map(crate::bus::ConsumerConfig::name).collect();
    assert_eq!(names, ["order/ORDERS", "order/INVENTORY", "stock/ORDERS", "stock/INVENTORY"]);
}

#[test]
fn the_environment_gives_variables_and_the_command_line_wins() {
    let token =
        |given: Given| parse(Path::new("spin.toml"), FULL, &given).unwrap().components[0].variables["url"].clone();
    assert!(token(given(&[], &[("SPIN_VARIABLE_TOKEN", "t2")])).ends_with("t=t2"));
    assert!(token(given(&[("token", "t1")], &[("SPIN_VARIABLE_TOKEN", "t2")])).ends_with("t=t1"));
}

/// The faults of `text`, as `line:column: key: what` and remedy.
fn faults(text: &str, given: &Given) -> Vec<Problem> {
    match parse(Path::new("spin.toml"), text, given) {
        Err(ManifestError::Invalid { problems, .. }) => problems,
        other => panic!("no fault was found: {other:?}"),
    }
}

/// A manifest with `streams`, and a component `a`: five lines before `rest`.
fn with(rest: &str) -> String {
    let head = "spin_manifest_version = 2\napplication.name = \"x\"\napplication.tool.events.streams.S.subjects = [\"order.>\"]";
    format!("{head}\ntrigger.http = []\n[component.a]\nsource = \"a.wasm\"\n{rest}")
}

#[track_caller]
fn check_fault(text: &str, place: &str, what: &str, remedy: &str) {
    let problems = faults(text, &Given::default());
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = &problems[0];
    let found = format!("{}:{}: {}", problem.line, problem.column, problem.key);
    assert_eq!(found, place, "{problem}");
    assert!(problem.what.contains(what), "{what:?} is not in {:?}", problem.what);
    assert!(problem.remedy.contains(remedy), "{remedy:?} is not in {:?}", problem.remedy);
}

#[test]
fn faults_of_a_component_are_placed_and_explained() {
    for (rest, place, what, remedy) in [
        ("sorce = 1", "7:1: component.a.sorce", "unknown key", "did you mean `source`?"),
        ("zzz = 1", "7:1: component.a.zzz", "unknown key", "known here: description, source"),
        ("environment = 5", "7:15: component.a.environment", "expected a table, got a number", "a table"),
        ("key_value_stores = [\"a b\"]", "7:21: component.a.key_value_stores[0]", "store's label", "letters"),
        ("allowed_outbound_hosts = [\"a.com\"]", "7:27: component.a.allowed_outbound_hosts[0]", "a.com", "://"),
        ("allowed_outbound_hosts = [\"http://a/b\"]", "7:27: component.a.allowed_outbound_hosts[0]", "a/b", "://"),
        ("variables = { u = \"{{ no }}\" }", "7:19: component.a.variables.u", "no variable `no`", "[variables]"),
        ("variables = { u = \"{{ no\" }", "7:19: component.a.variables.u", "never closed", "}}"),
        ("variables = { Url = \"x\" }", "7:15: component.a.variables.Url", "not a variable's name", "lower_snake"),
        ("files = [\"x\"]", "7:1: component.a.files", "not supported", "include_bytes"),
        ("sqlite_databases = [\"x\"]", "7:1: component.a.sqlite_databases", "not supported", "key_value_stores"),
        ("ai_models = [\"x\"]", "7:1: component.a.ai_models", "not supported", "HTTP"),
        (
            "allowed_http_hosts = [\"x\"]",
            "7:1: component.a.allowed_http_hosts",
            "not supported",
            "allowed_outbound_hosts",
        ),
        ("build = { comand = \"x\", command = \"x\" }", "7:11: component.a.build.comand", "unknown key", "`command`"),
        ("build = { workdir = \"x\" }", "7:1: component.a.build.command", "`command` is missing", "add command ="),
        ("build = { command = [] }", "7:21: component.a.build.command", "no command", "builds the component"),
        ("tool.host.memory = \"64 parsecs\"", "7:20: component.a.tool.host.memory", "64 parsecs", "64MiB"),
        ("tool.host.memory = 0", "7:20: component.a.tool.host.memory", "above zero, got 0", "64MiB"),
        ("tool.host.memry = 1", "7:11: component.a.tool.host.memry", "unknown key", "`memory`"),
        ("tool.host.handles = -1", "7:21: component.a.tool.host.handles", "at least 1, got -1", "number"),
        ("tool.host.request_timeout = 5", "7:29: component.a.tool.host.request_timeout", "duration", "\"5s\""),
        ("[component.Big]\nsource = \"b\"", "7:12: component.Big", "not a component's id", "lower case"),
        ("[component.events]\nsource = \"b\"", "7:12: component.events", "is taken", "another id"),
        ("[component.b]\nsource = { url = \"u\", digest = \"d\" }", "8:10: component.b.source", "URL", "path"),
        ("[component.b]\ndescription = \"\"", "7:12: component.b.source", "`source` is missing", "add source"),
    ] {
        check_fault(&with(rest), place, what, remedy);
    }
}

#[test]
fn faults_of_events_are_placed_and_explained() {
    let at = "component.a.tool.events";
    for (rest, place, what, remedy) in [
        ("subscrib = []", format!("7:13: {at}.subscrib"), "unknown key", "`subscribe`"),
        (
            "subscribe = [{ subject = \"ordre.x\" }]",
            format!("7:38: {at}.subscribe[0].subject"),
            "no stream takes",
            "streams",
        ),
        (
            "subscribe = [{ subject = \"order..x\" }]",
            format!("7:38: {at}.subscribe[0].subject"),
            "empty token",
            "tokens",
        ),
        ("subscribe = [{ key = \"k\" }]", format!("7:26: {at}.subscribe[0].subject"), "missing", "add subject"),
        (
            "subscribe = [{ subject = \"order.*\" }, { subject = \"order.created\" }]",
            format!("7:63: {at}.subscribe[1].subject"),
            "both `order.*` and `order.created`",
            "no two",
        ),
        (
            "subscribe = [{ subject = \"order.a\", start = \"old\" }]",
            format!("7:57: {at}.subscribe[0].start"),
            "`old` is not a start",
            "\"all\"",
        ),
        (
            "subscribe = [{ subject = \"order.a\", key = \"a..b\" }]",
            format!("7:55: {at}.subscribe[0].key"),
            "not a key",
            "eventData",
        ),
        ("publish = [\"paymnt.>\"]", format!("7:24: {at}.publish[0]"), "no stream takes", "streams"),
        ("publish = [\"ordr.>\"]", format!("7:24: {at}.publish[0]"), "no stream takes", "did you mean `order.>`"),
        ("concurrency = 0", format!("7:27: {at}.concurrency"), "at least 1, got 0", "number"),
        ("max_attempts = \"8\"", format!("7:28: {at}.max_attempts"), "whole number", "number"),
        ("handler_timeout = \"5\"", format!("7:31: {at}.handler_timeout"), "duration", "\"5s\""),
        ("subjects = { note = \"a b\" }", format!("7:33: {at}.subjects.note"), "not a subject", "subject"),
    ] {
        check_fault(&with(&format!("tool.events.{rest}")), &place, what, remedy);
    }
}

#[test]
fn faults_of_stores_are_placed_and_explained() {
    let at = "application.tool.key_value";
    for (rest, place, what, remedy) in [
        ("b = {}", format!("9:1: {at}.b"), "no component opens", "key_value_stores"),
        ("s.expires = []", format!("9:3: {at}.s.expires"), "unknown key", "`expire`"),
        ("s.expire = [{ prefix = \"a\" }]", format!("9:13: {at}.s.expire[0].after"), "missing", "\"2d\""),
        ("s.expire = [{ after = \"1d\" }]", format!("9:13: {at}.s.expire[0].prefix"), "missing", "prefix ="),
        (
            "s.expire = [{ prefix = \"\", after = \"1d\" }]",
            format!("9:24: {at}.s.expire[0].prefix"),
            "whole store",
            "begin",
        ),
        (
            "s.expire = [{ prefix = \"a\", after = \"9ms\" }]",
            format!("9:37: {at}.s.expire[0].after"),
            "short",
            "\"1s\"",
        ),
        (
            "s.expire = [{ prefix = \"a/\", after = \"1d\" }, { prefix = \"a/b\", after = \"2d\" }]",
            format!("9:57: {at}.s.expire[1].prefix"),
            "`a/` too",
            "longer prefix first",
        ),
    ] {
        let text = with(&format!("key_value_stores = [\"s\"]\n[application.tool.key_value]\n{rest}"));
        check_fault(&text, &place, what, remedy);
    }
}

#[test]
fn faults_of_the_application_are_placed_and_explained() {
    let streams = "[application.tool.events.streams.T]\n";
    let variable = "[variables]\n";
    let route = "[[trigger.http]]\ncomponent = \"a\"\nroute = ";
    let minimal =
        |rest: &str| format!("spin_manifest_version = 2\napplication.name = \"x\"\ntrigger.http = []\n{rest}");
    let tables = |rest: &str| {
        format!(
            "spin_manifest_version = 2\n[application]\nname = \"x\"\n[application.tool.events.streams.S]\n\
             subjects = [\"order.>\"]\n[component.a]\nsource = \"a\"\n{rest}"
        )
    };
    let routed = |rest: &str| tables(&format!("{route}{rest}"));
    let cases = [
        ("[application".to_owned(), "1:13: ", "not TOML", "toml.io"),
        ("application.name = \"x\"\ntrigger = {}".into(), "1:1: spin_manifest_version", "missing", "= 2"),
        (
            "spin_manifest_version = 3\napplication.name = \"x\"\ntrigger = {}".into(),
            "1:25: spin_manifest_version",
            "version",
            "= 2",
        ),
        ("spin_manifest_version = 2\n[application]\n[trigger]".into(), "2:2: application.name", "missing", "name ="),
        ("spin_manifest_version = 2\napplication.name = \"x\"".into(), "1:1: trigger", "missing", "[[trigger.http]]"),
        (minimal("componnet = {}"), "4:1: componnet", "unknown key", "`component`"),
        (minimal("variables.x = {}"), "4:11: variables.x", "neither a default nor required", "required = true"),
        (minimal("variables.x.required = true"), "4:11: variables.x", "no value", "SPIN_VARIABLE_X"),
        (
            minimal("variables.x = { defualt = \"\", required = false, default = \"\" }"),
            "4:17: variables.x.defualt",
            "unknown",
            "`default`",
        ),
        (
            tables(&format!("[trigger]\n{streams}subjects = [\"order.x\"]")),
            "10:13: application.tool.events.streams.T.subjects[0]",
            "overlaps the subjects of stream S",
            "one stream",
        ),
        (
            tables(&format!("[trigger]\n{streams}subjects = []")),
            "10:12: application.tool.events.streams.T.subjects",
            "empty",
            "at least one",
        ),
        (
            tables(&format!("[trigger]\n{streams}subject = \"x\"\nsubjects = [\"t.>\"]")),
            "10:1: application.tool.events.streams.T.subject",
            "unknown key",
            "`subjects`",
        ),
        (
            tables(&format!("[trigger]\n{streams}subjects = [\"t.>\"]\nmax_age = 7")),
            "11:11: application.tool.events.streams.T.max_age",
            "duration",
            "\"7d\"",
        ),
        (
            tables(&format!("[trigger]\n{streams}subjects = [\"t.>\"]\nreplicas = 2")),
            "11:12: application.tool.events.streams.T.replicas",
            "2 is no number of replicas",
            "1, 3 or 5",
        ),
        (
            tables(&format!("[trigger]\n{streams}subjects = [\"t.>\"]\ndiscard = \"all\"")),
            "11:11: application.tool.events.streams.T.discard",
            "not what a full stream can do",
            "\"new\"",
        ),
        (
            tables(&format!("[trigger]\n{variable}bad__name = {{ default = \"\" }}")),
            "10:1: variables.bad__name",
            "not a variable's name",
            "lower_snake",
        ),
        (
            tables("[[trigger.http]]\nroute = \"/x\"\ncomponent = \"b\""),
            "10:13: trigger.http[0].component",
            "no component `b`",
            "`a`",
        ),
        (tables("[[trigger.http]]\nroute = \"/x\""), "8:1: trigger.http[0].component", "missing", "component ="),
        (
            tables("[[trigger.http]]\nroute = \"/x\"\ncomponent = { source = \"b\" }"),
            "10:13: trigger.http[0].component",
            "named here",
            "[component.<id>]",
        ),
        (routed("\"x\""), "10:9: trigger.http[0].route", "does not begin with `/`", "/path"),
        (routed("\"/.../x\""), "10:9: trigger.http[0].route", "not at its end", "last"),
        (routed("\"/.../\""), "10:9: trigger.http[0].route", "not at its end", "last"),
        (routed("\"/a/:\""), "10:9: trigger.http[0].route", "no name", ":id"),
        (routed("\"/a//b\""), "10:9: trigger.http[0].route", "empty segment", "one `/`"),
        (routed("\"//\""), "10:9: trigger.http[0].route", "empty segment", "one `/`"),
        (
            routed(&format!("\"/a\"\n{route}\"/a/\"")),
            "13:9: trigger.http[1].route",
            "taken already, by component `a`",
            "one component",
        ),
        (
            routed("{ privat = true, private = true }"),
            "10:11: trigger.http[0].route.privat",
            "unknown key",
            "`private`",
        ),
        (routed("{ private = false }"), "10:21: trigger.http[0].route.private", "private or has a path", "/path"),
        (
            routed(&format!("\"/a/:b\"\n{route}\"/a/:c\"")),
            "13:9: trigger.http[1].route",
            "taken already, by component `a`",
            "one component",
        ),
        (
            routed("\"/x\"\nexecutor = { type = \"wagi\" }"),
            "11:21: trigger.http[0].executor.type",
            "wasi:http only",
            "executor",
        ),
    ];
    for (text, place, what, remedy) in cases {
        check_fault(&text, place, what, remedy);
    }
}

#[test]
fn a_variable_nobody_knows_is_refused() {
    let problems = faults(FULL, &given(&[("token", "x"), ("gatewy", "y")], &[]));
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0].what.contains("--variable gatewy=…") && problems[0].remedy.contains("gateway"),
        "{}",
        problems[0]
    );
}

#[test]
fn other_triggers_are_left_to_spin_with_a_warning() {
    let text = with("[[trigger.redis]]\nchannel = \"x\"\ncomponent = \"a\"").replace("trigger.http = []\n", "");
    let warnings = parse(Path::new("spin.toml"), &text, &Given::default()).unwrap().warnings;
    assert_eq!(warnings, ["line 6: trigger.redis: this host runs HTTP triggers only; these are left to Spin"]);
}

#[test]
fn every_fault_is_reported_at_once_with_its_line() {
    let error = parse(Path::new("spin.toml"), &with("sorce = 1\ntool.host.memory = \"x\""), &Given::default());
    let expected = "\
spin.toml:7:1: component.a.sorce: unknown key
  7 | sorce = 1
    | ^^^^^
    = did you mean `source`?

spin.toml:8:20: component.a.tool.host.memory: expected a size above zero, got \"x\"
  8 | tool.host.memory = \"x\"
    |                    ^^^
    = write a string such as \"64MiB\", or a number of bytes";
    assert_eq!(error.unwrap_err().to_string(), expected);
}

#[test]
fn a_manifest_that_is_not_there_says_so() {
    let error = load(Path::new("nowhere/spin.toml"), &Given::default()).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read the manifest nowhere/spin.toml: ") && error.contains("--manifest"),
        "{error}"
    );
}

#[test]
fn unused_maps_stay_empty() {
    let application = parse(Path::new("spin.toml"), &with(""), &Given::default()).unwrap();
    assert_eq!(application.components[0].variables, BTreeMap::new());
    assert_eq!(application.consumers().len(), 0);
}
