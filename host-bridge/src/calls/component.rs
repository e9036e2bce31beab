//! A component's HTTP handler called by another component, in process.

use super::Callees;
use crate::engine::{App, Invocation, NestError, Origin};
use crate::problem::Problem;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use std::sync::Arc;
use wasmtime_wasi_http::{Error, WasiBody};

impl Callees for App {
    fn call<'a>(
        &'a self,
        callee: &'a str,
        mut request: Request<WasiBody>,
        caller: Arc<Invocation>,
    ) -> BoxFuture<'a, Result<Response<WasiBody>, Error>> {
        Box::pin(async move {
            let component = self.component(callee).ok_or(Error::DestinationNotFound)?;
            let invocation =
                match caller.nested(Arc::clone(component.id()), component.manifest().limits.request_timeout) {
                    Ok(invocation) => invocation,
                    Err(error) => return Ok(refuse(&caller, &error)),
                };
            describe(&mut request, caller.origin());
            match self.http(component, request, invocation).await {
                Ok(response) => Ok(response),
                Err(failure) => {
                    let correlation_id = caller.correlation_id();
                    tracing::warn!(caller = &**caller.component(), callee, correlation_id, "call failed: {failure}");
                    Ok(failure.problem().into_response())
                }
            }
        })
    }

    fn endpoint(&self, callee: &str, path: &str) -> Option<&str> {
        self.router().template(callee, path)
    }
}

fn refuse(caller: &Invocation, error: &NestError) -> Response<WasiBody> {
    let correlation_id = caller.correlation_id();
    tracing::warn!(caller = &**caller.component(), correlation_id, "call refused: {error}");
    Problem::new(StatusCode::LOOP_DETECTED, error.to_string()).into_response()
}

/// What Spin tells a callee, and what keeps a chain of calls together.
fn describe(request: &mut Request<WasiBody>, origin: &Origin) {
    let (path, url) = (request.uri().path().to_owned(), request.uri().to_string());
    let headers = request.headers_mut();
    set(headers, "spin-path-info", &path);
    set(headers, "spin-full-url", &url);
    for name in ["spin-component-route", "spin-raw-component-route", "spin-matched-route"] {
        set(headers, name, "");
    }
    for (name, value) in [("x-correlation-id", &origin.correlation_id), ("traceparent", &origin.traceparent)] {
        if let Some(value) = value.as_ref().filter(|_| !headers.contains_key(name)) {
            set(headers, name, value);
        }
    }
}

fn set(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}
