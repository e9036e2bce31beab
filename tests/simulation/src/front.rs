//! Requests of the people outside: to whichever process is up, answered once what the answer tells is on disk.

use crate::mutation::Mutation;
use crate::ports::SimulatedPorts;
use crate::workers;
use crate::world::World;
use kit::http::{Request, Response};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Wait where no process is up.
const NOBODY: Duration = Duration::from_millis(400);

/// Asks once; `None` where no answer came in time.
pub async fn ask(world: &Arc<World>, request: Request) -> Option<Response> {
    let up: Vec<_> = world.fleet.lock().iter().flatten().filter(|process| process.is_up()).cloned().collect();
    let component = workers::of_path(world, request.path())?;
    if up.is_empty() {
        tokio::time::sleep(NOBODY).await;
        return None;
    }
    let process = world.roll(|dice| dice.pick(&up).clone());
    let (answered, answer) = oneshot::channel();
    let only_reads = request.method == "GET";
    let ports = SimulatedPorts { world: world.clone(), process: process.clone(), component, only_reads };
    let serving = async move {
        let response = workers::serve(&ports, request).await;
        if !ports.world.mutated(Mutation::AnswerBeforeFlush) {
            ports.world.durable().await;
        }
        ports.process.runs().await;
        // Its asker may have given up.
        let _given_up = answered.send(response);
    };
    {
        let mut requests = process.requests.lock();
        while requests.try_join_next().is_some() {}
        requests.spawn(serving);
    }
    let patience = world.roll(|dice| dice.millis(4_000, 12_000));
    tokio::time::timeout(patience, answer).await.ok()?.ok()
}
