//! One outgoing call: granted, admitted by the breaker, tried, tried again, told.

use super::Connections;
use super::address::Reach;
use super::allow::{AllowList, Allowed, default_port};
use super::breaker::{Admission, Breakers};
use super::client::Unsent;
use super::retry::{self, Attempts};
use crate::calls::{Callees, Internal, Publisher};
use crate::durability::Durability;
use crate::engine::{Invocation, Services};
use crate::host::Manners;
use crate::keyvalue::KeyValue;
use crate::manifest::Component;
use crate::observe::{BreakerState, Observer, SyncCall};
use http::{Request, Response, Uri};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::time::Instant;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

/// What a call may take where the guest does not say: the invocation's own deadline may be sooner.
const DEFAULT_TARGET_TIMEOUT: Duration = Duration::from_secs(5);

/// One component's way out, shared by all its instances.
pub struct Outgoing {
    component: Arc<str>,
    allowed: AllowList,
    connections: Connections,
    breakers: Breakers,
    publisher: Publisher,
    callees: Weak<dyn Callees>,
    durability: Arc<dyn Durability>,
    key_value: Arc<dyn KeyValue>,
    observer: Arc<dyn Observer>,
    /// Host calls of one invocation, of which each request is one.
    host_calls: u64,
    manners: Manners,
}

/// Where a request goes.
struct Target {
    scheme: String,
    /// Lower case, no brackets.
    host: String,
    port: u16,
    /// As the breaker and the metrics know it.
    name: String,
}

impl Outgoing {
    /// The way out of `component`; `callees` answers what stays in the process.
    #[must_use]
    pub fn new(
        component: &Component,
        allowed: AllowList,
        services: &Services,
        connections: Connections,
        callees: Weak<dyn Callees>,
    ) -> Arc<Self> {
        Arc::new(Self {
            component: component.id.as_str().into(),
            allowed,
            connections,
            breakers: Breakers::default(),
            publisher: Publisher::new(component, Arc::clone(&services.bus), Arc::clone(&services.observer)),
            callees,
            durability: Arc::clone(&services.durability),
            key_value: Arc::clone(&services.key_value),
            observer: Arc::clone(&services.observer),
            host_calls: component.limits.host_calls,
            manners: services.manners,
        })
    }

    /// Makes a guest's request.
    ///
    /// # Errors
    /// What the guest is told where there is no response.
    pub async fn send(
        &self,
        invocation: Arc<Invocation>,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        if invocation.count_host_call() > self.host_calls {
            let reason = format!("more than {} host calls in one invocation", self.host_calls);
            return Err(Error::InternalError(Some(reason)));
        }
        // Nothing leaves on what was only believed; where that is past, the guest runs again whatever it makes of this.
        match invocation.beliefs().hold_true(&*self.key_value, None).await {
            Ok(true) => {}
            Ok(false) => return Err(Error::DestinationUnavailable),
            Err(error) => {
                invocation.met_outage(&error);
                return Err(Error::DestinationUnavailable);
            }
        }
        let target = Target::of(request.uri())?;
        if let Some(Internal::Events) = Internal::of(&target.scheme, &target.host) {
            return match self.manners {
                Manners::Own => Ok(self.publisher.publish(&invocation, request).await),
                // Spin ends the guest: here, too, it learns nothing more.
                Manners::Spin => std::future::pending().await,
            };
        }
        let Some(allowed) = self.allowed.allows(&target.scheme, &target.host, target.port) else {
            tracing::warn!(
                component = &*self.component,
                correlation_id = invocation.correlation_id(),
                target = target.name,
                "refused: not in allowed_outbound_hosts"
            );
            return Err(Error::HttpRequestDenied);
        };
        if Internal::of(&target.scheme, &target.host).is_none() {
            // Under no breaker: it is not the target that is at fault.
            self.stored(&invocation).await?;
        }
        self.watched(&invocation, request, options, &target, allowed).await
    }

    /// Under the breaker, which Spin does not have, and counted.
    async fn watched(
        &self,
        invocation: &Arc<Invocation>,
        request: Request<WasiBody>,
        options: RequestOptions,
        target: &Target,
        allowed: Allowed,
    ) -> Result<Response<WasiBody>, Error> {
        let started = Instant::now();
        let own = self.manners == Manners::Own;
        let admission = if own { self.breakers.admit(&target.name, started) } else { Admission::Pass };
        match admission {
            Admission::Pass => {}
            Admission::Probe => self.observer.breaker(&self.component, &target.name, BreakerState::HalfOpen),
            Admission::Refuse => {
                tracing::warn!(
                    component = &*self.component,
                    correlation_id = invocation.correlation_id(),
                    target = target.name,
                    "refused: its circuit breaker is open"
                );
                self.tell(target, request.uri().path(), 0, started);
                return Err(Error::DestinationUnavailable);
            }
        }
        let path = request.uri().path().to_owned();
        let result = self.tried(invocation, request, options, target, allowed).await;
        let status = result.as_ref().map_or(0, |response| response.status().as_u16());
        // What a callee could not reach is out of everybody's reach: it does not keep failing by itself, and is well once that
        // is back.
        let well = (1..500).contains(&status) || (status != 0 && invocation.outage().is_some());
        // What this host lacks says nothing of the target; but whoever tries for all others has to tell something.
        let says = own && (status != 0 || invocation.outage().is_none() || admission == Admission::Probe);
        let changed = if says { self.breakers.report(&target.name, well, Instant::now()) } else { None };
        if let Some(state) = changed {
            self.observer.breaker(&self.component, &target.name, state);
        }
        self.tell(target, &path, status, started);
        result
    }

