//! The catalogue over the ports in memory: listings, stock, standings, search, repeats.

use super::Product;
use kit::events::artisan::{ArtisanStatus, ArtisanStatusChanged, NewProductListed};
use kit::events::inventory::{AdjustmentReason, InventoryAdjusted, StockSold};
use kit::http::Request;
use kit::json::{Value, json};
use kit::memory::{Memory, block_on};
use kit::time::Millis;
use kit::{Event, Failure, Metadata, Ports, Worker};

const NOW: Millis = Millis(1_768_473_000_000);

fn product(name: &str, category: &str, price: u64, artisan: &str) -> Event {
    Event::ArtisanProductListed(NewProductListed {
        artisan_id: artisan.to_owned(),
        product_name: name.to_owned(),
        category: category.to_owned(),
        subcategory: "varios".to_owned(),
        description: "Hecho a mano en la provincia de Jaén".to_owned(),
        price,
        currency: "EUR".to_owned(),
        initial_stock: 4,
        crafting_time: 1.5,
        materials: vec!["barro".to_owned()],
        dimensions: None,
        customizable: false,
        sustainability_score: None,
        listed_at: NOW.rfc3339(),
    })
}

fn sold(remaining_stock: u32) -> Event {
    let (order_id, reservation_id) = ("o".to_owned(), "r".to_owned());
    Event::InventoryStockSold(StockSold { order_id, reservation_id, quantity_sold: 1, remaining_stock })
}

fn adjusted(new_stock: u32) -> Event {
    Event::InventoryAdjusted(InventoryAdjusted {
        previous_stock: 0,
        new_stock,
        adjustment_quantity: i64::from(new_stock),
        adjustment_reason: AdjustmentReason::Restock,
        adjusted_by: "a".to_owned(),
        adjusted_at: NOW.rfc3339(),
        notes: None,
        batch_number: None,
    })
}

fn standing(new_status: ArtisanStatus) -> Event {
    Event::ArtisanStatusChanged(ArtisanStatusChanged {
        previous_status: ArtisanStatus::Active,
        new_status,
        reason: "r".to_owned(),
        changed_at: NOW.rfc3339(),
        changed_by: "a".to_owned(),
        automatic_reactivation_date: None,
        impacted_products: Vec::new(),
    })
}

fn meta(id: &str, event_id: &str, version: Option<u64>) -> Metadata {
    Metadata {
        event_id: event_id.to_owned(),
        event_version: 1,
        aggregate_id: id.to_owned(),
        aggregate_version: version,
        occurred_at: NOW.rfc3339(),
        correlation_id: "correlation".to_owned(),
        causation_id: "cause".to_owned(),
        saga_id: None,
        source: "memory".to_owned(),
        sequence: 1,
        key: id.to_owned(),
        attempt: 1,
        delivered_at: NOW.0,
    }
}

fn hear(memory: &Memory, meta: Metadata, event: &Event) {
    assert_eq!(block_on(Product::handle(memory, meta, event.clone())), Ok(vec![]));
}

fn list(memory: &Memory, id: &str, event: &Event) {
    hear(memory, meta(id, &format!("listing-of-{id}"), None), event);
}

fn get(memory: &Memory, target: &str) -> (u16, Value) {
    let response = block_on(Product::serve(memory, Request::get(target)));
    (response.status, kit::json::from_slice(&response.body).unwrap())
}

#[track_caller]
fn finds(memory: &Memory, query: &str, expected: &[&str]) {
    let (status, page) = get(memory, &format!("/api/v1/products/search?{query}"));
    assert_eq!(status, 200, "{page}");
    let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|item| item["productId"].clone()).collect();
    assert_eq!(ids, expected, "{query}");
}

fn catalogue() -> Memory {
    let memory = Memory::at(NOW);
    list(&memory, "oil", &product("Aceite de oliva virgen extra Picual", "aceite", 1_450, "art-oil"));
    list(&memory, "bowl", &product("Cuenco de CERÁMICA vidriada", "Cerámica", 3_400, "art-clay"));
    list(&memory, "jar", &product("Aceitera de cerámica para aceite", "Cerámica", 2_200, "art-clay"));
    memory
}

#[test]
fn a_product_shows_what_was_listed() {
    let memory = catalogue();
    let (status, oil) = get(&memory, "/api/v1/products/oil");
    assert_eq!(status, 200);
    assert_eq!((&oil["price"], &oil["currency"], &oil["artisanId"]), (&json!(1_450), &json!("EUR"), &json!("art-oil")));
    assert_eq!((&oil["available"], &oil["stock"]), (&json!(true), &json!({"available": 4})));
    assert_eq!(oil["productName"], json!("Aceite de oliva virgen extra Picual"));
    assert_eq!((get(&memory, "/api/v1/products/none").0, get(&memory, "/api/v1/other").0), (404, 404));
    for path in ["/api/v1/products/oil", "/api/v1/products"] {
        assert_eq!(block_on(Product::serve(&memory, Request::post(path, "{}"))).status, 405);
    }
}

#[test]
fn several_products_show_as_each_does() {
    let memory = catalogue();
    hear(&memory, meta("art-clay", "standing", None), &standing(ArtisanStatus::Suspended));
    let (status, answer) = get(&memory, "/api/v1/products?ids=jar,none,oil,bowl");
    assert_eq!(status, 200);
    let each: Vec<_> = ["jar", "oil", "bowl"].map(|id| get(&memory, &format!("/api/v1/products/{id}")).1).into();
    assert_eq!(answer["items"], Value::Array(each));
    assert_eq!((&answer["items"][0]["available"], &answer["items"][1]["available"]), (&json!(false), &json!(true)));
    assert_eq!(get(&memory, "/api/v1/products").1["errors"][0]["field"], "ids");
}

