//! Crashes at any point: what is found afterwards is what some instant had, and never less than was promised.

use super::*;
use proptest::prelude::*;

/// One step of a process's life.
#[derive(Debug, Clone)]
enum Op {
    /// One more event.
    Publish,
    /// One more to the sum.
    Count,
    /// Handle one event: publish another, set or cancel a timer.
    Handle { publishes: bool, timer: u8 },
    /// Wait until everything is on disk.
    Flush,
    /// The process is killed, with commits held since a while or not.
    Crash { held: bool },
    /// From here on nothing reaches the disk until the crash.
    Hold,
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let handle = (any::<bool>(), 0..6u8).prop_map(|(publishes, timer)| Op::Handle { publishes, timer });
    let op = prop_oneof![
        6 => Just(Op::Publish),
        4 => Just(Op::Count),
        6 => handle,
        3 => Just(Op::Flush),
        2 => any::<bool>().prop_map(|held| Op::Crash { held }),
        1 => Just(Op::Hold),
    ];
    proptest::collection::vec(op, 1..40)
}

/// What is seen of a store from outside: all four kinds of things it keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    events: u64,
    sum: i64,
    pending: u64,
    timers: u64,
}

async fn see(store: &Arc<Store>) -> Seen {
    let sum = keys(store).get("s", "sum").await.unwrap().value;
    let status = bus(store).consumers().await.unwrap();
    Seen {
        events: store.look(|state| state.log.streams[0].last),
        sum: sum.map_or(0, |value| std::str::from_utf8(&value).unwrap().parse().unwrap()),
        pending: status.first().map_or(0, |status| status.pending),
        timers: store.look(|state| state.timers.len() as u64),
    }
}

/// A process: an open store, its consumer, and what it looked like after each step since the last certain one.
struct Life {
    store: Arc<Store>,
    one: Arc<dyn Consumer>,
    in_hand: std::collections::VecDeque<Message>,
    /// What a crash may leave: the last certain state and every later one.
    possible: Vec<Seen>,
}

impl Life {
    async fn start(bench: &Bench) -> Self {
        let store = bench.open();
        let one = consumer(&store).await;
        // All at once: reading them again from disk would wait for commits that are held.
        let pending = bus(&store).consumers().await.unwrap()[0].pending;
        let in_hand = take(&one, pending as usize).await.into();
        flush(&store).await;
        let possible = vec![see(&store).await];
        Self { store, one, in_hand, possible }
    }

    async fn handle(&mut self, number: usize, publishes: bool, timer: u8) {
        if self.in_hand.is_empty() {
            let pending = bus(&self.store).consumers().await.unwrap()[0].pending;
            if pending == 0 {
                return;
            }
            self.in_hand.extend(take(&self.one, 1).await);
        }
        let Some(message) = self.in_hand.pop_front() else { return };
        let mut effects = Vec::new();
        if publishes {
            effects.push(Effect::Publish(event(&format!("{number}-out"))));
        }
        let (aggregate, name) = ("a".to_owned(), format!("t{}", timer % 3));
        effects.push(if timer < 4 {
            let (fire_at, cause) = (NOW.after(Duration::from_secs(60)), format!("cause-{number}"));
            Effect::SetTimer(Timer { aggregate, name, cause, fire_at, set_at: NOW, event: event("timer") })
        } else {
            Effect::CancelTimer { aggregate, name }
        });
        self.one.settle(&message, Settlement::Done(effects)).await.unwrap();
    }
}

async fn live(ops: Vec<Op>) {
    let bench = Bench::new();
    let (mut life, mut held) = (Life::start(&bench).await, false);
    for (number, op) in ops.into_iter().chain([Op::Crash { held: false }]).enumerate() {
        match op {
            Op::Publish => drop(bus(&life.store).publish(event(&number.to_string())).await.unwrap()),
            Op::Count => drop(keys(&life.store).increment("s", "sum", 1).await.unwrap()),
            Op::Handle { publishes, timer } => life.handle(number, publishes, timer).await,
            Op::Flush if held => {}
            Op::Flush => {
                flush(&life.store).await;
                life.possible.clear();
            }
            Op::Hold => {
                bench.faults.hold_commits();
                held = true;
            }
            Op::Crash { held: hold } => {
                if hold {
                    bench.faults.hold_commits();
                }
                held = false;
                life.store.crash();
                let found = Life::start(&bench).await;
                let seen = &found.possible[0];
                assert!(life.possible.contains(seen), "{seen:?} is none of {:?}", life.possible);
                life = found;
            }
        }
        life.possible.push(see(&life.store).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_crash_leaves_one_instant(ops in ops()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live(ops));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_held_commit_is_lost_as_a_whole() {
    let bench = Bench::new();
    let store = bench.open();
    let one = consumer(&store).await;
    bus(&store).publish(event("kept")).await.unwrap();
    flush(&store).await;
    bench.faults.hold_commits();
    let message = take(&one, 1).await.remove(0);
    keys(&store).increment("s", "sum", 1).await.unwrap();
    one.settle(&message, Settlement::Done(vec![Effect::Publish(event("lost"))])).await.unwrap();
    assert_eq!(see(&store).await, Seen { events: 2, sum: 1, pending: 1, timers: 0 });
    store.crash();
    let store = bench.open();
    let one = consumer(&store).await;
    assert_eq!(see(&store).await, Seen { events: 1, sum: 0, pending: 1, timers: 0 });
    assert_eq!(take(&one, 1).await[0].event.id(), Some("kept"));
    // What was lost was never there: its id is free.
    let receipt = bus(&store).publish(event("lost")).await.unwrap();
    assert_eq!((receipt.sequence, receipt.duplicate), (2, false));
}
