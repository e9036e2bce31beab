//! Timers: set with an acknowledgement, fired once, cancelled, replaced, and never brought back by the same cause.

use super::*;
use crate::bus::{BusError, TimerRule};
use crate::dispatch::Timer;

fn timer(name: &str, cause: &str, fire_at: u64) -> Effect {
    Effect::SetTimer(Timer {
        aggregate: "a".to_owned(),
        name: name.to_owned(),
        cause: cause.to_owned(),
        fire_at: at(fire_at),
        set_at: at(0),
        event: event("stock.low", &format!("{name}-{cause}-{fire_at}")),
    })
}

fn cancel(name: &str) -> Effect {
    Effect::CancelTimer { aggregate: "a".to_owned(), name: name.to_owned() }
}

/// One consumer that sets timers, one that sees them fire.
struct Clockwork {
    bus: Arc<dyn EventBus>,
    sets: Arc<dyn Consumer>,
    sees: Arc<dyn Consumer>,
}

impl Clockwork {
    async fn open(bench: &impl Bench) -> Self {
        let bus = bench.bus();
        let sets = open(&bus, "one").await;
        let sees = bus.consume(subscription("two", "STOCK", &[("stock.>", Start::All)])).await.unwrap();
        Self { bus, sets, sees }
    }

    /// Handles one event that leads to these effects.
    async fn carry(&self, cause: &str, effects: Vec<Effect>) {
        self.bus.publish(event("order.created", cause)).await.unwrap();
        settle(&self.sets, &take_one(&self.sets).await, effects).await;
    }

    async fn fire(&self, now: u64) -> Option<Millis> {
        self.bus.fire_due_timers(at(now), TimerRule::CaughtUp).await.unwrap()
    }

    async fn seen(&self, count: usize) -> Vec<String> {
        let messages = take(&self.sees, count).await;
        for message in &messages {
            settle(&self.sees, message, Vec::new()).await;
        }
        assert!(has_none(&self.sees).await);
        ids(&messages).into_iter().map(str::to_owned).collect()
    }
}

/// Due timers fire in the order they are due, once; the others tell when.
pub async fn due_timers_fire_in_order(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    assert_eq!(works.fire(0).await, None);
    works.carry("c", vec![timer("late", "c", 300), timer("soon", "c", 100), timer("next", "c", 200)]).await;
    assert_eq!(works.fire(99).await, Some(at(100)));
    assert!(has_none(&works.sees).await);
    assert_eq!(works.fire(250).await, Some(at(300)));
    assert_eq!(works.seen(2).await, ["soon-c-100", "next-c-200"]);
    assert_eq!(works.fire(300).await, None);
    assert_eq!(works.seen(1).await, ["late-c-300"]);
}

/// Timers survive a restart, and those that fired stay fired.
pub async fn timers_survive_a_restart(mut bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("first", "c", 100), timer("second", "c", 200)]).await;
    works.fire(100).await;
    assert_eq!(works.seen(1).await, ["first-c-100"]);
    drop(works);
    bench.restart().await;
    let works = Clockwork::open(&bench).await;
    assert_eq!(works.fire(150).await, Some(at(200)));
    works.carry("d", vec![timer("first", "c", 120)]).await;
    assert_eq!(works.fire(200).await, None);
    assert_eq!(works.seen(1).await, ["second-c-200"]);
}

/// A cancelled timer does not fire, and the copy of its cause does not bring it back; another cause does.
pub async fn a_cancelled_timer_stays_cancelled(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("t", "c", 100), timer("other", "c", 100)]).await;
    works.carry("d", vec![cancel("t"), cancel("never set")]).await;
    works.carry("copy of c", vec![timer("t", "c", 100)]).await;
    assert_eq!(works.fire(100).await, None);
    assert_eq!(works.seen(1).await, ["other-c-100"]);
    works.carry("e", vec![timer("t", "e", 200)]).await;
    assert_eq!(works.fire(200).await, None);
    assert_eq!(works.seen(1).await, ["t-e-200"]);
}

/// A timer that fired is not set again by the same cause.
pub async fn a_fired_timer_is_not_set_again(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("t", "c", 100)]).await;
    works.fire(100).await;
    assert_eq!(works.seen(1).await, ["t-c-100"]);
    // Another event, so that its id is no repeat that the bus would drop anyway.
    works.carry("copy of c", vec![timer("t", "c", 150)]).await;
    assert_eq!(works.fire(10).await, None);
    assert_eq!(works.fire(10_000).await, None);
    assert!(has_none(&works.sees).await);
}

/// Of two timers of one name the later set holds.
pub async fn a_timer_of_the_same_name_replaces(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("t", "c", 100)]).await;
    works.carry("d", vec![timer("t", "d", 200)]).await;
    assert_eq!(works.fire(150).await, Some(at(200)));
    assert!(has_none(&works.sees).await);
    works.fire(200).await;
    assert_eq!(works.seen(1).await, ["t-d-200"]);
}

