//! What the command line accepts and prints.

use super::events::Notices;
use super::screen::{Place, render};
use super::{Args, Options, completions, consumers, dead_letters, events};
use crate::manifest::{Given, parse};
use crate::nats::{Authentication, Preset};
use clap::Parser;
use serde_json::json;
use std::path::Path;

fn resolve(line: &str) -> anyhow::Result<Options> {
    Options::resolve(Args::try_parse_from(line.split_whitespace())?)
}

#[test]
fn up_has_safe_defaults() {
    let Options::Up(up) = resolve("a4co up").unwrap() else { panic!("not up") };
    assert_eq!(
        (up.listen.to_string(), up.admin_listen.to_string()),
        ("127.0.0.1:3000".into(), "127.0.0.1:3001".into())
    );
    assert_eq!((up.manifest.as_path(), up.state_dir.as_path()), (Path::new("spin.toml"), Path::new(".a4co")));
    assert!(!up.build && !up.quiet);
}

#[test]
fn nats_is_reached_as_the_flags_say() {
    let Options::Up(up) = resolve("a4co up --nats nats://a:1,tls://b:2 --nats-nkey n --durability safe").unwrap()
    else {
        panic!("not up")
    };
    let nats = up.nats.unwrap();
    assert_eq!((nats.settings.servers, nats.prefix.as_str()), (vec!["nats://a:1".into(), "tls://b:2".into()], "A4CO"));
    assert_eq!(nats.settings.authentication, Authentication::Nkey("n".into()));
    assert_eq!(nats.settings.preset, Preset::Safe);
}

