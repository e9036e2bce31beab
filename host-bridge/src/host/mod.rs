//! What a guest may import: a store's data is a struct whose fields are the capabilities.

mod bindings;
mod key_value;
mod limits;
mod log;
mod manners;
pub mod outgoing;
mod running;
mod spin_key_value;
mod variables;
mod wasi;

use crate::engine::{Invocation, Services};
use crate::manifest::Component;
use key_value::KeyValueAccess;
pub use manners::Manners;
use outgoing::{Outgoing, OutgoingHooks};
use running::Running;
use std::sync::Arc;
use variables::Variables;
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Store, StoreLimits};
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// Who a guest is: what all its instances have in common.
pub struct Guest {
    id: Arc<str>,
    component: Component,
    key_value: KeyValueAccess,
    manners: Manners,
    variables: Variables,
    outgoing: Arc<Outgoing>,
}

impl Guest {
    /// The guest of `component`, with the host's `services` and the way out it shares with all its instances.
    #[must_use]
    pub fn new(component: Component, services: &Services, outgoing: Arc<Outgoing>) -> Arc<Self> {
        Arc::new(Self {
            id: component.id.as_str().into(),
            key_value: KeyValueAccess::new(services, &component),
            manners: services.manners,
            variables: Variables::new(&component),
            component,
            outgoing,
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &Arc<str> {
        &self.id
    }

    /// What the manifest says of it.
    #[must_use]
    pub fn component(&self) -> &Component {
        &self.component
    }
}

/// A store's data.
pub struct HostState {
    invocation: Arc<Invocation>,
    running: Running,
    key_value: KeyValueAccess,
    variables: Variables,
    wasi: WasiCtx,
    http: WasiHttpCtx,
    outgoing: OutgoingHooks,
    limits: StoreLimits,
    table: ResourceTable,
}

impl HostState {
    /// The state of a fresh instance of `guest`, about to run `invocation`.
    #[must_use]
    pub fn new(guest: &Guest, invocation: Arc<Invocation>) -> Self {
        let limits = &guest.component.limits;
        let running = Running::new(Arc::clone(&invocation));
        Self {
            key_value: guest.key_value.clone(),
            variables: guest.variables.clone(),
            wasi: wasi::context(guest, &running),
            http: limits::http(),
            outgoing: OutgoingHooks::new(Arc::clone(&guest.outgoing), Arc::clone(&invocation)),
            limits: limits::store(limits),
            table: limits::table(limits),
            running,
            invocation,
        }
    }

    /// Limits a fresh store as its component's manifest entry says.
    pub fn limit(store: &mut Store<Self>, guest: &Guest) {
        let limits = &guest.component.limits;
        store.limiter(|state| &mut state.limits);
        store.set_hostcall_fuel(limits.hostcall_bytes);
        store.set_max_component_handles(limits.handles);
    }

    /// The invocation that runs.
    #[must_use]
    pub fn invocation(&self) -> &Arc<Invocation> {
        &self.invocation
    }

    /// Makes a reused instance run another invocation.
    pub fn begin(&mut self, invocation: Arc<Invocation>) {
        self.outgoing.begin(Arc::clone(&invocation));
        self.running.begin(Arc::clone(&invocation));
        self.invocation = invocation;
    }

    /// How many handles the invocations so far have left behind. A guest may keep some for its life (a store it opened);
    /// more and more are a leak, of its own or of the host's: `wasi:http` never frees the options of a request.
    pub fn handles_left(&mut self) -> usize {
        self.table.iter_mut().count()
    }
}

/// Offers everything a guest may import. What is not here cannot be linked.
///
/// # Errors
/// Where two of them offer the same name; a defect.
pub fn add_to_linker(linker: &mut Linker<HostState>, concurrent: bool) -> wasmtime::Result<()> {
    wasi::add_to_linker(linker, concurrent)?;
    outgoing::add_to_linker(linker, concurrent)?;
    key_value::add_to_linker(linker)?;
    spin_key_value::add_to_linker(linker)?;
    variables::add_to_linker(linker)
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for HostState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.outgoing }
    }
}
