//! The people: artisans who list and restock, customers who order and change their minds, operators who deliver,
//! replay dead letters and take care of sagas that are stuck.

pub mod artisan;
pub mod customer;
pub mod operator;

use crate::front;
use crate::world::World;
use kit::http::{Request, Response};
use kit::json::{self, Value};
use std::sync::Arc;

/// How often one asks before one gives up.
const TRIES: u32 = 12;

/// A POST that is repeated, under one key, until it has an answer that says something; `None` where one gives up.
async fn insist(world: &Arc<World>, path: &str, key: &str, body: &Value) -> Option<(u16, Value)> {
    for tries in 0..TRIES {
        let request = Request::post(path, body.to_string()).with_header("idempotency-key", key);
        match front::ask(world, request).await {
            Some(response) if response.status < 500 && response.status != 202 => {
                let status = response.status;
                world.note(&"people", &format_args!("POST {path} [{key}] → {status}"));
                return Some((status, read(&response)));
            }
            Some(response) => world.note(&"people", &format_args!("POST {path} [{key}] → {}", response.status)),
            None => world.note(&"people", &format_args!("POST {path} [{key}] → no answer")),
        }
        let wait = world.roll(|dice| dice.millis(50, 200 << tries.min(6)));
        tokio::time::sleep(wait).await;
    }
    None
}

/// A GET; `None` where there is no answer.
async fn get(world: &Arc<World>, path: &str) -> Option<(u16, Value)> {
    let response = front::ask(world, Request::get(path)).await?;
    Some((response.status, read(&response)))
}

fn read(response: &Response) -> Value {
    json::from_slice(&response.body).unwrap_or_default()
}

/// A pause between two things that a person does.
async fn pause(world: &World) {
    let longest = world.plan.pause;
    let pause = world.roll(|dice| if dice.chance(1, 3) { dice.millis(0, 200) } else { dice.millis(0, longest) });
    tokio::time::sleep(pause).await;
}
