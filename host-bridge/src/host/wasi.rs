//! WASI itself: clocks, randomness, environment and standard streams. No files, no sockets.

use super::manners::{Manners, OWN};
use super::running::Running;
use super::{Guest, HostState, log};
use tracing::Level;
use wasmtime::component::Linker;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

/// Bytes of randomness per call: a guest may ask for any number.
const MAX_RANDOM_BYTES: u64 = 1 << 20;

/// A fresh guest's context. Nothing of the host's own environment is passed on.
pub(super) fn context(guest: &Guest, running: &Running) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(log::GuestLog::new(running, Level::INFO))
        .stderr(log::GuestLog::new(running, Level::WARN))
        .max_random_size(MAX_RANDOM_BYTES)
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if guest.manners == Manners::Own {
        builder.envs(&OWN);
    }
    for (name, value) in &guest.component().environment {
        builder.env(name, value);
    }
    builder.build()
}

/// WASI 0.2, and 0.3 beside it on a concurrent engine.
pub(super) fn add_to_linker(linker: &mut Linker<HostState>, concurrent: bool) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    if concurrent {
        wasmtime_wasi::p3::add_to_linker(linker)?;
    }
    Ok(())
}
