//! The proxy between a client and a server of NATS that are not ours.
#![allow(clippy::unwrap_used, reason = "for tests")]

use super::*;
use artifacts::nats::NatsServer;
use async_nats::jetstream;
use std::time::{Duration, Instant};

/// Longer than any answer takes, and what is waited for that must not come.
const NO_ANSWER: Duration = Duration::from_millis(700);

async fn stage() -> (NatsServer, Proxy, jetstream::Context) {
    let server = NatsServer::start();
    let proxy = Proxy::start(server.address()).await.unwrap();
    let client = async_nats::connect(format!("nats://{}", proxy.address())).await.unwrap();
    let mut context = jetstream::new(client);
    context.set_timeout(NO_ANSWER);
    let config = jetstream::stream::Config { name: "A".into(), subjects: vec!["a.>".into()], ..Default::default() };
    context.create_stream(config).await.unwrap();
    (server, proxy, context)
}

async fn publish(context: &jetstream::Context, subject: &'static str) -> bool {
    context.publish(subject, "x".into()).await.unwrap().await.is_ok()
}

async fn stored(context: &jetstream::Context) -> u64 {
    context.get_stream("A").await.unwrap().cached_info().state.messages
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_the_message_stored_and_a_lost_request_does_not() {
    let (_server, proxy, context) = stage().await;
    proxy.lose(Losing { lost: Lost::Answer, to: vec!["a.lost".to_owned()], count: 1 });
    assert!(publish(&context, "a.other").await);
    assert!(!publish(&context, "a.lost").await);
    assert!(publish(&context, "a.lost").await, "one was to be lost");
    assert_eq!((proxy.lost(), proxy.to_be_lost(), stored(&context).await), (1, 0, 3));
    proxy.lose(Losing { lost: Lost::Request, to: vec!["a.".to_owned()], count: 1 });
    assert!(!publish(&context, "a.lost").await);
    assert_eq!((proxy.lost(), stored(&context).await), (2, 3));
}

#[tokio::test]
async fn what_is_held_arrives_once_it_is_released() {
    let (_server, proxy, context) = stage().await;
    for ways in [&[Way::ToServer][..], &[Way::ToClient], &[Way::ToServer, Way::ToClient]] {
        let before = stored(&context).await;
        proxy.hold(ways);
        assert!(!publish(&context, "a.held").await, "{ways:?}");
        proxy.release();
        // What was held is on its way now, and so may be the client, on another connection.
        let until = Instant::now() + Duration::from_secs(10);
        while stored(&context).await == before {
            assert!(Instant::now() < until, "{ways:?}: it did not arrive");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(stored(&context).await, before + 1, "{ways:?}");
    }
    assert!(proxy.held() >= 3);
}