#[test]
fn every_command_of_the_manual_is_accepted() {
    for line in [
        "a4co up --build --manifest a/spin.toml --listen 127.0.0.1:1 --admin-listen 127.0.0.1:2 --state-dir s \
         --variable k=v --variable a=b=c --log-format json --quiet",
        "a4co check",
        "a4co dlq list",
        "a4co dlq show 1 --json",
        "a4co dlq replay 1 2",
        "a4co dlq discard 1 --admin http://127.0.0.1:9",
        "a4co events tail --subject order.>",
        "a4co events show c-1",
        "a4co events publish order.created -",
        "a4co consumers list",
        "a4co consumers pause order",
        "a4co consumers resume order/ORDERS",
        "a4co up --nats nats://a:4222,nats://b:4222 --nats-creds f --durability safe --nats-prefix SHOP",
        "a4co up --nats tls://a:4222 --nats-ca ca --nats-cert c --nats-key k --nats-nkey seed",
        "a4co up --nats nats://u:p@a:4222 --durability fast",
        "a4co streams plan --nats nats://a:4222 --manifest a/spin.toml",
        "a4co streams apply --nats nats://a:4222 --nats-token-file t",
        "a4co keys generate",
        "a4co keys generate a4co-bridge order --keys k --json",
        "a4co keys rotate order",
        "a4co keys list --json",
        "a4co keys public a4co-bridge --keys k",
        "a4co up --http-only",
        "a4co bridge --nats nats://a:4222 --target http://127.0.0.1:3000 --listen 127.0.0.1:7070 --keys k",
        "a4co migrate --state-dir s --nats nats://a:4222 --nats-prefix SHOP",
        "a4co backup copy.db",
        "a4co restore copy.db --state-dir s",
        "a4co completions bash",
    ] {
        resolve(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    }
}

#[test]
fn arguments_that_cannot_be_are_explained() {
    for (line, part) in [
        ("a4co up --variable k", "--variable k: expected NAME=VALUE"),
        ("a4co up --listen 127.0.0.1:1 --admin-listen 127.0.0.1:1", "give them different ports"),
        ("a4co up --nats http://a:4222", "--nats http://a:4222: expected nats://HOST:PORT"),
        ("a4co up --nats nats://", "expected nats://HOST:PORT"),
        ("a4co up --nats nats://a:4222,b", "--nats b: expected"),
        ("a4co up --nats-creds f", "--nats <URLS>"),
        ("a4co up --durability safe", "--nats <URLS>"),
        ("a4co up --nats nats://a --nats-creds f --nats-nkey g", "cannot be used with"),
        ("a4co up --nats nats://a --nats-cert c", "--nats-key <FILE>"),
        ("a4co up --nats nats://a --durability quick", "[possible values: fast, safe]"),
        ("a4co up --nats nats://a --nats-prefix a.b", "--nats-prefix a.b: expected"),
        ("a4co streams plan", "--nats is missing"),
        ("a4co migrate", "--nats is missing"),
        ("a4co dlq list --admin ftp://x", "expected an address such as http://127.0.0.1:3001"),
        ("a4co dlq replay", "<IDS>"),
        ("a4co events tail --subject a..b", "--subject"),
        ("a4co events publish a.> file", "is not a subject"),
    ] {
        let error = format!("{:#}", resolve(line).unwrap_err());
        assert!(error.contains(part), "{line}: {error}");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named_with_the_remedy() {
    let Options::Client(options) = resolve("a4co dlq list --admin http://127.0.0.1:1").unwrap() else {
        panic!("no client")
    };
    let error = super::run(options).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "no host answers at http://127.0.0.1:1: start one with `a4co up`, or name its admin listener with --admin"
    );
}

#[track_caller]
fn check_output(print: impl FnOnce(&mut Vec<u8>) -> anyhow::Result<()>, expected: &str) {
    let mut out = Vec::new();
    print(&mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn dead_letters_are_listed_in_a_table_that_cannot_drive_the_terminal() {
    let answer = json!({ "items": [
        { "id": "7f3a", "diedAt": "2026-01-15T10:30:00.000Z", "component": "saga", "subject": "order.created",
          "cause": { "kind": "undecodable", "reason": "eventData.items: \u{1b}[2Jexpected a list" } },
        { "id": "9b", "diedAt": "2026-01-15T10:29:00.000Z", "component": "notification", "subject": "order.cancelled",
          "cause": { "kind": "exhausted", "reason": "8 failures" } },
    ]});
    let expected = "\
ID    DIED                      COMPONENT     SUBJECT          KIND         REASON
7f3a  2026-01-15T10:30:00.000Z  saga          order.created    undecodable  eventData.items: \\u{1b}[2Jexpected a list
9b    2026-01-15T10:29:00.000Z  notification  order.cancelled  exhausted    8 failures
";
    check_output(|out| dead_letters::list(&answer, out), expected);
    check_output(|out| dead_letters::list(&json!({ "items": [] }), out), "no dead letters\n");
}

#[test]
fn a_dead_letter_is_shown_whole() {
    let answer = json!({
        "id": "7f3a", "component": "saga", "stream": "ORDERS", "sequence": 12, "replay": 0, "subject": "order.created",
        "diedAt": "2026-01-15T10:30:00.000Z", "eventId": "e-1", "correlationId": "c-1",
        "cause": { "kind": "undecodable", "reason": "expected a list", "path": "eventData.items", "deliveries": 1 },
        "original": { "subject": "order.created", "event": { "eventId": "e-1" } },
    });
    let expected = "\
id           7f3a
component    saga
stream       ORDERS
sequence     12
subject      order.created
event id     e-1
correlation  c-1
died         2026-01-15T10:30:00.000Z
kind         undecodable
reason       expected a list
where        eventData.items
hand-outs    1
replay       0

{
  \"eventId\": \"e-1\"
}

hand it out again: a4co dlq replay 7f3a
";
    check_output(|out| dead_letters::show(&answer, out), expected);
}

#[test]
fn consumers_are_listed_with_what_waits() {
    let answer = json!({ "items": [
        { "component": "saga", "stream": "ORDERS", "settledTo": 41, "pending": 3, "oldestPendingMs": 61_500, "paused": true },
        { "component": "order", "stream": "ORDERS", "settledTo": 44, "pending": 0, "oldestPendingMs": 0, "paused": false },
    ]});
    let expected = "\
COMPONENT  STREAM  PENDING  OLDEST  SETTLED TO  STATE
saga       ORDERS  3        1m1s    41          paused
order      ORDERS  0        -       44          running
";
    check_output(|out| consumers::list(&answer, out), expected);
}

#[test]
fn a_correlation_is_shown_in_order() {
    let answer = json!({ "items": [{ "subject": "order.created", "event": {
        "eventId": "e-1", "aggregateId": "o-1", "occurredOn": "2026-01-15T10:30:00.000Z", "metadata": { "causationId": "r-1" } } }]});
    let expected = "\
OCCURRED                  SUBJECT        AGGREGATE  EVENT  CAUSED BY
2026-01-15T10:30:00.000Z  order.created  o-1        e-1    r-1
";
    check_output(|out| events::show(&answer, out), expected);
}

#[test]
fn server_sent_events_are_put_together_from_any_pieces() {
    let wire = b": keep-alive\n\nevent: published\ndata: {\"a\":1}\n\nevent: lagged\ndata: {\"missed\":2}\n\n";
    for size in [1, 7, wire.len()] {
        let mut notices = Notices::default();
        let found: Vec<_> = wire.chunks(size).flat_map(|piece| notices.feed(piece)).collect();
        let expected = [("published".to_owned(), "{\"a\":1}".to_owned()), ("lagged".into(), "{\"missed\":2}".into())];
        assert_eq!(found, expected, "in pieces of {size}");
    }
}

#[test]
fn the_start_up_screen_says_what_runs_where() {
    let text = r#"
        spin_manifest_version = 2
        [application]
        name = "shop"
        version = "1.0.0"
        [application.tool.events.streams.ORDERS]
        subjects = ["order.>"]
        [[trigger.http]]
        route = "/api/v1/orders/..."
        component = "order"
        [[trigger.http]]
        route = "/api/v1/orders/:id"
        component = "order"
        [[trigger.http]]
        route = { private = true }
        component = "mail"
        [component.order]
        source = "order.wasm"
        tool.events.subscribe = [{ subject = "order.confirm" }, { subject = "order.cancel" }]
        [component.mail]
        source = "mail.wasm"
    "#;
    let application = parse(Path::new("spin.toml"), text, &Given::default()).unwrap();
    let place = Place {
        listen: ([127, 0, 0, 1], 3000).into(),
        admin: ([127, 0, 0, 1], 3001).into(),
        state: ".a4co",
        durability: "every answer is on disk (SQLite, synchronous=FULL)",
    };
    let expected = "\
shop 1.0.0 is up

  application  http://127.0.0.1:3000
  operators    http://127.0.0.1:3001  (/metrics /events /dlq /consumers)
  state        .a4co
  durability   every answer is on disk (SQLite, synchronous=FULL)

routes
  /api/v1/orders/...  order
  (private)           mail

subscriptions
  order  order.confirm order.cancel
";
    assert_eq!(render(&application, place), expected);
}

#[test]
fn completions_know_the_commands() {
    let script = String::from_utf8(completions(clap_complete::Shell::Bash)).unwrap();
    assert!(script.contains("a4co") && script.contains("--state-dir") && script.contains("consumers"));
}

fn run_keys(folder: &Path, line: &str) -> anyhow::Result<String> {
    let Options::Keys(request) = resolve(&format!("a4co keys {line} --keys {}", folder.display()))? else {
        panic!("not keys")
    };
    let mut out = Vec::new();
    super::keys(&request, &mut out)?;
    Ok(String::from_utf8(out)?)
}

#[test]
fn keys_are_made_shown_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let made = run_keys(folder.path(), "generate a4co-bridge order").unwrap();
    assert!(made.starts_with("PARTY") && made.contains("is that component's secret"), "{made}");
    assert!(run_keys(folder.path(), "generate order").unwrap_err().to_string().contains("a4co keys rotate"));
    run_keys(folder.path(), "rotate order").unwrap();
    let listed = run_keys(folder.path(), "list").unwrap();
    assert_eq!(listed.lines().filter(|line| line.starts_with("order ")).count(), 2, "{listed}");
    assert!(listed.contains("signs") && listed.contains("still verifies"), "{listed}");
    let public = run_keys(folder.path(), "public order").unwrap();
    assert!(public.contains("\"x\"") && !public.contains("\"d\""), "{public}");
    for party in ["../order", "Order", ""] {
        assert!(resolve(&format!("a4co keys public {party}")).is_err(), "{party}");
    }
}
