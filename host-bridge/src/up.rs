//! `a4co up`: puts the parts together, runs them, and takes them apart in the right order.

mod bridged;
mod http_only;
mod listeners;
mod nats_bus;
mod operations;
mod progress;
mod signals;
mod state;

pub use bridged::bridge;

use crate::admin::{self, Admin};
use crate::cli::{UpOptions, screen};
use crate::engine::App;
use crate::manifest::Application;
use crate::metrics::CountedDispatch;
use crate::trigger::event::{DeliveryObserver, EventTrigger, LogDeliveries, Parts, Subscriber};
use crate::trigger::http::{ServeOptions, serve};
use crate::trigger::timers::fire_timers;
use anyhow::Context as _;
use listeners::Listeners;
use operations::Running;
use state::State;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long what runs may take to end at shutdown.
const DRAIN: Duration = Duration::from_secs(20);

/// Runs `application` until it is told to stop.
///
/// # Errors
/// Where it cannot start (each message says what to do), or where a part of it ends by itself.
pub async fn run(application: Application, options: UpOptions) -> anyhow::Result<()> {
    if options.http_only {
        return http_only::run(application, &options).await;
    }
    let listeners = Listeners::bind(&options).await?;
    let state = State::open(&application, &options).await?;
    let outcome = serve_all(&application, &options, listeners, &state).await;
    // Whatever happened: what is in memory goes to disk, and the directory is free again.
    state.close().await;
    outcome
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
    let running = Arc::new(Running::new(state.storage.clone(), trigger.switch(), options.cache_dir.clone()));
    let admin = admin::router(Admin {
        bus: state.bus.clone(),
        durability: state.durability.clone(),
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
        let (place, durability) = (state.storage.place(&options.state_dir), state.storage.meaning());
        let place = screen::Place { listen, admin: admin_listen, state: &place, durability };
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