#[test]
fn search_finds_all_words_whatever_their_accents_case_and_number() {
    let memory = catalogue();
    finds(&memory, "q=aceites", &["oil", "jar"]);
    finds(&memory, "q=CERAMICA", &["bowl", "jar"]);
    finds(&memory, "q=cer%C3%A1micas+aceite", &["jar"]);
    finds(&memory, "q=jaen+barro&category=ceramica", &["bowl", "jar"]);
    finds(&memory, "category=Cer%C3%A1mica&maxPrice=2200", &["jar"]);
    finds(&memory, "maxPrice=3399", &["oil", "jar"]);
    finds(&memory, "", &["oil", "bowl", "jar"]);
    finds(&memory, "q=porcelana", &[]);
    finds(&memory, "q=aceite&category=muebles", &[]);
}

#[test]
fn pages_are_stable_and_bad_parameters_are_named() {
    let memory = catalogue();
    let (_, page) = get(&memory, "/api/v1/products/search?pageSize=2&page=2");
    assert_eq!((&page["total"], &page["items"][0]["productId"]), (&json!(3), &json!("jar")));
    finds(&memory, "page=9", &[]);
    for (query, field) in [("maxPrice=-1", "maxPrice"), ("page=0", "page"), ("pageSize=1000", "pageSize")] {
        let (status, problem) = get(&memory, &format!("/api/v1/products/search?{query}"));
        assert_eq!((status, &problem["errors"][0]["field"]), (422, &json!(field)));
    }
}

#[test]
fn blocks_join_into_one_result() {
    let memory = Memory::at(NOW);
    for number in 0..5_000_u64 {
        let kind = if number % 1_000 == 0 { "esparto" } else { "vidrio" };
        list(&memory, &format!("p-{number}"), &product(&format!("Cesta {kind}"), "cestas", number + 1, "a"));
    }
    finds(&memory, "q=esparto+cestas", &["p-0", "p-1000", "p-2000", "p-3000", "p-4000"]);
    finds(&memory, "q=esparto&maxPrice=3000", &["p-0", "p-1000", "p-2000"]);
    let (_, page) = get(&memory, "/api/v1/products/search?q=vidrio&page=4995&pageSize=1");
    assert_eq!((&page["total"], &page["items"][0]["productId"]), (&json!(4_995), &json!("p-4999")));
}

#[test]
fn stock_moves_with_the_version_only() {
    let memory = catalogue();
    let free = |expected: u32| {
        let (_, oil) = get(&memory, "/api/v1/products/oil");
        assert_eq!((&oil["stock"]["available"], &oil["available"]), (&json!(expected), &json!(expected > 0)));
    };
    hear(&memory, meta("oil", "s-2", Some(7)), &sold(2));
    hear(&memory, meta("oil", "s-1", Some(6)), &sold(3));
    free(2);
    hear(&memory, meta("oil", "s-3", Some(8)), &sold(0));
    hear(&memory, meta("oil", "s-2", Some(7)), &sold(2));
    free(0);
    hear(&memory, meta("oil", "a-1", Some(9)), &adjusted(10));
    free(10);
}

#[test]
fn products_of_artisans_who_do_not_sell_are_not_found_and_not_available() {
    let memory = catalogue();
    hear(&memory, meta("art-clay", "st-1", Some(3)), &standing(ArtisanStatus::Suspended));
    finds(&memory, "", &["oil"]);
    let (_, bowl) = get(&memory, "/api/v1/products/bowl");
    assert_eq!((&bowl["available"], &bowl["artisan"]["status"]), (&json!(false), &json!("suspended")));
    hear(&memory, meta("art-clay", "st-2", Some(4)), &standing(ArtisanStatus::Active));
    hear(&memory, meta("art-clay", "st-1", Some(3)), &standing(ArtisanStatus::Suspended));
    finds(&memory, "q=ceramica", &["bowl", "jar"]);
}

#[test]
fn repeats_change_nothing_and_a_second_listing_of_an_id_is_left_out() {
    let memory = catalogue();
    hear(&memory, meta("art-clay", "st-1", Some(3)), &standing(ArtisanStatus::Banned));
    hear(&memory, meta("oil", "s", Some(7)), &sold(2));
    let before = memory.snapshot();
    list(&memory, "oil", &product("Aceite de oliva virgen extra Picual", "aceite", 1_450, "art-oil"));
    hear(&memory, meta("oil", "another", None), &product("Otro", "otra", 1, "art-thief"));
    hear(&memory, meta("art-clay", "st-1", Some(3)), &standing(ArtisanStatus::Banned));
    hear(&memory, meta("oil", "s", Some(7)), &sold(2));
    assert_eq!(memory.snapshot(), before);
}

#[test]
fn a_lost_index_write_is_made_up_by_the_redelivery() {
    let memory = catalogue();
    let whole = memory.snapshot();
    block_on(memory.delete("word/ceramica/0")).unwrap();
    block_on(memory.delete("number/1")).unwrap();
    list(&memory, "bowl", &product("Cuenco de CERÁMICA vidriada", "Cerámica", 3_400, "art-clay"));
    list(&memory, "jar", &product("Aceitera de cerámica para aceite", "Cerámica", 2_200, "art-clay"));
    assert_eq!(memory.snapshot(), whole);
}

#[test]
fn a_newer_format_is_refused_clearly() {
    let memory = catalogue();
    block_on(memory.set("stock/oil", br#"{"format":9,"view":{}}"#.to_vec())).unwrap();
    let refused = block_on(Product::handle(&memory, meta("oil", "s", Some(7)), sold(2)));
    let Err(Failure::Reject(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("stock/oil") && why.contains("format 9"), "{why}");
}
