//! From a checked manifest to components that can be invoked.

use super::cache::{CodeCache, Digest256};
use super::component::{Linked, Loaded};
use super::config::{EngineOptions, Ticker};
use super::events::{Handler, WasmDispatch};
use super::load_error::LoadError;
use super::permits::{Permits, PoolSize};
use super::{Failure, Invocation, Services};
use crate::calls::{self, Callees};
use crate::host::outgoing::{AllowList, Connections, Outgoing};
use crate::host::{self, Guest, HostState};
use crate::manifest::{Application, Component};
use crate::observe::Cause;
use crate::trigger::http::Router;
use http::{Request, Response};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;
use wasmtime::Engine;
use wasmtime::component::{Component as Compiled, InstancePre, Linker};
use wasmtime_wasi_http::WasiBody;
use wasmtime_wasi_http::handler::ProxyPre;

/// How often idle instances are looked through.
const TRIM_EVERY: Duration = Duration::from_secs(5);

/// A component became ready.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// Which.
    pub component: &'a str,
    /// Its code was in the cache; else it was compiled.
    pub cached: bool,
    /// How many are ready.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

/// A loaded application.
pub struct App {
    components: FxHashMap<Arc<str>, Arc<Loaded>>,
    router: Router,
    permits: Permits,
    services: Services,
    _ticker: Ticker,
}

/// A component as it comes from disk or compiler.
struct Ready {
    component: Component,
    digest: Digest256,
    wasm: Vec<u8>,
    compiled: Compiled,
    cached: bool,
}

impl App {
    /// Compiles (or finds compiled, under `cache`), links and checks every component, several at a time.
    ///
    /// # Errors
    /// Names the first component that cannot run, and why.
    pub async fn load(
        application: &Application,
        services: Services,
        cache: &Path,
        progress: impl Fn(Progress<'_>),
    ) -> Result<Arc<Self>, LoadError> {
        let router = Router::new(&application.routes)?;
        let wasm = read_all(application)?;
        let concurrent = wasm.iter().any(|(_, wasm)| speaks_wasi_0_3(wasm));
        let options = EngineOptions { pool: PoolSize::of(application), concurrent };
        let engine = options.build().map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let ready = compile_all(&engine, cache, wasm, progress).await?;
        let mut linker = Linker::new(&engine);
        host::add_to_linker(&mut linker, concurrent).map_err(|error| LoadError::Engine(format!("{error:#}")))?;
        let linked = ready.into_iter().map(|ready| link(&linker, ready)).collect::<Result<Vec<_>, _>>()?;
        let ticker = Ticker::start(&engine).map_err(|error| LoadError::Engine(error.to_string()))?;
        let app = Self::assemble(linked, router, services, ticker);
        tokio::spawn(trim(Arc::downgrade(&app)));
        Ok(app)
    }

    fn assemble(
        linked: Vec<(Component, AllowList, Linked)>,
        router: Router,
        services: Services,
        ticker: Ticker,
    ) -> Arc<Self> {
        let connections = Connections::new();
        Arc::new_cyclic(|app: &Weak<Self>| {
            let components = linked.into_iter().map(|(component, allowed, linked)| {
                let callees: Weak<dyn Callees> = Weak::clone(app) as Weak<dyn Callees>;
                let outgoing = Outgoing::new(&component, allowed, &services, connections.clone(), callees);
                let guest = Guest::new(component, &services, outgoing);
                (Arc::clone(guest.id()), Arc::new(Loaded::new(guest, linked, services.clone())))
            });
            let components = components.collect();
            Self { components, router, permits: Permits::of_application(), services, _ticker: ticker }
        })
    }

    /// A component.
    #[must_use]
    pub fn component(&self, id: &str) -> Option<&Arc<Loaded>> {
        self.components.get(id)
    }

    /// Its routes.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// What the host does for its guests.
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.services
    }

    /// Runs events through its components.
    #[must_use]
    pub fn dispatch(self: &Arc<Self>) -> WasmDispatch {
        WasmDispatch::new(Arc::clone(self))
    }

    /// Runs a component's HTTP handler on one request.
    ///
    /// # Errors
    /// Why there is no response.
    pub async fn http(
        &self,
        component: &Arc<Loaded>,
        request: Request<WasiBody>,
        invocation: Arc<Invocation>,
    ) -> Result<Response<WasiBody>, Failure> {
        let (started, cause) = (Instant::now(), if invocation.depth() == 0 { Cause::Http } else { Cause::Call });
        let result = component.handle_http(&self.permits, request, invocation).await;
        let outcome = result.as_ref().map_or_else(Failure::outcome, |_| "ok");
        self.services.observer.invocation(component.id(), cause, outcome, started.elapsed());
        result
    }
}

async fn trim(app: Weak<App>) {
    loop {
        tokio::time::sleep(TRIM_EVERY).await;
        let Some(app) = app.upgrade() else { return };
        let now = Instant::now();
        app.components.values().for_each(|component| component.trim(now));
    }
}

