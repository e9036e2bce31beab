//! Calls over HTTP: to another component, which stays in the process, and to the gateway, which does not.

use crate::mutation;
use crate::ports::SimulatedPorts;
use crate::workers;
use kit::http::{Request, Response};
use kit::ports::CallError;
use std::time::Duration;

/// Where the gateway is.
pub const GATEWAY: &str = "http://gateway.test";
/// How long a call waits that does not say.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Makes a call, or loses it on the way there or back.
pub async fn call(ports: &SimulatedPorts, request: Request) -> Result<Response, CallError> {
    let timeout = request.timeout.map_or(TIMEOUT, Duration::from_millis);
    ports.world.step(&ports.process).await;
    if lost(ports, "call lost") {
        return Err(CallError::Unavailable("nobody answers".to_owned()));
    }
    let answered = tokio::time::timeout(timeout, answer(ports, request)).await;
    ports.world.step(&ports.process).await;
    match answered {
        Err(_) => Err(CallError::Timeout),
        Ok(_) if lost(ports, "answer lost") => Err(CallError::Timeout),
        Ok(answer) => answer,
    }
}

fn lost(ports: &SimulatedPorts, what: &'static str) -> bool {
    let lost = ports.world.roll(|dice| dice.chance(ports.world.rates().calls, 1_000));
    if lost {
        ports.world.count(what);
    }
    lost
}

async fn answer(ports: &SimulatedPorts, mut request: Request) -> Result<Response, CallError> {
    if let Some(path) = request.target.strip_prefix(GATEWAY) {
        request.target = path.to_owned();
        ports.world.durable().await;
        let request = mutation::called(&ports.world, request);
        return Ok(ports.world.gateway.serve(&ports.world, request).await);
    }
    let away = || CallError::Unavailable(format!("{} is no component", request.target));
    let rest = request.target.strip_prefix("http://").ok_or_else(away)?;
    let (component, path) = rest.split_once(".spin.internal").ok_or_else(away)?;
    let component = workers::named(component).ok_or_else(away)?;
    request.target = path.to_owned();
    let callee = ports.of(component, request.method == "GET");
    Ok(Box::pin(workers::serve(&callee, request)).await)
}
