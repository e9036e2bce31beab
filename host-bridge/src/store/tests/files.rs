//! The state directory: its lock, damaged and foreign files, copies.

use super::*;

#[tokio::test]
async fn a_second_process_is_told_who_has_the_directory() {
    let bench = Bench::new();
    let store = bench.open();
    let error = Store::open(bench.path(), bench.options()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { holder: Some(id), .. } if id == std::process::id()), "{error:?}");
    let message = error.to_string();
    assert!(message.contains(&format!("process {}", std::process::id())), "{message}");
    assert!(message.contains("--state-dir"), "{message}");
    store.crash();
    bench.open().close();
}

#[tokio::test]
async fn a_damaged_file_says_what_to_do() {
    let bench = Bench::new();
    bench.open().close();
    std::fs::write(bench.path().join(DATABASE), "this is no database, but long enough to look like one".repeat(200))
        .unwrap();
    let error = Store::open(bench.path(), bench.options()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.contains("is damaged") && message.contains("a4co restore"), "{message}");
}

#[tokio::test]
async fn a_page_that_rotted_is_found_after_an_unclean_end() {
    let bench = Bench::new();
    let store = bench.open();
    for number in 0..200 {
        bus(&store).publish(event(&format!("e{number}"))).await.unwrap();
    }
    store.close();
    // Opened and killed, so that the next start has to look.
    bench.open().crash();
    let file = bench.path().join(DATABASE);
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    for byte in bytes.iter_mut().skip(middle).take(8_192) {
        *byte = 0xa5;
    }
    std::fs::write(&file, bytes).unwrap();
    let error = Store::open(bench.path(), bench.options()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

#[tokio::test]
async fn another_format_is_refused_and_left_alone() {
    let bench = Bench::new();
    bench.open().close();
    let file = bench.path().join(DATABASE);
    for (pragma, found) in [("user_version=99", "has format 99"), ("application_id=7", "of another program")] {
        schema::open_checked(&file).unwrap().execute_batch(&format!("PRAGMA {pragma}")).unwrap();
        let message = Store::open(bench.path(), bench.options()).unwrap_err().to_string();
        assert!(message.contains(found) && message.contains("reads format 2"), "{message}");
        assert!(restore(&file, &bench.path().join("other")).unwrap_err().to_string().contains(found));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_taken_while_writing_holds_what_was_before_it() {
    let bench = Bench::new();
    let store = bench.open();
    for number in 0..50 {
        bus(&store).publish(event(&format!("before-{number}"))).await.unwrap();
    }
    keys(&store).increment("s", "before", 7).await.unwrap();
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for number in 0..2_000 {
            bus(&writer).publish(event(&format!("beside-{number}"))).await.unwrap();
            keys(&writer).increment("s", "beside", 1).await.unwrap();
        }
    });
    let copy = bench.path().join("copy.db");
    store.backup(&copy).await.unwrap();
    assert!(matches!(store.backup(&copy).await, Err(StoreError::Exists(_))));
    writing.await.unwrap();
    let other = Bench::new();
    restore(&copy, other.path()).unwrap();
    assert!(matches!(restore(&copy, other.path()), Err(StoreError::Exists(_))));
    assert!(matches!(restore(&copy, bench.path()), Err(StoreError::Locked { .. })));
    let restored = other.open();
    let end = restored.look(|state| state.log.streams[0].last);
    assert!((50..=2_050).contains(&end), "{end}");
    let events = take(&consumer(&restored).await, end as usize).await;
    assert!(events.iter().take(50).all(|one| one.event.id().unwrap().starts_with("before-")));
    assert_eq!(keys(&restored).increment("s", "before", 0).await.unwrap().0, 7);
    // One publishing goes before one count, so one instant has at most one event more.
    let counted = keys(&restored).increment("s", "beside", 0).await.unwrap().0;
    assert!((0..=1).contains(&(end as i64 - 50 - counted)), "{end} events, counted {counted}");
    assert_eq!(bus(&restored).publish(event("after")).await.unwrap().sequence, end + 1);
}