fn read_all(application: &Application) -> Result<Vec<(Component, Vec<u8>)>, LoadError> {
    let read = |component: &Component| {
        if component.id == calls::EVENTS_HOST {
            return Err(LoadError::ReservedId);
        }
        let path = component.source.clone();
        let wasm = std::fs::read(&path);
        let wasm = wasm.map_err(|source| LoadError::Read { component: component.id.clone(), path, source })?;
        Ok((component.clone(), wasm))
    };
    application.components.iter().map(read).collect()
}

/// Whether a component names a 0.3 interface: import and export names are plain text in the binary.
fn speaks_wasi_0_3(wasm: &[u8]) -> bool {
    let names = wasm.windows(5).enumerate().filter(|(_, window)| *window == b"wasi:").map(|(at, _)| at);
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b":/-@.".contains(byte);
    names.filter_map(|at| wasm.get(at..)).any(|rest| {
        let length = rest.iter().take_while(|byte| in_name(byte)).count();
        rest.get(..length).is_some_and(|name| name.windows(5).any(|part| part == b"@0.3."))
    })
}

async fn compile_all(
    engine: &Engine,
    cache: &Path,
    wasm: Vec<(Component, Vec<u8>)>,
    progress: impl Fn(Progress<'_>),
) -> Result<Vec<Ready>, LoadError> {
    let cache = CodeCache::open(cache).map_err(|error| LoadError::Engine(format!("{}: {error}", cache.display())))?;
    let total = wasm.len();
    let mut compiling = JoinSet::new();
    for (at, (component, wasm)) in wasm.into_iter().enumerate() {
        let (engine, cache) = (engine.clone(), cache.clone());
        compiling.spawn_blocking(move || (at, compile(&engine, &cache, component, wasm)));
    }
    let mut ready = Vec::with_capacity(total);
    while let Some(joined) = compiling.join_next().await {
        let (at, compiled) = joined.map_err(|error| LoadError::Engine(error.to_string()))?;
        let compiled = compiled?;
        let (component, cached) = (compiled.component.id.clone(), compiled.cached);
        ready.push((at, compiled));
        progress(Progress { component: &component, cached, done: ready.len(), total });
    }
    ready.sort_by_key(|(at, _)| *at);
    let ready: Vec<Ready> = ready.into_iter().map(|(_, ready)| ready).collect();
    cache.retain(engine, &ready.iter().map(|ready| ready.digest).collect::<Vec<_>>());
    Ok(ready)
}

fn compile(engine: &Engine, cache: &CodeCache, component: Component, wasm: Vec<u8>) -> Result<Ready, LoadError> {
    let digest: Digest256 = Sha256::digest(&wasm).into();
    let (compiled, cached) = cache.load(engine, &wasm, &digest).map_err(|error| LoadError::Compile {
        component: component.id.clone(),
        path: component.source.clone(),
        reason: format!("{error:#}"),
    })?;
    Ok(Ready { component, digest, wasm, compiled, cached })
}

fn link(linker: &Linker<HostState>, ready: Ready) -> Result<(Component, AllowList, Linked), LoadError> {
    let Ready { component, digest, wasm, compiled, .. } = ready;
    let id = || component.id.clone();
    let pre = linker
        .instantiate_pre(&compiled)
        .map_err(|error| LoadError::Import { component: id(), import: missing_import(&error) })?;
    let handler = Handler::find(&wasm, &compiled, &component)
        .map_err(|error| LoadError::Export { component: id(), reason: format!("{error:#}") })?;
    let allowed = AllowList::new(&component.allowed_outbound_hosts)
        .map_err(|source| LoadError::Allow { component: id(), source })?;
    let linked = Linked { digest, http: http_handler(&pre), pre, handler };
    Ok((component, allowed, linked))
}

/// 0.2 or 0.3, whichever it exports.
fn http_handler(pre: &InstancePre<HostState>) -> Option<ProxyPre<HostState>> {
    use wasmtime_wasi_http::{p2, p3};
    if let Ok(proxy) = p2::bindings::ProxyPre::new(pre.clone()) {
        return Some(ProxyPre::P2(proxy));
    }
    p3::bindings::ServicePre::new(pre.clone()).ok().map(ProxyPre::P3)
}

/// The interface named in the linker's error, between backticks.
fn missing_import(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.split('`').nth(1).map_or_else(|| text.clone(), |name| format!("`{name}`"))
}

#[cfg(test)]
mod tests {
    use super::speaks_wasi_0_3;

    #[test]
    fn a_0_3_interface_is_found_by_its_name() {
        assert!(speaks_wasi_0_3(b"\0\x17wasi:http/handler@0.3.0\x05"));
        assert!(!speaks_wasi_0_3(b"\0\x20wasi:http/incoming-handler@0.2.0 and a text with @0.3.0"));
    }
}