    fn tell(&self, target: &Target, path: &str, status: u16, started: Instant) {
        let callees = self.callees.upgrade();
        let internal = Internal::of(&target.scheme, &target.host).and_then(|internal| internal.component());
        let endpoint = internal.zip(callees.as_ref()).and_then(|(id, callees)| callees.endpoint(id, path));
        self.observer.sync_call(SyncCall {
            source: &self.component,
            target: internal.unwrap_or(&target.name),
            endpoint: endpoint.unwrap_or("-"),
            status,
            duration: started.elapsed(),
        });
    }

    /// As often as its method allows and the deadline leaves time for.
    async fn tried(
        &self,
        invocation: &Arc<Invocation>,
        request: Request<WasiBody>,
        options: RequestOptions,
        target: &Target,
        allowed: Allowed,
    ) -> Result<Response<WasiBody>, Error> {
        let deadline = self.deadline(invocation, &options, target);
        let mut attempts = Attempts::of(request).await?;
        let mut result = Err(Error::InternalError(None));
        while let Some(request) = attempts.next() {
            let once = self.once(invocation, request, target, allowed);
            result = tokio::time::timeout_at(deadline, once).await.unwrap_or(Err(Error::HttpResponseTimeout));
            // What a callee could not reach, it will not reach in a moment: the client is told at once to come again.
            let own = self.manners == Manners::Own;
            let hopeful = own && retry::is_transient(&result) && invocation.outage().is_none();
            let Some(pause) = attempts.pause().filter(|_| hopeful) else { break };
            if Instant::now() + pause >= deadline {
                break;
            }
            tracing::warn!(
                component = &*self.component,
                correlation_id = invocation.correlation_id(),
                target = target.name,
                ?pause,
                "a call failed and is tried again"
            );
            tokio::time::sleep(pause).await;
        }
        result
    }

    /// When a call is over: a callee in the process has all the time its caller has, where Spin has its way.
    fn deadline(&self, invocation: &Invocation, options: &RequestOptions, target: &Target) -> Instant {
        if self.manners == Manners::Spin && Internal::of(&target.scheme, &target.host).is_some() {
            return invocation.deadline();
        }
        let budget = options.first_byte_timeout.unwrap_or(DEFAULT_TARGET_TIMEOUT);
        invocation.deadline().min(Instant::now() + budget)
    }

    async fn once(
        &self,
        invocation: &Arc<Invocation>,
        request: Request<WasiBody>,
        target: &Target,
        allowed: Allowed,
    ) -> Result<Response<WasiBody>, Error> {
        if let Some(id) = Internal::of(&target.scheme, &target.host).and_then(|internal| internal.component()) {
            let callees = self.callees.upgrade().ok_or(Error::DestinationUnavailable)?;
            return callees.call(id, request, Arc::clone(invocation)).await;
        }
        let reach = target.reach(allowed)?;
        self.stored(invocation).await?;
        self.connections.0.send(request, reach).await.map_err(|unsent| match unsent {
            Unsent::Failed(error) => error,
            Unsent::NoDescriptor => {
                invocation.met_outage(&"this host has no file descriptor left for a connection");
                Error::DestinationUnavailable
            }
        })
    }

    /// Waits until what the guest did before is on disk.
    async fn stored(&self, invocation: &Invocation) -> Result<(), Error> {
        let watermark = invocation.watermark();
        if self.durability.is_durable(watermark) {
            return Ok(());
        }
        self.durability.flushed(watermark).await.map_err(|stalled| {
            invocation.met_outage(&stalled);
            Error::DestinationUnavailable
        })
    }
}

impl Target {
    fn of(uri: &Uri) -> Result<Self, Error> {
        let scheme = uri.scheme_str().ok_or(Error::HttpRequestUriInvalid)?.to_ascii_lowercase();
        let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
        if authority.as_str().contains('@') {
            return Err(Error::HttpRequestUriInvalid);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = authority.port_u16().or_else(|| default_port(&scheme)).ok_or(Error::HttpRequestUriInvalid)?;
        let name = format!("{host}:{port}");
        Ok(Self { scheme, host, port, name })
    }

    /// A literal address is judged here; a name when it is resolved.
    fn reach(&self, allowed: Allowed) -> Result<Reach, Error> {
        let reach = match allowed {
            Allowed::Literally => Reach::Named,
            Allowed::ByPattern => Reach::Public,
        };
        match (allowed, self.host.parse::<IpAddr>()) {
            (Allowed::ByPattern, Ok(address)) if !reach.covers(address) => Err(Error::DestinationIpProhibited),
            _ => Ok(reach),
        }
    }
}
