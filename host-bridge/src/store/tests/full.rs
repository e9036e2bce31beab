//! A full disk: nothing is promised, what is there is read, and all goes on once there is room.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_serves_reads_and_recovers_by_itself() {
    let bench = Bench::new();
    let store = bench.open();
    keys(&store).increment("s", "sum", 1).await.unwrap();
    flush(&store).await;
    bench.faults.fill_disk(true);
    let receipt = bus(&store).publish(event("in-hand")).await.unwrap();
    let stalled = tokio::time::timeout(DEADLINE, store.flushed(receipt.watermark)).await.unwrap().unwrap_err();
    assert!(stalled.to_string().contains(DATABASE) && stalled.to_string().contains("make room"), "{stalled}");
    assert!(!store.is_durable(receipt.watermark));
    let refused = bus(&store).publish(event("refused")).await.unwrap_err();
    assert!(matches!(&refused, BusError::Unavailable(why) if why.contains("make room")), "{refused}");
    assert!(keys(&store).increment("s", "sum", 1).await.is_err());
    assert_eq!(keys(&store).get("s", "sum").await.unwrap().value.unwrap(), "1");

    bench.faults.fill_disk(false);
    tokio::time::timeout(DEADLINE, store.durable(receipt.watermark)).await.unwrap();
    assert_eq!(bus(&store).publish(event("after")).await.unwrap().sequence, 2);
    flush(&store).await;
    store.crash();
    let store = bench.open();
    let events = take(&consumer(&store).await, 2).await;
    assert_eq!(events.iter().map(|one| one.event.id().unwrap()).collect::<Vec<_>>(), ["in-hand", "after"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_keeps_nobody_from_stopping() {
    let bench = Bench::new();
    let store = bench.open();
    bench.faults.fill_disk(true);
    let receipt = bus(&store).publish(event("lost")).await.unwrap();
    let stalled = tokio::time::timeout(DEADLINE, store.flushed(receipt.watermark)).await.unwrap();
    assert!(stalled.is_err());
    let closing = tokio::task::spawn_blocking(move || store.close());
    tokio::time::timeout(DEADLINE, closing).await.unwrap().unwrap();
    bench.faults.fill_disk(false);
    assert_eq!(bench.open().look(|state| state.log.streams[0].last), 0);
}
