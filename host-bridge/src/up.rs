//! `a4co up`: puts the parts together, runs them, and takes them apart in the right order.

mod listeners;
mod operations;
mod progress;
mod signals;

use crate::admin::{self, Admin};
use crate::bus::EventBus;
use crate::bus::embedded::EmbeddedBus;
use crate::cli::{UpOptions, screen};
use crate::clock::{Clock, SystemClock};
use crate::durability::Durability;
use crate::engine::{App, Services};
use crate::failpoint;
use crate::keyvalue::embedded::EmbeddedKeyValue;
use crate::manifest::Application;
use crate::metrics::{CountedDispatch, Metrics};
use crate::store::{Store, StoreOptions};
use crate::trigger::event::{DeliveryObserver, EventTrigger, LogDeliveries, Parts, Subscriber};
use crate::trigger::http::{ServeOptions, serve};
use crate::trigger::timers::fire_timers;
use anyhow::Context as _;
use listeners::Listeners;
use operations::Running;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long what runs may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(20);
/// Environment variable with the path of a file in which the store notes how far it has come, for tests of crashes and
/// for diagnosis: see the store's `vitals`.
const VITALS: &str = "A4CO_VITALS";
/// What an answer to a client guarantees, in words.
const DURABILITY: &str = "an answer is on disk before it is sent (SQLite WAL, synchronous=FULL)";

/// The state of a running application, behind its ports.
struct State {
    store: Arc<Store>,
    bus: Arc<dyn EventBus>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// Runs `application` until it is told to stop.
///
/// # Errors
/// Where it cannot start (each message says what to do), or where a part of it ends by itself.
pub async fn run(application: Application, options: UpOptions) -> anyhow::Result<()> {
    let listeners = Listeners::bind(&options).await?;
    let state = State::open(&application, &options)?;
    let outcome = serve_all(&application, &options, listeners, &state).await;
    // Whatever happened: what is in memory goes to disk, and the directory is free again.
    tokio::task::block_in_place(|| state.store.close());
    outcome
}

impl State {
    fn open(application: &Application, options: &UpOptions) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let mut store_options = StoreOptions::new(clock.clone(), application.streams.clone());
        store_options.vitals = std::env::var_os(VITALS).map(PathBuf::from);
        let metrics = Arc::new(Metrics::new());
        let counted = metrics.clone();
        store_options.flushed = Some(Arc::new(move |took, changes| counted.flushed(took, changes)));
        let counted = metrics.clone();
        store_options.fired = Some(Arc::new(move |event| counted.published_by("timer", event)));
        let store = Store::open(&options.state_dir, store_options)?;
        if let Some(text) = std::env::var_os(failpoint::VARIABLE) {
            failpoint::arm(&text.to_string_lossy(), store.clone())?;
        }
        let bus: Arc<dyn EventBus> = Arc::new(EmbeddedBus::new(store.clone()));
        Ok(Self { store, bus, clock, metrics })
    }

    fn services(&self) -> Services {
        Services {
            key_value: Arc::new(EmbeddedKeyValue::new(self.store.clone())),
            bus: self.bus.clone(),
            durability: self.store.clone(),
            clock: self.clock.clone(),
            observer: self.metrics.clone(),
        }
    }
}

async fn serve_all(
    application: &Application,
    options: &UpOptions,
    listeners: Listeners,
    state: &State,
) -> anyhow::Result<()> {
    let progress = progress::Compiling::new(options.quiet);
    let app = App::load(application, state.services(), &options.cache_dir, |step| progress.show(step)).await?;
    let mut trigger = start_deliveries(application, state, &app).await?;
    let timers = tokio::spawn(fire_timers(state.bus.clone(), state.clock.clone(), trigger.behind()));

    let stopping = CancellationToken::new();
    let running = Arc::new(Running::new(state.store.clone(), trigger.switch(), options.cache_dir.clone()));
    let admin = admin::router(Admin {
        bus: state.bus.clone(),
        durability: state.store.clone() as Arc<dyn Durability>,
        metrics: state.metrics.clone(),
        operations: running.clone(),
        shutdown: stopping.clone(),
    });
    let (listen, admin_listen) = (listeners.public_address, listeners.admin_address);
    let admin = tokio::spawn(
        axum::serve(listeners.admin, admin).with_graceful_shutdown(stopping.clone().cancelled_owned()).into_future(),
    );
    let serving = ServeOptions { drain: DRAIN, ..ServeOptions::default() };
    let http = tokio::spawn(serve(app, listeners.public, serving, stopping.clone().cancelled_owned()));

    running.set_ready(true);
    if !options.quiet {
        let place =
            screen::Place { listen, admin: admin_listen, state_dir: &options.state_dir, durability: DURABILITY };
        // A closed standard output is no reason to stop serving.
        let _closed = std::io::stdout().write_all(screen::render(application, place).as_bytes());
    }
    let outcome = tokio::select! {
        signal = signals::stop() => signal.map(|name| tracing::info!(signal = name, "stopping: what runs may end")),
        what = trigger.failed() => Err(anyhow::anyhow!("deliveries stopped by themselves ({what}): please report this")),
    };

    running.set_ready(false);
    stopping.cancel();
    timers.abort();
    let (http, ()) = tokio::join!(http, trigger.shutdown(DRAIN));
    http.context("the HTTP listener")?;
    admin.await.context("the admin listener")?.context("the admin listener")?;
    outcome
}

async fn start_deliveries(application: &Application, state: &State, app: &Arc<App>) -> anyhow::Result<EventTrigger> {
    let mut subscribers = Vec::new();
    for component in &application.components {
        let digest = app.component(&component.id).map(|loaded| loaded.digest());
        subscribers.extend(Subscriber::new(component, digest, &application.streams)?);
    }
    let observer: Arc<dyn DeliveryObserver> = Arc::new((LogDeliveries, state.metrics.clone()));
    let parts = Parts {
        bus: state.bus.clone(),
        dispatch: Arc::new(CountedDispatch::new(Arc::new(app.dispatch()), state.metrics.clone())),
        clock: state.clock.clone(),
        observer,
    };
    EventTrigger::start(parts, subscribers).await.context("the consumers cannot be opened")
}
