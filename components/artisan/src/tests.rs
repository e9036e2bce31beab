//! Artisans over the ports in memory: HTTP, deliveries, repeats.

use super::Artisan;
use kit::aggregate::State;
use kit::events::artisan::{
    ArtisanRegistered, ArtisanStatus, ArtisanStatusChangeRequested, ArtisanVerifyRequested, BusinessAddress,
    VerificationLevel,
};
use kit::events::common::Coordinates;
use kit::http::{Request, Response};
use kit::json::{Value, json};
use kit::memory::{Memory, block_on};
use kit::time::Millis;
use kit::{Event, Failure, Metadata, Output, Ports, Worker, wire};
use std::collections::BTreeMap;

mod decisions;
mod desk;
mod sample;

const NOW: Millis = Millis(1_768_473_000_000);

fn profile(lat: f64, lng: f64) -> ArtisanRegistered {
    ArtisanRegistered {
        business_name: "Alfar de Úbeda".to_owned(),
        contact_email: "alfar@example.org".to_owned(),
        contact_phone: "+34 953 000 000".to_owned(),
        business_address: BusinessAddress {
            street: "Calle Valencia 22".to_owned(),
            city: "Úbeda".to_owned(),
            province: "Jaén".to_owned(),
            postal_code: "23400".to_owned(),
            coordinates: Coordinates { lat, lng },
        },
        specialties: vec!["cerámica".to_owned()],
        crafting_techniques: vec!["vidriado".to_owned()],
        certifications: Vec::new(),
        registered_at: NOW.rfc3339(),
    }
}

fn verify(by: &str) -> Event {
    Event::ArtisanVerify(ArtisanVerifyRequested {
        verification_level: VerificationLevel::Master,
        verified_at: NOW.rfc3339(),
        verified_by: by.to_owned(),
        background_check_passed: true,
        insurance_validated: true,
    })
}

fn become_status(new_status: ArtisanStatus) -> ArtisanStatusChangeRequested {
    ArtisanStatusChangeRequested {
        new_status,
        reason: "documentación caducada".to_owned(),
        changed_at: NOW.rfc3339(),
        changed_by: "admin-1".to_owned(),
        automatic_reactivation_date: None,
    }
}

fn registration(id: &str, lat: f64, lng: f64) -> Value {
    let mut body = json!(profile(lat, lng));
    let fields = body.as_object_mut().unwrap();
    fields.remove("registeredAt");
    fields.insert("artisanId".to_owned(), json!(id));
    body
}

fn listing(id: &str) -> Value {
    json!({"productId": id, "productName": "Cuenco", "category": "ceramica", "subcategory": "cuencos",
        "description": "Torneado a mano", "price": 3_400, "currency": "EUR", "initialStock": 1, "craftingTime": 18,
        "materials": ["arcilla"], "customizable": false})
}

fn post(memory: &Memory, path: &str, key: &str, body: &Value) -> Response {
    let request = Request::post(path, body.to_string()).with_header("idempotency-key", key);
    block_on(Artisan::serve(memory, request))
}

fn get(memory: &Memory, target: &str) -> (u16, Value) {
    let response = block_on(Artisan::serve(memory, Request::get(target)));
    (response.status, body(&response))
}

fn body(response: &Response) -> Value {
    kit::json::from_slice(&response.body).unwrap()
}

fn meta(id: &str, sequence: u64, occurred_at: &str, event_id: &str) -> Metadata {
    Metadata {
        event_id: event_id.to_owned(),
        event_version: 1,
        aggregate_id: id.to_owned(),
        aggregate_version: None,
        occurred_at: occurred_at.to_owned(),
        correlation_id: "correlation".to_owned(),
        causation_id: "cause".to_owned(),
        saga_id: None,
        source: "memory".to_owned(),
        sequence,
        key: id.to_owned(),
        attempt: 1,
        delivered_at: NOW.0,
    }
}

