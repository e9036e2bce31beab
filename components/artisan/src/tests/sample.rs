//! The sample catalogue is accepted as it is.

use super::{NOW, body, deliver_all, get, post};
use kit::json::{self, Value};
use kit::memory::Memory;

const ARTISANS: &str = include_str!("../../../../infra/sample/artisans.jsonl");
const PRODUCTS: &str = include_str!("../../../../infra/sample/products.jsonl");

/// The line as the loading script sends it: without its first key, whose value comes apart.
fn split(line: &str, first: &str) -> (String, Value) {
    assert!(line.starts_with(&format!("{{\"{first}\":\"")), "the first key is not {first}: {line}");
    let mut body: Value = json::from_str(line).unwrap();
    let value = body.as_object_mut().unwrap().shift_remove(first).unwrap();
    (value.as_str().unwrap().to_owned(), body)
}

#[test]
fn every_artisan_and_product_of_the_sample_is_taken() {
    let memory = Memory::at(NOW);
    for line in ARTISANS.lines() {
        let (_, artisan) = split(line, "verificationLevel");
        let id = artisan["artisanId"].as_str().unwrap();
        let response = post(&memory, "/api/v1/artisans", id, &artisan);
        assert_eq!(response.status, 201, "{}", body(&response));
    }
    for line in PRODUCTS.lines() {
        let (artisan, product) = split(line, "artisanId");
        let id = product["productId"].as_str().unwrap();
        let response = post(&memory, &format!("/api/v1/artisans/{artisan}/products"), id, &product);
        assert_eq!(response.status, 201, "{}", body(&response));
    }
    deliver_all(&memory, 1);
    let (_, page) = get(&memory, "/api/v1/artisans/nearby?lat=38.0133&lng=-3.3705&radiusKm=100&pageSize=100");
    assert_eq!(page["total"], Value::from(ARTISANS.lines().count()));
}
