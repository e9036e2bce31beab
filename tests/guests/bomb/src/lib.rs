//! A guest that breaks every limit, one at a time: each must cost one delivery and never the process.
#![cfg(target_family = "wasm")]
#![allow(unsafe_code, reason = "generated bindings")]

use generated::bombs::yard::delivery::{BombSpent, Emission, Event, Failure, Metadata, Output, Retry};
use generated::exports::bombs::yard::event_handler::Guest;
use generated::wasi::keyvalue::atomics::Cas;
use generated::wasi::keyvalue::store::{Bucket, open};
use spin_sdk::http::{Request, Response};
use std::hint::black_box;

mod generated {
    wit_bindgen::generate!({ path: ["../../../wit/deps/keyvalue", "wit"], world: "bombs:yard/bomb", generate_all });
}

struct Bomb;

generated::export!(Bomb with_types_in generated);

impl Guest for Bomb {
    fn handle(meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        let mode = match event {
            Event::BombSet(bomb) => bomb.mode,
            Event::BombSpent(_) | Event::BombStolen(_) => return Ok(Vec::new()),
        };
        match mode.as_str() {
            "dud" => Ok(vec![emit(&meta, Event::BombSpent(BombSpent { rest: "smoke".into() }))]),
            "copy" if copy().is_some() => Ok(Vec::new()),
            "ask" if dial() => Ok(vec![emit(&meta, Event::BombSpent(BombSpent { rest: "an answer".into() }))]),
            "stolen" => Ok(vec![emit(&meta, Event::BombStolen(BombSpent { rest: String::new() }))]),
            "huge" => Ok(vec![emit(&meta, Event::BombSpent(BombSpent { rest: "x".repeat(100 << 20) }))]),
            "many" => {
                Ok((0..10_000).map(|_| emit(&meta, Event::BombSpent(BombSpent { rest: String::new() }))).collect())
            }
            "retry" => Err(Failure::Retry(Retry { after: Some(7), reason: "wet fuse".into() })),
            "reject" => Err(Failure::Reject("no bomb".into())),
            "loop" => loop {
                black_box(0);
            },
            "memory" => grow(),
            "handles" => hoard(),
            "calls" => chatter(),
            "variables" => endlessly(|| spin_sdk::variables::get("colour").is_ok()),
            "clock" => endlessly(|| std::time::Instant::now().elapsed().as_nanos() > 0),
            "output" => endlessly(|| {
                println!("{}", "noise ".repeat(100));
                true
            }),
            "http" => endlessly(dial),
            "recursion" => Ok(vec![Output::CancelTimer(dive(1).to_string())]),
            "trap" => std::process::abort(),
            other => Err(Failure::Reject(format!("no such bomb: {other}"))),
        }
    }
}

fn emit(meta: &Metadata, event: Event) -> Output {
    Output::Emit(Emission { aggregate_id: meta.key.clone(), aggregate_version: None, saga_id: None, event })
}

fn endlessly(mut call: impl FnMut() -> bool) -> ! {
    loop {
        black_box(call());
    }
}

fn dial() -> bool {
    let request = Request::get("http://granted.spin.internal/");
    spin_sdk::http::run(async { spin_sdk::http::send::<_, Response>(request).await.is_ok() })
}

/// Writes under one key what is under another, which it reads as if to swap it.
fn copy() -> Option<()> {
    let bucket = open("default").ok()?;
    let value = Cas::new(&bucket, "from").ok()?.current().ok()??;
    bucket.set("to", &value).ok()
}

fn grow() -> ! {
    let mut kept = Vec::new();
    loop {
        // Not written to: the limit is what ends this, not the time it takes to fill it.
        kept.push(black_box(Vec::<u8>::with_capacity(1 << 20)));
    }
}

fn hoard() -> ! {
    let mut kept: Vec<Bucket> = Vec::new();
    loop {
        kept.extend(open("default"));
    }
}

fn chatter() -> ! {
    let bucket = open("default");
    loop {
        let _ = black_box(bucket.as_ref().map(|bucket| bucket.exists("x")));
    }
}

#[expect(unconditional_recursion, reason = "that is the bomb")]
fn dive(depth: u64) -> u64 {
    let page = black_box([depth; 64]);
    dive(page[0] + 1) + page[1]
}