/// Delivers all that HTTP published, at sequences from `first`; answers the outputs.
fn deliver_all(memory: &Memory, first: u64) -> Vec<Vec<Output>> {
    let published = memory.published();
    let handled = (first..).zip(&published).map(|(sequence, (subject, text))| {
        let event = wire::read(subject, text).unwrap();
        let meta = meta(&event.aggregate_id, sequence, &event.occurred_on, &event.event_id);
        block_on(Artisan::handle(memory, meta, event.event_data)).unwrap()
    });
    handled.collect()
}

/// All that is stored but inboxes, and how often each was written.
fn stored(memory: &Memory) -> BTreeMap<String, Value> {
    let bare = |(key, bytes): (String, Vec<u8>)| {
        let mut value: Value = kit::json::from_slice(&bytes).unwrap();
        for field in ["inbox", "version"] {
            value.as_object_mut().unwrap().remove(field);
        }
        (key, value)
    };
    memory.snapshot().into_iter().map(bare).collect()
}

fn with_artisan() -> Memory {
    let memory = Memory::at(NOW);
    let response = post(&memory, "/api/v1/artisans", "k", &registration("art-1", 38.0133, -3.3705));
    assert_eq!((response.status, response.header("location")), (201, Some("/api/v1/artisans/art-1")));
    memory
}

#[test]
fn registration_is_once_an_id_and_repeats_by_key() {
    let memory = with_artisan();
    let again = post(&memory, "/api/v1/artisans", "k", &registration("art-1", 38.0133, -3.3705));
    assert_eq!(again.status, 201);
    assert_eq!(memory.published().len(), 1, "a repeat publishes nothing");
    let other = post(&memory, "/api/v1/artisans", "k2", &registration("art-1", 37.0, -3.0));
    assert_eq!((other.status, body(&other)["code"].clone()), (409, json!("artisan-exists")));
    let (status, artisan) = get(&memory, "/api/v1/artisans/art-1");
    assert_eq!(
        (status, &artisan["businessName"], &artisan["status"]),
        (200, &json!("Alfar de Úbeda"), &json!("pending"))
    );
    assert_eq!(get(&memory, "/api/v1/artisans/none").0, 404);
}

#[test]
fn a_generated_id_survives_a_retry_after_an_unknown_publishing() {
    let memory = Memory::at(NOW);
    let mut body = registration("x", 38.0, -3.0);
    body.as_object_mut().unwrap().remove("artisanId");
    memory.unknown_publishings.set(2);
    assert_eq!(post(&memory, "/api/v1/artisans", "k", &body).status, 503);
    let response = post(&memory, "/api/v1/artisans", "k", &body);
    let event = wire::read("artisan.registered", &memory.published()[0].1).unwrap();
    assert_eq!(response.status, 201);
    assert_eq!(self::body(&response)["artisanId"], json!(event.aggregate_id));
    assert_eq!(response.header("location"), Some(format!("/api/v1/artisans/{}", event.aggregate_id).as_str()));
}

#[test]
fn bad_bodies_name_their_fields() {
    let memory = with_artisan();
    let mut wrong = registration("near by", 91.0, -3.0);
    wrong["businessName"] = json!(" ");
    wrong["contactEmail"] = json!("nobody");
    let response = post(&memory, "/api/v1/artisans", "w", &wrong);
    let named: Vec<_> = body(&response)["errors"].as_array().unwrap().iter().map(|e| e["field"].clone()).collect();
    assert_eq!(response.status, 422);
    let expected = ["artisanId", "businessName", "contactEmail", "businessAddress.coordinates.lat"];
    assert_eq!(named, expected);
    let mut unknown = listing("p-1");
    unknown["colour"] = json!("green");
    unknown["price"] = json!(0);
    let response = post(&memory, "/api/v1/artisans/art-1/products", "u", &unknown);
    assert_eq!((response.status, body(&response)["errors"][0]["field"].clone()), (422, json!("colour")));
    let status = json!({"newStatus": "suspended", "reason": "r", "changedBy": "system"});
    assert_eq!(post(&memory, "/api/v1/artisans/art-1/status", "s", &status).status, 422);
    let deleted = Request { method: "DELETE".to_owned(), ..Request::get("/api/v1/artisans/art-1") };
    assert_eq!(block_on(Artisan::serve(&memory, deleted)).status, 405);
    assert_eq!(get(&memory, "/api/v1/artisans/art-1/else").0, 404);
}

