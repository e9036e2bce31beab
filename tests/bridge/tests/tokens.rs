//! Bad tokens, of every kind, at every door: the component's, the bridge's, and both implementations by themselves.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use a4co_host::clock::{Clock as _, Millis, SystemClock};
use a4co_host::tokens::{BRIDGE, KeySet, Trusted};
use anyhow::Result;
use bridge::Stage;
use bridge::forge::{Bad, Forger};
use end_to_end::{Client, Host, Order, Settings};
use http::Method;
use serde_json::json;

/// Kinds of bad tokens that are asked for, at least.
const KINDS: usize = 25;

fn now() -> Millis {
    SystemClock::default().now()
}

#[test]
fn both_sides_accept_the_good_and_refuse_every_bad_token() {
    let keys = KeySet::generate().unwrap();
    let forger = Forger::with(&keys.to_json());
    let seconds = now().0 / 1_000;
    let trusted = Trusted::new().and("order", &keys.public()).unwrap();
    let public = kit::token::PublicKeys::read(&keys.public().to_json()).unwrap();
    let both = |authorization: Option<&str>| {
        let host = trusted.verify(authorization, BRIDGE, now()).map(|_| ()).map_err(|why| why.to_string());
        let at = kit::time::Millis(now().0);
        let guest = kit::token::verify(authorization, &public, ("order", BRIDGE), at)
            .map(|_| ())
            .map_err(|why| why.to_string());
        assert_eq!(host, guest, "{authorization:?}");
        host
    };
    assert_eq!(both(Some(&forger.good("order", BRIDGE, seconds))), Ok(()));
    let bad = forger.bad("order", BRIDGE, seconds);
    assert!(bad.len() >= KINDS, "{} kinds", bad.len());
    for Bad { what, authorization } in bad {
        assert!(both(authorization.as_deref()).is_err(), "{what} is accepted");
    }
}

#[test]
fn during_a_rotation_both_keys_are_good_and_after_the_next_the_oldest_is_not() {
    let first = KeySet::generate().unwrap();
    let second = first.clone().rotated().unwrap();
    let third = second.clone().rotated().unwrap();
    let seconds = now().0 / 1_000;
    let accepted = |signing: &KeySet, known: &KeySet| {
        let token = Forger::with(&signing.to_json()).good("order", BRIDGE, seconds);
        Trusted::new().and("order", &known.public()).unwrap().verify(Some(&token), BRIDGE, now()).is_ok()
    };
    assert!(accepted(&first, &second) && accepted(&second, &second), "two active keys");
    assert!(accepted(&second, &third) && !accepted(&first, &third));
    assert!(!accepted(&second, &first), "a verifier that has not heard of the new key yet");
}

/// Sends `authorization` to `path`; the status, and what was said.
async fn knock(client: &Client, path: &str, authorization: Option<&str>) -> Result<(u16, String)> {
    let headers: Vec<_> = authorization.map(|value| ("authorization", value)).into_iter().collect();
    let body = std::fs::read(artifacts::workspace().join("tests/wire/order.created.json"))?;
    let reply = client.send(Method::POST, path, &headers, Some(body.into())).await?;
    Ok((reply.status, reply.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bad_token_gets_through_a_door_and_nothing_changes() -> Result<()> {
    let stage = Stage::start(Settings::default()).await?;
    stage.shop.list("prod-cuenco", 5, 3400).await?;
    let order_id = stage.shop.ordered(&Order::of("prod-cuenco")).await?;
    stage.shop.saga_until(&order_id, &["completed"]).await?;
    let before = stage.shop.stock("prod-cuenco").await?;

    let (deliverer, publisher) =
        (Forger::with(&stage.private_keys(BRIDGE)?), Forger::with(&stage.private_keys("order")?));
    let seconds = now().0 / 1_000;
    let delivered = deliverer.bad(BRIDGE, "order", seconds);
    assert!(delivered.len() >= KINDS, "{} kinds", delivered.len());
    for Bad { what, authorization } in delivered {
        let (status, said) = knock(&stage.target.client(), "/events/order", authorization.as_deref()).await?;
        assert_eq!(status, 401, "delivering with {what}: {said}");
    }
    for Bad { what, authorization } in publisher.bad("order", BRIDGE, seconds) {
        let (status, said) = knock(&stage.publish, "/order.created", authorization.as_deref()).await?;
        assert_eq!(status, 401, "publishing with {what}: {said}");
    }
    let elsewhere = deliverer.good(BRIDGE, "inventory", seconds);
    assert_eq!(knock(&stage.target.client(), "/events/order", Some(&elsewhere)).await?.0, 401, "for another component");
    let event_id = "0197c3a1-7e00-7000-8000-0000000000a1";
    assert_eq!(stage.shop.http.get(&format!("/api/v1/orders/{event_id}")).await?.status, 404, "nothing was placed");
    assert_eq!(stage.shop.stock("prod-cuenco").await?, before);
    stage.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_publishes_what_it_is_granted_and_nothing_else() -> Result<()> {
    let stage = Stage::start(Settings::default()).await?;
    let order = Forger::with(&stage.private_keys("order")?);
    let token = order.good("order", BRIDGE, now().0 / 1_000);
    let (status, said) = knock(&stage.publish, "/payment.process", Some(&token)).await?;
    assert_eq!(status, 403, "{said}");
    assert!(said.contains("may not publish"), "{said}");
    let (status, said) = knock(&stage.publish, "/order.created", Some(&token)).await?;
    assert_eq!(status, 200, "{said}");
    let receipt: serde_json::Value = serde_json::from_str(&said)?;
    assert_eq!((&receipt["stream"], &receipt["source"]), (&json!("ORDERS"), &json!("order/ORDERS#1")), "{said}");
    stage.stop().await
}

#[tokio::test]
async fn the_host_itself_answers_nothing_where_a_bridge_would_deliver() -> Result<()> {
    let host = Host::start(Settings::default()).await?;
    for path in ["/events/order", "/events/", "/events"] {
        assert_eq!(knock(&host.client(), path, None).await?.0, 404, "{path}");
    }
    Ok(())
}
