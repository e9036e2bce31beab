//! An HTTP request through a component: instance, call, response; the guest may go on while its body streams.

use super::Failure;
use super::component::Loaded;
use super::instance::{self, Instance};
use super::invocation::Invocation;
use super::permits::{self, Permit, Permits};
use crate::host::HostState;
use bytes::Bytes;
use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{Either, select};
use http::{Method, Request, Response, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::task::JoinHandle;
use wasmtime::AsContextMut;
use wasmtime_wasi_http::handler::{Prepared, Proxy};
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::{Error, WasiBody, WasiHttpView};

/// How long after the guest's own deadline the host gives up waiting for it: a guest that waits for the host (a call, a
/// store) is not at the epoch's reach.
pub(super) const GRACE: Duration = Duration::from_millis(50);

type Answer = Result<Response<WasiBody>, wasmtime::Error>;

impl Loaded {
    /// Runs the HTTP handler on one request. The response's body streams while the guest runs on; dropping it before
    /// its end ends the guest.
    ///
    /// # Errors
    /// Why there is no response.
    pub(super) async fn handle_http(
        self: &Arc<Self>,
        permits: &Permits,
        request: Request<WasiBody>,
        invocation: Arc<Invocation>,
    ) -> Result<Response<WasiBody>, Failure> {
        if self.http.is_none() {
            return Err(Failure::NotExported { component: self.id().to_string(), export: "an HTTP handler" });
        }
        let permit = permits::acquire(permits, &self.permits, &invocation).await?;
        let bodiless = request.method() == Method::HEAD;
        let (answer, answered) = oneshot::channel();
        let run = Arc::clone(self).run_http(request, invocation, answer, permit);
        // Most guests end in one go with their answer: only one that goes on gets a task of its own.
        let (response, running) = match select(self.survived(run).boxed(), answered).await {
            Either::Left((ended, answered)) => match answered.await {
                Ok(answer) => (answer, Running(None)),
                Err(oneshot::Canceled) => return Err(self.unanswered(ended)),
            },
            Either::Right((Ok(answer), run)) => (answer, Running(Some(tokio::spawn(run)))),
            Either::Right((Err(oneshot::Canceled), run)) => return Err(self.unanswered(run.await)),
        };
        let response = response.map_err(|error| self.no_response(&error.to_string()))?;
        Ok(GuestBody::wrap(response, running, bodiless))
    }

    /// Why a guest that ended left no answer.
    fn unanswered(&self, ended: Result<(), Failure>) -> Failure {
        ended.err().unwrap_or_else(|| self.no_response("it returned without setting one"))
    }

    /// Runs to the end, a panic of the host's included: it must not take a client's connection along.
    fn survived(
        &self,
        run: impl Future<Output = Result<(), Failure>> + Send + 'static,
    ) -> impl Future<Output = Result<(), Failure>> + Send + 'static {
        let component = self.id().to_string();
        AssertUnwindSafe(run).catch_unwind().map(move |ended| {
            ended.unwrap_or_else(|_| Err(Failure::Host { component, reason: "the host panicked".into() }))
        })
    }

    async fn run_http(
        self: Arc<Self>,
        request: Request<WasiBody>,
        invocation: Arc<Invocation>,
        answer: oneshot::Sender<Answer>,
        _permit: Permit,
    ) -> Result<(), Failure> {
        let call = async {
            let mut instance = self.http_instance(&invocation).await?;
            call(&mut instance, request, answer).await?;
            wasmtime::Result::Ok(instance)
        };
        match tokio::time::timeout_at(invocation.deadline() + GRACE, call).await {
            Ok(Ok(instance)) => {
                self.http_idle.put(instance);
                Ok(())
            }
            Ok(Err(error)) => Err(Failure::from_wasmtime(self.id(), &error)),
            Err(_) => Err(Failure::Timeout(self.id().to_string())),
        }
    }

    async fn http_instance(&self, invocation: &Arc<Invocation>) -> wasmtime::Result<Instance<Proxy>> {
        if let Some(mut instance) = self.http_idle.take() {
            instance.begin(Arc::clone(invocation));
            self.services.observer.instance(self.id(), false);
            return Ok(instance);
        }
        let Some(pre) = &self.http else { wasmtime::bail!("no HTTP handler") };
        let mut store = instance::store(self.pre.engine(), &self.guest, Arc::clone(invocation));
        let proxy = pre.instantiate_async(&mut store).await?;
        self.services.observer.instance(self.id(), true);
        Ok(Instance::fresh(store, proxy))
    }

    fn no_response(&self, reason: &str) -> Failure {
        Failure::NoResponse { component: self.id().to_string(), reason: reason.to_owned() }
    }
}

async fn call(
    instance: &mut Instance<Proxy>,
    request: Request<WasiBody>,
    answer: oneshot::Sender<Answer>,
) -> wasmtime::Result<()> {
    let Instance { store, entry, .. } = instance;
    match entry {
        Proxy::P2(proxy) => {
            let mut view = store.data_mut().http();
            let request = view.new_incoming_request(Scheme::Http, request)?;
            let answer = Mutex::new(Some(answer));
            let out = view.new_response_outparam_from_callback(move |result| {
                if let Some(answer) = answer.lock().take() {
                    let _ = answer.send(result.map_err(Into::into));
                }
            })?;
            proxy.wasi_http_incoming_handler().call_handle(store, request, out).await
        }
        Proxy::P3(_) => {
            let prepared = Prepared::new(store.as_context_mut(), entry, request, HostState::http, answer)?;
            store
                .run_concurrent(async |accessor| {
                    prepared.run(accessor, std::future::pending()).await?;
                    std::future::poll_fn(|context| accessor.poll_no_interesting_tasks(context)).await;
                    wasmtime::Result::Ok(())
                })
                .await?
        }
    }
}

/// The task of a guest that goes on after its answer. Dropping it ends the guest.
struct Running(Option<JoinHandle<Result<(), Failure>>>);

impl Running {
    /// Lets the guest run to its own end.
    fn detach(&mut self) {
        self.0.take();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// A response's body, tied to the guest that writes it.
struct GuestBody {
    body: WasiBody,
    running: Running,
    /// Bytes still promised by `Content-Length`: at zero nobody asks for the end.
    promised: Option<u64>,
}

impl GuestBody {
    fn wrap(response: Response<WasiBody>, mut running: Running, bodiless: bool) -> Response<WasiBody> {
        let promised = response.headers().get(header::CONTENT_LENGTH);
        let promised = promised.and_then(|length| length.to_str().ok()?.parse().ok());
        if bodiless || promised == Some(0) {
            running.detach();
        }
        response.map(|body| Self { body, running, promised }.boxed_unsync())
    }
}

impl Body for GuestBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame {
            let length = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            self.promised = self.promised.map(|promised| promised.saturating_sub(length));
        }
        if frame.is_none() || self.promised == Some(0) {
            self.running.detach();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
