//! A clock that was set back over a restart: what was counted from the clock before is not waited for.

use super::*;
use crate::bus::TimerRule;

const AHEAD: Duration = Duration::from_secs(3_600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_clock_that_was_ahead_has_set_waits_for_its_own_period_alone() {
    let bench = Bench::new();
    let (store, ahead) = (bench.open(), NOW.after(AHEAD));
    for id in ["timed", "retried"] {
        bus(&store).publish(event(id)).await.unwrap();
    }
    let one = consumer(&store).await;
    let messages = take(&one, 2).await;
    let (aggregate, name, cause) = ("a".to_owned(), "t".to_owned(), "c".to_owned());
    let (fire_at, set_at) = (ahead.after(Duration::from_secs(60)), ahead);
    let timer = Timer { aggregate, name, cause, fire_at, set_at, event: event("fired") };
    one.settle(&messages[0], Settlement::Done(vec![Effect::SetTimer(timer)])).await.unwrap();
    one.retry_at(&messages[1], ahead.after(Duration::from_secs(1)), true).await.unwrap();
    flush(&store).await;
    store.close();

    let store = bench.open();
    let retried = take(&consumer(&store).await, 1).await.remove(0);
    assert_eq!((retried.event.id(), retried.failures, retried.not_before), (Some("retried"), 1, None));
    let fires = async |after: u64| {
        bus(&store).fire_due_timers(NOW.after(Duration::from_secs(after)), TimerRule::CaughtUp).await.unwrap();
        store.look(|state| state.log.streams[0].last)
    };
    assert_eq!((fires(59).await, fires(60).await), (2, 3));
}
