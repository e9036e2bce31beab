//! Times the search over a generated catalogue, in memory: `cargo run --release -p product --example search [products]`.

use kit::events::artisan::NewProductListed;
use kit::http::Request;
use kit::memory::{Memory, block_on};
use kit::time::Millis;
use kit::{Event, Metadata, Worker};
use product::Product;
use std::time::{Duration, Instant};

const KINDS: [&str; 10] = ["Aceite", "Cuenco", "Jarrón", "Cesta", "Miel", "Vino", "Queso", "Farol", "Bolso", "Lámpara"];
const MATERIALS: [&str; 8] = ["oliva", "barro", "esparto", "vidrio", "hierro", "cuero", "mimbre", "cobre"];
const PLACES: [&str; 8] = ["Jaén", "Úbeda", "Baeza", "Cazorla", "Segura", "Mágina", "Andújar", "Linares"];
const CATEGORIES: [&str; 6] = ["alimentacion", "ceramica", "fibras", "vidrio", "forja", "cuero"];
/// Each is asked this often.
const ROUNDS: usize = 2_000;

fn main() {
    let products = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(50_000_u64);
    let memory = Memory::at(Millis(1_768_473_000_000));
    let started = Instant::now();
    for number in 0..products {
        let (meta, event) = listing(number);
        if let Err(failure) = block_on(Product::handle(&memory, meta, event)) {
            eprintln!("product {number} was not listed: {failure:?}");
            std::process::exit(1);
        }
    }
    let each = started.elapsed() / u32::try_from(products).unwrap_or(u32::MAX);
    let largest = memory.snapshot().into_values().map(|value| value.len()).max().unwrap_or_default();
    println!("{products} products listed, {each:?} each; the largest value has {largest} bytes");
    println!("{:<58} {:>7} {:>10} {:>10}", "query", "total", "p50", "p99");
    let queries = [
        "q=hecho+a+mano",
        "q=aceite",
        "q=aceite+oliva+jaen",
        "q=cuenco+barro+ubeda&category=ceramica&maxPrice=5000",
        "category=vidrio&maxPrice=2000",
        "q=serie+4242",
        "q=porcelana",
        "page=2000",
    ];
    for query in queries {
        time(&memory, query);
    }
}

fn time(memory: &Memory, query: &str) {
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    let mut total = 0;
    for _ in 0..ROUNDS {
        let request = Request::get(format!("/api/v1/products/search?{query}"));
        let started = Instant::now();
        let response = block_on(Product::serve(memory, request));
        times.push(started.elapsed());
        let page: kit::json::Value = kit::json::from_slice(&response.body).unwrap_or_default();
        total = page["total"].as_u64().unwrap_or_default();
    }
    times.sort_unstable();
    let at = |percent: usize| times.get(ROUNDS * percent / 100).copied().unwrap_or_default();
    println!("{query:<58} {total:>7} {:>10.1?} {:>10.1?}", at(50), at(99));
}

/// A pick that is even and the same on every run.
fn pick<'a>(from: &[&'a str], number: u64, salt: u64) -> &'a str {
    let mixed = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (salt << 17)).rotate_left(29);
    from.get(usize::try_from(mixed % from.len() as u64).unwrap_or_default()).copied().unwrap_or_default()
}

fn listing(number: u64) -> (Metadata, Event) {
    let (kind, material, place) = (pick(&KINDS, number, 1), pick(&MATERIALS, number, 2), pick(&PLACES, number, 3));
    let listed_at = "2026-01-15T10:30:00.000Z".to_owned();
    let event = Event::ArtisanProductListed(NewProductListed {
        artisan_id: format!("art-{}", number % 500),
        product_name: format!("{kind} de {material} de {place}"),
        category: pick(&CATEGORIES, number, 4).to_owned(),
        subcategory: kind.to_lowercase(),
        description: format!("Hecho a mano en {place} con {material} de la sierra. Pieza de la serie {number}."),
        price: 500 + number * 7_919 % 20_000,
        currency: "EUR".to_owned(),
        initial_stock: 1,
        crafting_time: 2.5,
        materials: vec![material.to_owned()],
        dimensions: None,
        customizable: false,
        sustainability_score: None,
        listed_at: listed_at.clone(),
    });
    let id = format!("prod-{number}");
    let meta = Metadata {
        event_id: format!("listing-{number}"),
        event_version: 1,
        aggregate_id: id.clone(),
        aggregate_version: None,
        occurred_at: listed_at,
        correlation_id: "example".to_owned(),
        causation_id: "example".to_owned(),
        saga_id: None,
        source: "example".to_owned(),
        sequence: number + 1,
        key: id,
        attempt: 1,
        delivered_at: 1_768_473_000_000,
    };
    (meta, event)
}
