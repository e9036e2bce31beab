//! The list of a customer's orders.

use super::events::*;
use crate::Order;
use kit::http::Request;
use kit::memory::{Memory, block_on};
use kit::{Ports, Worker};
use serde_json::Value;

/// The order `o<n>` of customer `c` is delivered.
fn place(memory: &Memory, n: u64, sequence: u64) {
    let meta = meta(&format!("o{n}"), "order/ORDERS#1", sequence);
    block_on(Order::handle(memory, meta, created_for("c"))).unwrap();
}

fn list(memory: &Memory, query: &str) -> Value {
    let response = block_on(Order::serve(memory, Request::get(format!("/api/v1/orders?{query}"))));
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    serde_json::from_slice(&response.body).unwrap()
}

fn ids(page: &Value) -> Vec<String> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|order| order["orderId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn orders_are_listed_newest_first_and_in_pages() {
    let memory = Memory::at(NOW);
    for n in 1..=200 {
        place(&memory, n, n);
    }
    let mut seen = Vec::new();
    for page in 1..=7 {
        let answer = list(&memory, &format!("customerId=c&page={page}&pageSize=30"));
        assert_eq!((&answer["total"], &answer["page"], &answer["pageSize"]), (&200.into(), &page.into(), &30.into()));
        seen.extend(ids(&answer));
    }
    assert_eq!(seen, (1..=200).rev().map(|n| format!("o{n}")).collect::<Vec<_>>());
    assert_eq!(ids(&list(&memory, "customerId=c&page=8&pageSize=30")), Vec::<String>::new());
    // What an order writes stays small: 64 on a page.
    for (order, page) in [("o1", 0), ("o64", 0), ("o65", 1), ("o200", 3)] {
        let (order, _) = block_on(kit::aggregate::read::<crate::domain::Order, _>(&memory, order)).unwrap().unwrap();
        assert_eq!(order.page, page);
    }
    let nobody = list(&memory, "customerId=nobody");
    assert_eq!((&nobody["total"], ids(&nobody).len()), (&0.into(), 0));
}

#[test]
fn an_order_is_listed_once_however_often_it_is_delivered() {
    let memory = Memory::at(NOW);
    for n in 1..=70 {
        place(&memory, n, n);
    }
    memory.empty_inboxes();
    for n in 1..=70 {
        memory.lost_swaps.set(1);
        memory.unknown_swaps.set(1);
        place(&memory, n, 100 + n);
    }
    memory.lost_swaps.set(0);
    assert_eq!(list(&memory, "customerId=c")["total"], 70);
}

#[test]
fn a_crash_between_the_order_and_its_page_is_made_good() {
    let memory = Memory::at(NOW);
    for n in 1..=63 {
        place(&memory, n, n);
    }
    // Decided, as by HTTP; its delivery comes when the page is full by others.
    let late = created_for("c");
    let meta_late = meta("late", "order/ORDERS#1", 64);
    block_on(kit::aggregate::apply_locally::<crate::domain::Ordering, _>(&memory, "late", &meta_late, &late)).unwrap();
    for n in 65..=70 {
        place(&memory, n, n);
    }
    for _ in 0..2 {
        block_on(Order::handle(&memory, meta_late.clone(), late.clone())).unwrap();
        assert_eq!(list(&memory, "customerId=c")["total"], 70);
    }
    let all = list(&memory, "customerId=c&pageSize=100");
    assert_eq!(ids(&all).iter().filter(|id| *id == "late").count(), 1);
}

#[test]
fn an_order_whose_value_is_gone_does_not_lend_its_id_to_another() {
    let memory = Memory::at(NOW);
    for n in 1..=3 {
        place(&memory, n, n);
    }
    block_on(memory.delete("order/o2")).unwrap();
    assert_eq!(ids(&list(&memory, "customerId=c")), ["o3", "o1"]);
}

#[test]
fn a_list_that_names_no_format_goes_on() {
    let memory = Memory::at(NOW);
    for n in 1..=70 {
        place(&memory, n, n);
    }
    for (key, bytes) in memory.snapshot().into_iter().filter(|(key, _)| key.starts_with("customer/")) {
        let stored: Value = serde_json::from_slice(&bytes).unwrap();
        block_on(memory.set(&key, stored["view"].to_string().into_bytes())).unwrap();
    }
    place(&memory, 71, 71);
    assert_eq!(list(&memory, "customerId=c")["total"], 71);
    assert_eq!(ids(&list(&memory, "customerId=c&pageSize=100")).len(), 71);
}

#[test]
fn a_list_needs_a_customer() {
    for query in ["", "customerId=", "customerId=a%2Fb", "customerId=c&page=0", "customerId=c&pageSize=1000"] {
        let response = block_on(Order::serve(&Memory::at(NOW), Request::get(format!("/api/v1/orders?{query}"))));
        assert_eq!(response.status, 422, "{query}");
    }
}
