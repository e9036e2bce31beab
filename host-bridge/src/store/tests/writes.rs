//! Commits: shared by many, waited for, held, failed; hand-outs that are counted before the call.

use super::*;
use std::sync::atomic::AtomicBool;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_share_commits() {
    let bench = Bench::new();
    let store = bench.open();
    let before = store.sizes();
    let tasks: Vec<_> = (0..50)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for number in 0..20 {
                    let receipt = bus(&store).publish(event(&format!("{task}-{number}"))).await.unwrap();
                    store.durable(receipt.watermark).await;
                    assert!(store.is_durable(receipt.watermark));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let after = store.sizes();
    let (flushes, changes) = (after.flushes - before.flushes, after.flushed_changes - before.flushed_changes);
    assert!(changes >= 1_000, "{changes}");
    assert!(flushes * 3 <= changes, "{flushes} commits carried {changes} changes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_durable_before_its_commit() {
    let bench = Bench::new();
    let store = bench.open();
    let mut tail = store.tail();
    bench.faults.hold_commits();
    let receipt = bus(&store).publish(event("a")).await.unwrap();
    let waits = store.clone();
    let waiting = tokio::spawn(async move { waits.durable(receipt.watermark).await });
    // The consumer in the same process does not wait.
    assert_eq!(take(&consumer(&store).await, 1).await.len(), 1);
    assert!(!waiting.is_finished() && !store.is_durable(receipt.watermark));
    assert!(tail.try_recv().is_err());
    bench.faults.release_commits();
    tokio::time::timeout(DEADLINE, waiting).await.unwrap().unwrap();
    assert!(store.is_durable(receipt.watermark));
    let told = tokio::time::timeout(DEADLINE, tail.recv()).await.unwrap().unwrap();
    assert_eq!(told.id(), Some("a"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_commit_promises_nothing() {
    let bench = Bench::new();
    let store = bench.open();
    bus(&store).publish(event("kept")).await.unwrap();
    flush(&store).await;
    let (sender, told) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    bench.faults.fail_commits(Arc::new(move |message| {
        if let Some(sender) = sender.lock().take() {
            sender.send(message.to_owned()).unwrap();
        }
    }));
    let receipt = bus(&store).publish(event("lost")).await.unwrap();
    let message = tokio::time::timeout(DEADLINE, told).await.unwrap().unwrap();
    assert!(message.contains(DATABASE) && message.contains("injected") && message.contains("disk"), "{message}");
    assert!(!store.is_durable(receipt.watermark));
    let never = futures::FutureExt::now_or_never(store.durable(receipt.watermark));
    assert!(never.is_none());
    store.close();
    let bench = Bench { faults: Arc::default(), ..bench };
    let store = bench.open();
    assert_eq!(store.look(|state| state.log.streams[0].last), 1);
}

/// Opens after a kill, with one event that was in hand.
async fn killed_with_one_in_hand(bench: &Bench) -> Arc<Store> {
    let store = bench.open();
    bus(&store).publish(event("a")).await.unwrap();
    let one = consumer(&store).await;
    take(&one, 1).await;
    flush(&store).await;
    store.crash();
    bench.open()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_a_hand_out_waits_until_it_is_counted_on_disk() {
    let bench = Bench::new();
    let mut store = killed_with_one_in_hand(&bench).await;
    for life in 0..3 {
        let one = consumer(&store).await;
        let message = take(&one, 1).await.remove(0);
        assert_eq!(message.unanswered, life);
        flush(&store).await;
        bench.faults.hold_commits();
        let called = Arc::new(AtomicBool::new(false));
        let (calls, noted) = (one.clone(), called.clone());
        let counting = tokio::spawn(async move {
            calls.handed_out(&message).await.unwrap();
            noted.store(true, Ordering::Release);
        });
        while store.latest().0 <= store.look(|state| state.durable) {
            tokio::task::yield_now().await;
        }
        assert!(!called.load(Ordering::Acquire), "the call would begin before its count is on disk");
        bench.faults.release_commits();
        tokio::time::timeout(DEADLINE, counting).await.unwrap().unwrap();
        store.crash();
        store = bench.open();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_clean_end_a_hand_out_waits_for_nothing() {
    let bench = Bench::new();
    let store = bench.open();
    bus(&store).publish(event("a")).await.unwrap();
    let one = consumer(&store).await;
    let message = take(&one, 1).await.remove(0);
    bench.faults.hold_commits();
    tokio::time::timeout(DEADLINE, one.handed_out(&message)).await.unwrap().unwrap();
    bench.faults.release_commits();
}
