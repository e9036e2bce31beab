//! Which processes live, and which of them should hold which consumer. This only spreads the work: that a consumer has
//! one holder is kept by its lease alone.

use super::BusError;
use super::core::Core;
use futures::StreamExt as _;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How often a process tells that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// After this long without a word a process counts as dead.
const SILENCE: Duration = Duration::from_secs(3);
/// A process counts as alive once it was heard this often: one that starts and dies moves nothing.
const WORDS: u32 = 2;
/// The namespace in which consumers are dealt to processes.
const NAMESPACE: uuid::Uuid = uuid::uuid!("7c0f3f3e-53a5-5d5c-8a0e-2f4c9f6f0a11");

/// The processes of one application, as this one has heard of them.
#[derive(Debug)]
pub(super) struct Nodes {
    me: String,
    heard: Mutex<BTreeMap<String, Heard>>,
    wanted: Mutex<BTreeSet<String>>,
}

#[derive(Debug)]
struct Heard {
    words: u32,
    last: Instant,
    wants: BTreeSet<String>,
}

/// What a process tells.
#[derive(Debug, Serialize, Deserialize)]
struct Word {
    node: String,
    /// The consumers it would hold.
    wants: BTreeSet<String>,
    /// It stops.
    #[serde(default)]
    bye: bool,
}

impl Nodes {
    pub(super) fn new(me: &str) -> Self {
        Self { me: me.to_owned(), heard: Mutex::default(), wanted: Mutex::default() }
    }

    /// This process would hold the consumer.
    pub(super) fn want(&self, consumer: &str) {
        self.wanted.lock().insert(consumer.to_owned());
    }

    /// This process would not hold the consumer any more.
    pub(super) fn renounce(&self, consumer: &str) {
        self.wanted.lock().remove(consumer);
    }

    /// Whether this process should hold the consumer: of all that live and want it, it is the one that is dealt it.
    pub(super) fn is_preferred(&self, consumer: &str) -> bool {
        let mine = share(&self.me, consumer);
        let now = Instant::now();
        let heard = self.heard.lock();
        let mut others = heard.iter().filter(|(_, heard)| heard.lives(now) && heard.wants.contains(consumer));
        others.all(|(node, _)| share(node, consumer) < mine)
    }

    fn word(&self, bye: bool) -> Word {
        Word { node: self.me.clone(), wants: self.wanted.lock().clone(), bye }
    }

    fn hear(&self, word: Word, now: Instant) {
        if word.node == self.me {
            return;
        }
        let mut heard = self.heard.lock();
        if word.bye {
            heard.remove(&word.node);
            return;
        }
        heard.retain(|_, other| now.saturating_duration_since(other.last) < SILENCE);
        let other = heard.entry(word.node).or_insert_with(|| Heard { words: 0, last: now, wants: BTreeSet::new() });
        other.words = other.words.saturating_add(1);
        other.last = now;
        other.wants = word.wants;
    }
}

impl Heard {
    fn lives(&self, now: Instant) -> bool {
        self.words >= WORDS && now.saturating_duration_since(self.last) < SILENCE
    }
}

/// What a node draws for a consumer; the highest draw gets it. A node that comes or goes moves only its own share.
fn share(node: &str, consumer: &str) -> (u128, String) {
    let drawn = uuid::Uuid::new_v5(&NAMESPACE, format!("{node}\n{consumer}").as_bytes());
    (drawn.as_u128(), node.to_owned())
}

/// Tells the others that this process lives, and hears them, until the bus is closed.
pub(super) async fn live(core: &Arc<Core>) -> Result<(), BusError> {
    let subscribed = core.nats.client().subscribe(core.names.beats()).await;
    let mut words = subscribed.map_err(|error| BusError::Unavailable(format!("{}: {error}", core.names.beats())))?;
    let core = core.clone();
    tokio::spawn(async move {
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = core.stopping.cancelled() => break,
                _ = beat.tick() => say(&core, false).await,
                Some(said) = words.next() => {
                    if let Ok(word) = serde_json::from_slice::<Word>(&said.payload) {
                        core.nodes.hear(word, Instant::now());
                    }
                }
            }
        }
        say(&core, true).await;
    });
    Ok(())
}

/// Tells the others that this process lives and what it would hold, or that it stops.
pub(super) async fn say(core: &Core, bye: bool) {
    if let Ok(word) = serde_json::to_vec(&core.nodes.word(bye)) {
        // Where it is not heard, the silence says the same.
        let _said = core.nats.client().publish(core.names.beats(), word.into()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(node: &str, wants: &[String]) -> Word {
        Word { node: node.to_owned(), wants: wants.iter().cloned().collect(), bye: false }
    }

    fn heard(nodes: &Nodes, node: &str, wants: &[String], times: u32) {
        for _ in 0..times {
            nodes.hear(word(node, wants), Instant::now());
        }
    }

    #[test]
    fn every_consumer_has_one_preferred_process_and_each_process_some() {
        let consumers: Vec<_> = (0..40).map(|number| format!("c{number}/ORDERS")).collect();
        let names = ["one", "two", "three"];
        let all: Vec<_> = names.iter().map(|name| Nodes::new(name)).collect();
        for nodes in &all {
            names.iter().for_each(|name| heard(nodes, name, &consumers, WORDS));
        }
        let mut shares = [0; 3];
        for consumer in &consumers {
            let preferred: Vec<_> = (0..3).filter(|at| all[*at].is_preferred(consumer)).collect();
            assert_eq!(preferred.len(), 1, "{consumer}");
            shares[preferred[0]] += 1;
        }
        assert!(shares.iter().all(|share| *share >= 5), "{shares:?}");
    }

    #[test]
    fn who_was_heard_once_who_left_and_who_wants_something_else_count_for_nothing() {
        let nodes = Nodes::new("me");
        let consumer = "c/ORDERS".to_owned();
        let other =
            (0..50).map(|number| format!("n{number}")).find(|node| share(node, &consumer) > share("me", &consumer));
        let other = other.unwrap();
        heard(&nodes, &other, std::slice::from_ref(&consumer), 1);
        assert!(nodes.is_preferred(&consumer));
        heard(&nodes, &other, std::slice::from_ref(&consumer), 1);
        assert!(!nodes.is_preferred(&consumer));
        heard(&nodes, &other, &[], 1);
        assert!(nodes.is_preferred(&consumer));
        heard(&nodes, &other, std::slice::from_ref(&consumer), 1);
        nodes.hear(Word { bye: true, ..word(&other, &[]) }, Instant::now());
        assert!(nodes.is_preferred(&consumer));
    }
}