#[test]
fn a_product_is_listed_once_by_artisans_who_sell() {
    let memory = with_artisan();
    let listed = post(&memory, "/api/v1/artisans/art-1/products", "1", &listing("p-1"));
    assert_eq!((listed.status, body(&listed)), (201, json!({"productId": "p-1"})));
    assert_eq!(listed.header("location"), Some("/api/v1/products/p-1"));
    let (subject, _) = memory.published().pop().unwrap();
    assert_eq!(subject, "artisan.product.list");
    let outputs = deliver_all(&memory, 1);
    let facts: Vec<_> = outputs.iter().flatten().collect();
    let [Output::Emit(fact)] = facts.as_slice() else { panic!("{facts:?}") };
    assert_eq!((fact.event.subject(), fact.aggregate_id.as_str()), ("artisan.product.listed", "p-1"));

    let taken = post(&memory, "/api/v1/artisans/art-1/products", "2", &listing("p-1"));
    assert_eq!((taken.status, body(&taken)["code"].clone()), (409, json!("product-exists")));
    assert_eq!(post(&memory, "/api/v1/artisans/none/products", "3", &listing("p-2")).status, 404);
    let suspend = json!({"newStatus": "suspended", "reason": "r", "changedBy": "admin-1"});
    assert_eq!(post(&memory, "/api/v1/artisans/art-1/status", "4", &suspend).status, 200);
    let response = post(&memory, "/api/v1/artisans/art-1/products", "5", &listing("p-3"));
    assert_eq!((response.status, body(&response)["code"].clone()), (409, json!("artisan-does-not-sell")));
}

/// Both got past the check; the second one's delivery is the first to come.
#[test]
fn of_two_listings_of_one_product_at_once_only_that_of_who_got_the_201_is_told() {
    let memory = with_artisan();
    assert_eq!(post(&memory, "/api/v1/artisans", "k2", &registration("art-2", 37.0, -3.0)).status, 201);
    memory.interrupt(|memory| {
        let second = post(memory, "/api/v1/artisans/art-2/products", "b", &listing("p-1"));
        assert_eq!(second.status, 201);
    });
    let first = post(&memory, "/api/v1/artisans/art-1/products", "a", &listing("p-1"));
    assert_eq!((first.status, body(&first)["code"].clone()), (409, json!("product-exists")));

    for first in [1, 100] {
        let told: Vec<_> = deliver_all(&memory, first).into_iter().flatten().collect();
        let [Output::Emit(told)] = told.as_slice() else { panic!("one listing is told: {told:?}") };
        let Event::ArtisanProductListed(listed) = &told.event else { panic!("{told:?}") };
        assert_eq!((listed.artisan_id.as_str(), told.aggregate_version), ("art-2", Some(1)));
        memory.empty_inboxes();
    }
    let again = post(&memory, "/api/v1/artisans/art-1/products", "a", &listing("p-1"));
    assert_eq!(again.status, 409, "and so it stays");
}

#[test]
fn what_another_publisher_lists_holds_as_well() {
    let memory = with_artisan();
    let listed =
        wire::read("artisan.product.listed", include_str!("../../../tests/wire/artisan.product.listed.json")).unwrap();
    let meta = meta("p-9", 1, &NOW.rfc3339(), "theirs");
    assert_eq!(block_on(Artisan::handle(&memory, meta, listed.event_data)), Ok(Vec::new()));
    assert_eq!(post(&memory, "/api/v1/artisans/art-1/products", "1", &listing("p-9")).status, 409);
}

#[test]
fn commands_answer_with_the_artisan_or_say_why_not() {
    let memory = with_artisan();
    let verification = json!({"verificationLevel": "master", "verifiedBy": "admin-1",
        "backgroundCheckPassed": true, "insuranceValidated": true});
    let verified = post(&memory, "/api/v1/artisans/art-1/verify", "1", &verification);
    assert_eq!((verified.status, body(&verified)["status"].clone()), (200, json!("active")));
    let pending = json!({"newStatus": "pending", "reason": "r", "changedBy": "admin-1"});
    assert_eq!(post(&memory, "/api/v1/artisans/art-1/status", "2", &pending).status, 409);
    assert_eq!(post(&memory, "/api/v1/artisans/none/verify", "3", &verification).status, 404);
}

