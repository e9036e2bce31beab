//! `a4co up --http-only`: serves as Spin does, for a bridge in front of it.
//!
//! No event trigger and no timers; `/events/<component>` is a route like any other; key-value and instances behave as
//! Spin's, so that an application proven here runs there.

use super::listeners::Listeners;
use super::operations::Running;
use super::state::State;
use super::{DRAIN, progress, signals};
use crate::admin::{self, Admin};
use crate::cli::{UpOptions, screen};
use crate::engine::{App, Services};
use crate::host::Manners;
use crate::manifest::Application;
use crate::trigger::event::PauseSwitch;
use crate::trigger::http::{ServeOptions, serve};
use anyhow::Context as _;
use std::io::Write as _;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// What an answer to a client guarantees, in words.
const DURABILITY: &str = "HTTP only, with Spin's manners: events are a bridge's to deliver";

/// Serves `application` over HTTP alone until it is told to stop.
///
/// # Errors
/// Where it cannot start (each message says what to do).
pub(super) async fn run(mut application: Application, options: &UpOptions) -> anyhow::Result<()> {
    for component in &mut application.components {
        // A fresh instance a request, whatever the manifest says to us.
        component.limits.reuse_http = 1;
    }
    let listeners = Listeners::bind(options).await?;
    let state = State::open(&application, options).await?;
    let outcome = serve_all(&application, options, listeners, &state).await;
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
    let services = Services { manners: Manners::Spin, ..state.services() };
    let app = App::load(application, services, &options.cache_dir, |step| progress.show(step)).await?;
    let stopping = CancellationToken::new();
    let running = Arc::new(Running::new(state.storage.clone(), PauseSwitch::default(), options.cache_dir.clone()));
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
    let serving = ServeOptions { drain: DRAIN, bridged: true, ..ServeOptions::default() };
    let http = tokio::spawn(serve(app, listeners.public, serving, stopping.clone().cancelled_owned()));

    running.set_ready(true);
    if !options.quiet {
        let place = state.storage.place(&options.state_dir);
        let place = screen::Place { listen, admin: admin_listen, state: &place, durability: DURABILITY };
        // A closed standard output is no reason to stop serving.
        let _closed = std::io::stdout().write_all(screen::render(application, place).as_bytes());
    }
    let outcome = signals::stop().await;
    running.set_ready(false);
    stopping.cancel();
    http.await.context("the HTTP listener")?;
    admin.await.context("the admin listener")?.context("the admin listener")?;
    outcome.map(|name| tracing::info!(signal = name, "stopped"))
}
