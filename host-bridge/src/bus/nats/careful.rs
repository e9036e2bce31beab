//! Whether hand-outs are counted durably before the call: after a holder that did not let go, until what it left is
//! drained, and a while longer, because what is published meanwhile may be what killed it.

use parking_lot::Mutex;
use std::time::Duration;
use tokio::time::Instant;

/// How much longer.
const LONGER: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub(super) struct Careful(Mutex<State>);

#[derive(Debug, Clone, Copy)]
enum State {
    Off,
    On,
    Drained(Instant),
}

impl Careful {
    /// On, where the former end was unclean.
    pub(super) fn new(unclean: bool) -> Self {
        Self(Mutex::new(if unclean { State::On } else { State::Off }))
    }

    /// Whether it is on, now that the backlog is `drained` or not.
    pub(super) fn is_on(&self, drained: bool) -> bool {
        let mut state = self.0.lock();
        *state = match *state {
            State::On if drained => State::Drained(Instant::now()),
            State::Drained(since) if since.elapsed() >= LONGER => State::Off,
            same => same,
        };
        !matches!(*state, State::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_ends_a_while_after_the_backlog() {
        assert!(!Careful::new(false).is_on(false));
        let careful = Careful::new(true);
        assert!(careful.is_on(false) && careful.is_on(true));
        tokio::time::advance(LONGER).await;
        assert!(!careful.is_on(true));
    }
}
