//! A stream's limits: what is consumed goes, what is not stays and fills it.

use super::*;

fn limited(max_messages: Option<u64>, max_age: Option<Duration>) -> Bench {
    let mut bench = Bench::new();
    bench.stream.max_messages = max_messages;
    bench.stream.max_age = max_age;
    bench
}

/// Events that lie on disk.
fn stored(store: &Store) -> i64 {
    store.read(|connection| connection.query_row("SELECT count(*) FROM events_1", [], |row| row.get(0))).unwrap()
}

/// Waits until `count` events are left on disk.
async fn shrinks_to(bench: &Bench, store: &Store, count: i64) {
    let late = tokio::time::Instant::now() + DEADLINE;
    while stored(store) != count {
        assert!(tokio::time::Instant::now() < late, "{} events are left, not {count}", stored(store));
        bench.clock.advance(Duration::from_millis(1_000));
        store.change(|state| state.advance());
        flush(store).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_is_full_only_while_its_events_are_needed() {
    let bench = limited(Some(5), None);
    let store = bench.open();
    let one = consumer(&store).await;
    for number in 0..5 {
        bus(&store).publish(event(&format!("e{number}"))).await.unwrap();
    }
    let full = bus(&store).publish(event("more")).await;
    assert_eq!(full.unwrap_err(), BusError::StreamFull("ORDERS".to_owned()));
    assert_eq!(store.look(|state| state.log.streams[0].last), 5);
    let messages = take(&one, 5).await;
    settle(&one, &messages[1]).await;
    assert!(bus(&store).publish(event("more")).await.is_err(), "the oldest is still needed");
    settle(&one, &messages[0]).await;
    assert_eq!(bus(&store).publish(event("more")).await.unwrap().sequence, 6);
    assert_eq!(bus(&store).publish(event("and more")).await.unwrap().sequence, 7);
    assert!(bus(&store).publish(event("too many")).await.is_err());
    shrinks_to(&bench, &store, 5).await;
    store.crash();
    let store = bench.open();
    assert!(bus(&store).publish(event("too many")).await.is_err());
    let left: Vec<u64> = take(&consumer(&store).await, 5).await.iter().map(|message| message.sequence).collect();
    assert_eq!(left, [3, 4, 5, 6, 7]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_nobody_reads_never_fills() {
    let bench = limited(Some(3), None);
    let store = bench.open();
    for number in 1..=20 {
        assert_eq!(bus(&store).publish(event(&format!("e{number}"))).await.unwrap().sequence, number);
    }
    shrinks_to(&bench, &store, 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn age_takes_only_what_is_settled() {
    let bench = limited(None, Some(Duration::from_secs(60)));
    let store = bench.open();
    let one = consumer(&store).await;
    for number in 0..4 {
        bus(&store).publish(event(&format!("e{number}"))).await.unwrap();
    }
    let messages = take(&one, 4).await;
    settle(&one, &messages[0]).await;
    settle(&one, &messages[2]).await;
    bench.clock.advance(Duration::from_secs(3_600));
    shrinks_to(&bench, &store, 3).await;
    store.crash();
    let store = bench.open();
    let one = consumer(&store).await;
    let messages = take(&one, 2).await;
    assert_eq!(messages.iter().map(|message| message.sequence).collect::<Vec<_>>(), [2, 4]);
    for message in &messages {
        settle(&one, message).await;
    }
    shrinks_to(&bench, &store, 0).await;
    store.close();
    // An empty stream goes on where it was.
    assert_eq!(bus(&bench.open()).publish(event("next")).await.unwrap().sequence, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_gives_back_the_space_of_what_is_gone() {
    let bench = limited(Some(3), None);
    let store = bench.open();
    let size = || std::fs::metadata(bench.path().join(DATABASE)).unwrap().len();
    let padding = " ".repeat(256 << 10);
    for number in 0..120 {
        let small = event(&format!("e{number}"));
        let body = format!("{}{padding}", std::str::from_utf8(&small.body).unwrap());
        let large = Event::new(small.subject.clone(), body.into(), Headers::default());
        bus(&store).publish(Arc::new(large)).await.unwrap();
        flush(&store).await;
    }
    shrinks_to(&bench, &store, 3).await;
    let late = tokio::time::Instant::now() + DEADLINE;
    // Thirty mebibytes were written; the log before the file is moved into it now and then.
    while size() > 20 << 20 {
        assert!(tokio::time::Instant::now() < late, "the file still has {} bytes", size());
        bench.clock.advance(Duration::from_secs(60));
        store.change(|state| state.advance());
        flush(&store).await;
    }
    store.close();
    assert!(size() < 20 << 20, "{} bytes", size());
}
