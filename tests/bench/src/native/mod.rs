//! The native baseline: the same components as plain Rust over the same bus, key-value store and flush, in a process of
//! its own. Between them go typed events; JSON is written once an event, for the log.

mod dispatch;
mod http;
mod noop;
mod ports;
mod typed;
mod world;

pub use noop::{NoopResult, run as run_noop};

use a4co_host::clock::{Clock, SystemClock};
use a4co_host::manifest::{self, Application, Given};
use a4co_host::store::{Store, StoreOptions};
use a4co_host::trigger::event::{DeliveryObserver, EventTrigger, Happening, Parts, Subscriber};
use a4co_host::trigger::timers::fire_timers;
use anyhow::{Context as _, Result};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use world::World;

/// Serves the application in `manifest` natively until the process is killed; says `ready` on standard output.
///
/// # Errors
/// Where it cannot start.
pub async fn serve(manifest: &Path, state_dir: &Path, listen: SocketAddr) -> Result<()> {
    let application = load(manifest)?;
    let (store, clock) = open(&application, state_dir)?;
    let world = Arc::new(World::new(&application, store, clock.clone()));
    let dispatch = Arc::new(dispatch::NativeDispatch::new(world.clone()));
    let parts = Parts { bus: Arc::new(world.bus.clone()), dispatch, clock: clock.clone(), observer: Arc::new(Silent) };
    let trigger = EventTrigger::start(parts, subscribers(&application)?).await?;
    tokio::spawn(fire_timers(Arc::new(world.bus.clone()), clock, trigger.behind()));
    let listener = tokio::net::TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    writeln!(std::io::stdout(), "ready")?;
    axum::serve(tap_nodelay(listener), http::router(world)).await.context("serving")
}

/// Without Nagle's delay, as the host listens.
pub fn tap_nodelay(
    listener: tokio::net::TcpListener,
) -> impl axum::serve::Listener<Addr = SocketAddr, Io = tokio::net::TcpStream> {
    use axum::serve::ListenerExt as _;
    listener.tap_io(|stream| {
        // A stream that is gone already ends by itself.
        let _gone = stream.set_nodelay(true);
    })
}

fn load(manifest: &Path) -> Result<Application> {
    Ok(manifest::load(manifest, &Given::default())?)
}

fn open(application: &Application, state_dir: &Path) -> Result<(Arc<Store>, Arc<dyn Clock>)> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let store = Store::open(state_dir, StoreOptions::new(clock.clone(), application.streams.clone()))?;
    Ok((store, clock))
}

fn subscribers(application: &Application) -> Result<Vec<Subscriber>> {
    let mut subscribers = Vec::new();
    for component in &application.components {
        subscribers.extend(Subscriber::new(component, None, &application.streams)?);
    }
    Ok(subscribers)
}

/// Says what went wrong, nothing else.
struct Silent;

impl DeliveryObserver for Silent {
    fn observe(&self, happening: &Happening<'_>) {
        if let Happening::Dead { about, cause } = happening {
            let (subject, reason) = (about.event.subject.as_str(), &cause.reason);
            let _closed = writeln!(std::io::stderr(), "{}: {subject} is dead: {reason}", about.component);
        }
    }
}
