//! The driver of due timers: fires what is due, sleeps until the next, and holds deadlines back while consumers catch up.

use crate::bus::{EventBus, TimerRule};
use crate::clock::{Clock, Millis};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest sleep: a clock that was set forward is noticed within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);
/// Wait after the bus did not answer.
const BUS_WAIT: Duration = Duration::from_millis(500);

/// Fires timers until the future is dropped. `behind` counts the consumers that have not caught up since the start.
pub async fn fire_timers(bus: Arc<dyn EventBus>, clock: Arc<dyn Clock>, mut behind: watch::Receiver<usize>) {
    let since = clock.now();
    let mut failing = false;
    loop {
        // Marked as seen before the bus is asked, so that a change meanwhile is not missed.
        let caught_up = *behind.borrow_and_update() == 0;
        let rule = if caught_up { TimerRule::CaughtUp } else { TimerRule::CatchingUp { since } };
        let now = clock.now();
        let sleep = match bus.fire_due_timers(now, rule).await {
            Ok(next) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("timers are fired again");
                }
                next.map_or(LONGEST_SLEEP, |at| until(at, now))
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    tracing::warn!(%error, "timers cannot be fired: tried again until they can");
                }
                BUS_WAIT
            }
        };
        tokio::select! {
            // In one order always, so that a simulated run can be run again.
            biased;
            () = tokio::time::sleep(sleep) => {}
            () = bus.timers_changed() => {}
            () = changed(&mut behind), if !caught_up => {}
        }
    }
}

fn until(at: Millis, now: Millis) -> Duration {
    at.since(now).min(LONGEST_SLEEP)
}

async fn changed(behind: &mut watch::Receiver<usize>) {
    if behind.changed().await.is_err() {
        // The trigger is gone, and with it whoever could catch up.
        std::future::pending::<()>().await;
    }
}
