//! Puts a bridge together: consumers and timers over a bus, deliveries to a target, the publish endpoint, the operators'
//! listener; and takes it apart in the right order.

use super::{Deliveries, Publishing, publish};
use crate::admin::{self, Admin, Operations};
use crate::bus::EventBus;
use crate::clock::Clock;
use crate::durability::Durability;
use crate::manifest::{Application, Component};
use crate::metrics::{CountedDispatch, Metrics};
use crate::observe::Observer;
use crate::tokens::{self, BRIDGE, Signer, Trusted};
use crate::trigger::event::{DeliveryObserver, EventTrigger, LogDeliveries, Parts, PauseSwitch, Subscriber};
use crate::trigger::timers::fire_timers;
use anyhow::{Context as _, anyhow, bail};
use futures::future::{BoxFuture, FutureExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What a bridge works with.
#[derive(Clone)]
pub struct BridgeParts {
    /// Where events come from and go to.
    pub bus: Arc<dyn EventBus>,
    /// What answers to publishers wait for.
    pub durability: Arc<dyn Durability>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who counts.
    pub metrics: Arc<Metrics>,
    /// Why the bus cannot be used now; `None` where it can.
    pub away: Away,
}

/// Asks whether something can be used.
pub type Away = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// The bridge's own key, and those of who may publish.
#[derive(Debug)]
pub struct Keys {
    signer: Arc<Signer>,
    trusted: Trusted,
}

impl Keys {
    /// Reads `a4co-bridge.json` and, for each component that may publish, `<component>.public.json`. One without is
    /// warned of: it may still emit from its event handler.
    ///
    /// # Errors
    /// Where the bridge has no key, or a file cannot be used.
    pub fn load(folder: &Path, application: &Application) -> anyhow::Result<Self> {
        let own = tokens::load_private(folder, BRIDGE)?;
        let signer = Arc::new(Signer::new(BRIDGE, &own).map_err(|why| anyhow!("the bridge's key: {why}"))?);
        let mut trusted = Trusted::new();
        for component in application.components.iter().filter(|component| may_publish(component)) {
            match tokens::load_public(folder, &component.id) {
                Ok(set) => {
                    trusted = trusted.and(&component.id, &set).map_err(|why| anyhow!("{}: {why}", component.id))?;
                }
                Err(tokens::KeyFileError::Missing(path)) => tracing::warn!(
                    component = component.id,
                    "cannot publish from its HTTP handlers: there is no {}",
                    path.display()
                ),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Self { signer, trusted })
    }
}

fn may_publish(component: &Component) -> bool {
    component.events.as_ref().is_some_and(|events| !events.publish.is_empty())
}

/// Where a bridge delivers, and where it listens.
pub struct Bridge {
    /// The other host: `http://127.0.0.1:3000`.
    pub target: String,
    /// Its keys.
    pub keys: Keys,
    /// Where components publish.
    pub publish: TcpListener,
    /// Where operators are served.
    pub admin: TcpListener,
}

/// A bridge at work. Dropping it stops all at once, as a crash would; see [`Running::shutdown`].
pub struct Running {
    trigger: EventTrigger,
    timers: JoinHandle<()>,
    listeners: Vec<JoinHandle<std::io::Result<()>>>,
    stopping: CancellationToken,
    operated: Arc<Operated>,
}

impl Bridge {
    /// Opens every consumer of `application`, then delivers.
    ///
    /// # Errors
    /// Where it cannot start: each message says what to do.
    pub async fn start(self, application: &Application, parts: BridgeParts) -> anyhow::Result<Running> {
        check(application)?;
        let BridgeParts { bus, durability, clock, metrics, away } = parts;
        let deliveries = Deliveries::new(application, &self.target, self.keys.signer, clock.clone(), metrics.clone())?;
        let mut subscribers = Vec::new();
        for component in &application.components {
            subscribers.extend(Subscriber::new(component, None, &application.streams)?);
        }
        let observer: Arc<dyn DeliveryObserver> = Arc::new((LogDeliveries, metrics.clone()));
        let dispatch = Arc::new(CountedDispatch::new(Arc::new(deliveries), metrics.clone()));
        let parts = Parts { bus: bus.clone(), dispatch, clock: clock.clone(), observer };
        let trigger = EventTrigger::start(parts, subscribers).await.context("the consumers cannot be opened")?;
        let timers = tokio::spawn(fire_timers(bus.clone(), clock.clone(), trigger.behind()));

        let stopping = CancellationToken::new();
        let told: Arc<dyn Observer> = metrics.clone();
        let publishing = Publishing::new(application, self.keys.trusted, (&bus, &told), durability.clone(), clock);
        let publishing = tokio::spawn(publish::serve(Arc::new(publishing), self.publish, stopping.clone()));
        let operated = Arc::new(Operated { ready: AtomicBool::new(true), switch: trigger.switch(), away });
        let admin = Admin { bus, durability, metrics, operations: operated.clone(), shutdown: stopping.clone() };
        let admin = axum::serve(self.admin, admin::router(admin));
        let admin = tokio::spawn(admin.with_graceful_shutdown(stopping.clone().cancelled_owned()).into_future());
        Ok(Running { trigger, timers, listeners: vec![publishing, admin], stopping, operated })
    }
}

impl Running {
    /// Returns when a part of it ended by itself: a defect.
    pub async fn failed(&mut self) -> String {
        self.trigger.failed().await
    }

    /// Hands out nothing more, lets what is under way end within `drain`, and closes the listeners.
    ///
    /// # Errors
    /// Where a listener had failed.
    pub async fn shutdown(self, drain: Duration) -> anyhow::Result<()> {
        self.operated.ready.store(false, Ordering::Release);
        self.stopping.cancel();
        self.timers.abort();
        self.trigger.shutdown(drain).await;
        for listener in self.listeners {
            listener.await.context("a listener")?.context("a listener")?;
        }
        Ok(())
    }
}

/// A bridge needs the routes it delivers to.
fn check(application: &Application) -> anyhow::Result<()> {
    for component in &application.components {
        let subscribes = component.events.as_ref().is_some_and(|events| !events.subscribe.is_empty());
        let route = format!("/events/{}", component.id);
        let served =
            application.routes.iter().any(|it| it.pattern.as_deref() == Some(&route) && it.component == component.id);
        if subscribes && !served {
            bail!(
                "component {} subscribes to events, but no route delivers them: add [[trigger.http]] with \
                 route = \"{route}\" and component = \"{}\"",
                component.id,
                component.id
            );
        }
    }
    Ok(())
}

/// What the admin listener asks of a running bridge. It keeps no state of its own.
struct Operated {
    ready: AtomicBool,
    switch: PauseSwitch,
    away: Away,
}

impl Operations for Operated {
    fn ready(&self) -> Result<(), String> {
        if !self.ready.load(Ordering::Acquire) {
            return Err("the bridge is stopping".to_owned());
        }
        (self.away)().map_or(Ok(()), Err)
    }

    fn away(&self) -> Option<String> {
        (self.away)()
    }

    fn paused(&self, component: &str, stream: &str, paused: bool) {
        self.switch.pause(component, stream, paused);
    }

    fn sizes(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }

    fn backup(&self, _file: PathBuf) -> BoxFuture<'_, anyhow::Result<u64>> {
        async { bail!("a bridge keeps no state: back up the bus, and the key-value store of the target") }.boxed()
    }
}