/// While consumers catch up a timer waits, but no longer than its own period.
pub async fn a_timer_waits_for_the_backlog(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("t", "c", 100)]).await;
    let rule = TimerRule::CatchingUp { since: at(1_000) };
    assert_eq!(works.bus.fire_due_timers(at(1_050), rule).await.unwrap(), Some(at(1_100)));
    assert!(has_none(&works.sees).await);
    assert_eq!(works.bus.fire_due_timers(at(1_100), rule).await.unwrap(), None);
    assert_eq!(works.seen(1).await, ["t-c-100"]);
}

/// A repeat sets a timer after the instant it was meant for: it waits for the backlog too, since nobody could answer yet.
pub async fn a_timer_that_is_overdue_when_it_is_set_waits_for_the_backlog(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    let mut late = timer("t", "c", 100);
    if let Effect::SetTimer(timer) = &mut late {
        timer.set_at = at(1_000);
    }
    works.carry("c", vec![late]).await;
    let rule = TimerRule::CatchingUp { since: at(900) };
    assert!(works.bus.fire_due_timers(at(1_050), rule).await.unwrap().is_some_and(|next| next > at(1_050)));
    assert!(has_none(&works.sees).await);
    assert_eq!(works.fire(1_050).await, None);
    assert_eq!(works.seen(1).await, ["t-c-100"]);
}

/// A retry and the deadline for its outcome are both overdue after downtime: the deadline waits until what the retry leads
/// to is settled.
pub async fn overdue_timers_fire_one_after_what_follows_from_the_other(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("deadline", "c", 1_100), timer("retry", "c", 100)]).await;
    let down = at(5_000);
    let rule = TimerRule::CatchingUp { since: down };
    assert_eq!(works.bus.fire_due_timers(down, rule).await.unwrap(), Some(at(5_100)), "no earlier than its period");
    assert!(works.fire(5_000).await.is_some_and(|next| next < at(5_100)), "the deadline waits, and not for long");
    let retry = take_one(&works.sees).await;
    assert_eq!(retry.event.id(), Some("retry-c-100"));
    works.fire(5_000).await;
    assert!(has_none(&works.sees).await, "nobody has settled the retry yet");
    let answer = vec![Effect::Publish(event("stock.low", "answer"))];
    settle(&works.sees, &retry, answer).await;
    works.fire(5_000).await;
    let answer = take_one(&works.sees).await;
    assert_eq!(answer.event.id(), Some("answer"), "and not the deadline");
    settle(&works.sees, &answer, Vec::new()).await;
    assert_eq!(works.fire(5_000).await, None);
    assert_eq!(works.seen(1).await, ["deadline-c-1100"]);
}

/// The driver is told of a timer that is due before what it was told.
pub async fn the_driver_hears_of_an_earlier_timer(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.carry("c", vec![timer("late", "c", 500)]).await;
    assert_eq!(works.fire(0).await, Some(at(500)));
    let bus = works.bus.clone();
    // What was told before the driver looked does not count.
    while tokio::time::timeout(Duration::from_millis(10), bus.timers_changed()).await.is_ok() {}
    let told = tokio::spawn(async move { bus.timers_changed().await });
    tokio::task::yield_now().await;
    works.carry("d", vec![timer("soon", "d", 100)]).await;
    tokio::time::timeout(DEADLINE, told).await.unwrap().unwrap();
    assert_eq!(works.fire(0).await, Some(at(100)));
}

/// A timer whose event no stream takes leaves everything undone, the acknowledgement too.
pub async fn a_timer_without_a_stream_undoes_all(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.bus.publish(event("order.created", "a")).await.unwrap();
    let message = take_one(&works.sets).await;
    let stray = Timer {
        aggregate: "a".to_owned(),
        name: "stray".to_owned(),
        cause: "a".to_owned(),
        fire_at: at(100),
        set_at: at(0),
        event: event("nowhere.at.all", "stray"),
    };
    let effects = vec![Effect::Publish(event("stock.low", "b")), timer("t", "a", 100), Effect::SetTimer(stray)];
    let settled = works.sets.settle(&message, Settlement::Done(effects)).await;
    assert!(matches!(settled, Err(BusError::NoStream(_))));
    assert_eq!(works.fire(1_000).await, None);
    assert!(has_none(&works.sees).await);
    assert_eq!(works.bus.consumers().await.unwrap().iter().map(|one| one.pending).sum::<u64>(), 1);
}

/// Of several effects, one that has no stream leaves the others unpublished and the message unsettled.
pub async fn settling_is_all_or_nothing(bench: impl Bench) {
    let works = Clockwork::open(&bench).await;
    works.bus.publish(event("order.created", "a")).await.unwrap();
    let message = take_one(&works.sets).await;
    let effects = vec![
        Effect::Publish(event("stock.low", "b")),
        timer("t", "a", 100),
        Effect::Publish(event("nowhere.at.all", "c")),
    ];
    let settled = works.sets.settle(&message, Settlement::Done(effects)).await;
    assert!(matches!(settled, Err(BusError::NoStream(_))));
    assert_eq!(works.fire(1_000).await, None);
    assert!(has_none(&works.sees).await);
    settle(&works.sets, &message, vec![Effect::Publish(event("stock.low", "b")), timer("t", "a", 100)]).await;
    works.fire(1_000).await;
    assert_eq!(works.seen(2).await, ["b", "t-a-100"]);
}