#[test]
fn repeats_with_empty_inboxes_change_nothing_and_tell_the_same() {
    let memory = with_artisan();
    let verification = json!({"verificationLevel": "basic", "verifiedBy": "a",
        "backgroundCheckPassed": true, "insuranceValidated": true});
    post(&memory, "/api/v1/artisans/art-1/products", "1", &listing("p-1"));
    deliver_all(&memory, 1);
    post(&memory, "/api/v1/artisans/art-1/verify", "2", &verification);
    for (key, status) in [("3", "suspended"), ("4", "active"), ("5", "suspended")] {
        let body = json!({"newStatus": status, "reason": "r", "changedBy": "admin-1"});
        assert_eq!(post(&memory, "/api/v1/artisans/art-1/status", key, &body).status, 200);
    }
    let outputs = deliver_all(&memory, 1);
    assert_eq!(outputs.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 1, 1, 1, 1]);
    let Some(Output::Emit(emission)) = outputs[5].first() else { panic!("{outputs:?}") };
    let Event::ArtisanStatusChanged(fact) = &emission.event else { panic!("{emission:?}") };
    assert_eq!(fact.impacted_products, ["p-1"]);

    let before = stored(&memory);
    for first in [1, 100] {
        memory.empty_inboxes();
        assert_eq!(deliver_all(&memory, first), outputs);
        assert_eq!(stored(&memory), before);
    }
}

#[test]
fn who_is_near_is_sorted_and_paged_and_sells() {
    let memory = Memory::at(NOW);
    let places = [("jaen", 37.7796, -3.7849), ("ubeda", 38.0133, -3.3705), ("baeza", 37.9938, -3.4713)];
    for (id, lat, lng) in places.into_iter().chain([("madrid", 40.4168, -3.7038)]) {
        assert_eq!(post(&memory, "/api/v1/artisans", id, &registration(id, lat, lng)).status, 201);
    }
    deliver_all(&memory, 1);
    let ids = |target: &str| -> Vec<Value> {
        let (status, page) = get(&memory, target);
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().unwrap().iter().map(|item| item["artisanId"].clone()).collect()
    };
    assert_eq!(ids("/api/v1/artisans/nearby?lat=38.0133&lng=-3.3705&radiusKm=60"), ["ubeda", "baeza", "jaen"]);
    assert_eq!(ids("/api/v1/artisans/nearby?lat=38.0133&lng=-3.3705&radiusKm=20"), ["ubeda", "baeza"]);
    assert_eq!(ids("/api/v1/artisans/nearby?lat=38&lng=-3.4&radiusKm=60&pageSize=1&page=2"), ["baeza"]);

    let suspend = json!({"newStatus": "suspended", "reason": "r", "changedBy": "admin-1"});
    post(&memory, "/api/v1/artisans/baeza/status", "s", &suspend);
    deliver_all(&memory, 1);
    assert_eq!(ids("/api/v1/artisans/nearby?lat=38.0133&lng=-3.3705&radiusKm=20"), ["ubeda"]);
    let (status, problem) = get(&memory, "/api/v1/artisans/nearby?lat=x&lng=-3&radiusKm=500");
    assert_eq!((status, problem["errors"].as_array().unwrap().len()), (422, 2), "{problem}");
}

#[test]
fn a_newer_format_is_refused_clearly() {
    let memory = with_artisan();
    block_on(memory.set("artisan/art-1", br#"{"format":9,"version":1,"state":{}}"#.to_vec())).unwrap();
    let refused = block_on(Artisan::handle(&memory, meta("art-1", 9, &NOW.rfc3339(), "e"), verify("a")));
    let Err(Failure::Reject(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("format 9"), "{why}");
    assert_eq!(crate::domain::ArtisanState::FORMAT, 1);
}
