//! Search over a large catalogue: every product listed through the log, then the queries that weigh most, over HTTP.

use crate::client::Connection;
use crate::noop::pending;
use crate::options::Options;
use crate::report::{Goal, Report};
use crate::target::{Kind, Target};
use a4co_host::bus::EventBus as _;
use a4co_host::bus::embedded::EmbeddedBus;
use a4co_host::clock::{Clock, SystemClock};
use a4co_host::durability::Durability as _;
use a4co_host::event::{Event, Headers};
use a4co_host::manifest::{self, Given};
use a4co_host::store::{Store, StoreOptions};
use a4co_host::subject::Subject;
use anyhow::{Result, ensure};
use end_to_end::Latencies;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const KINDS: [&str; 10] = ["Aceite", "Cuenco", "Jarrón", "Cesta", "Miel", "Vino", "Queso", "Farol", "Bolso", "Lámpara"];
const MATERIALS: [&str; 8] = ["oliva", "barro", "esparto", "vidrio", "hierro", "cuero", "mimbre", "cobre"];
const PLACES: [&str; 8] = ["Jaén", "Úbeda", "Baeza", "Cazorla", "Segura", "Mágina", "Andújar", "Linares"];
const CATEGORIES: [&str; 6] = ["alimentacion", "ceramica", "fibras", "vidrio", "forja", "cuero"];
/// From a word that all products have to one that none has, with filters, and a page far behind.
const QUERIES: [&str; 7] = [
    "q=hecho+a+mano",
    "q=aceite+oliva+jaen",
    "q=cuenco+barro+ubeda&category=ceramica&maxPrice=5000",
    "category=vidrio&maxPrice=2000",
    "q=serie+4242",
    "q=porcelana",
    "q=mano&page=2000",
];
/// Each is asked this often.
const ROUNDS: usize = 300;
/// Events between two flushes while the log is filled.
const BATCH: usize = 1_000;
/// Between two looks at the backlog.
const LOOK: Duration = Duration::from_millis(100);

/// Measures it.
pub async fn measure(options: &Options, report: &mut Report) -> Result<()> {
    let state = prepared(options).await?;
    let target = Target::start_on(options, Kind::Host, &options.manifest, state.path()).await?;
    let mut admin = Connection::open(target.admin).await?;
    let began = Instant::now();
    while pending(&mut admin).await? > 0 {
        tokio::time::sleep(LOOK).await;
    }
    report.value("products in the catalogue", count(options.products), "");
    report.value("listed a second, all subscribers", count(options.products) / began.elapsed().as_secs_f64(), "/s");
    let mut all = Latencies::default();
    let mut connection = Connection::open(target.listen).await?;
    for query in QUERIES {
        let mut latencies = ask(&mut connection, query, &mut all).await?;
        report.value(&format!("search {query}: p99"), latencies.percentile(99), "ms");
    }
    report.value("search: p50 of all", all.percentile(50), "ms");
    report.goal("search: p99 of all", all.percentile(99), "ms", Goal::AtMost(20.0));
    target.stop()
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn count(number: usize) -> f64 {
    number as f64
}

async fn ask(connection: &mut Connection, query: &str, all: &mut Latencies) -> Result<Latencies> {
    let path = format!("/api/v1/products/search?{query}");
    let mut latencies = Latencies::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let reply = connection.get(&path).await?;
        let took = began.elapsed();
        ensure!(reply.status == 200, "GET {path}: {} {}", reply.status, reply.text());
        latencies.add(took);
        all.add(took);
    }
    Ok(latencies)
}

/// A state directory with every listing in the log.
async fn prepared(options: &Options) -> Result<TempDir> {
    let application = manifest::load(&options.manifest, &Given::default())?;
    let folder = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let options_of_store = StoreOptions::new(clock.clone(), application.streams.clone());
    let store = Store::open(&folder.path().join("state"), options_of_store)?;
    let bus = EmbeddedBus::new(store.clone());
    let (subject, time) = (Subject::new("artisan.product.listed")?, clock.now().rfc3339());
    for number in 0..options.products {
        let event = Event::new(subject.clone(), listing(number, &time).into(), Headers::default());
        bus.publish(Arc::new(event)).await?;
        if number % BATCH == 0 {
            store.durable(store.latest()).await;
        }
    }
    store.close();
    Ok(folder)
}

/// A pick that is even and the same on every run.
fn pick<'a>(from: &[&'a str], number: usize, salt: u64) -> &'a str {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (salt << 17)).rotate_left(29);
    from.get(usize::try_from(mixed % from.len() as u64).unwrap_or_default()).copied().unwrap_or_default()
}

fn listing(number: usize, time: &str) -> String {
    let (kind, material, place) = (pick(&KINDS, number, 1), pick(&MATERIALS, number, 2), pick(&PLACES, number, 3));
    let (category, subcategory, price) =
        (pick(&CATEGORIES, number, 4), kind.to_lowercase(), 500 + number * 7_919 % 20_000);
    format!(
        r#"{{"eventId":"listing-{number}","eventType":"NewProductListedEvent","aggregateId":"prod-{number}","eventVersion":1,"occurredOn":"{time}","eventData":{{"artisanId":"art-{}","productName":"{kind} de {material} de {place}","category":"{category}","subcategory":"{subcategory}","description":"Hecho a mano en {place} con {material} de la sierra. Pieza de la serie {number}.","price":{price},"currency":"EUR","initialStock":1,"craftingTime":2.5,"materials":["{material}"],"customizable":false,"listedAt":"{time}"}},"metadata":{{"publishedAt":"{time}","version":"1.0","correlationId":"listing-{number}","causationId":"bench"}}}}"#,
        number % 500
    )
}
