//! Derived ids: the same cause gives the same id, so a repeat is recognised wherever it arrives.

use uuid::Uuid;

/// Namespace of all ids derived by components.
const NAMESPACE: Uuid = Uuid::from_u128(0x5f1b_7c1e_a4c0_5d2a_9f0e_6a65_6e00_0001);

/// UUIDv5 of a kind and the parts that identify it. Parts are told apart by their lengths, so `["a", "bc"]` and
/// `["ab", "c"]` differ.
#[must_use]
pub fn derived(kind: &str, parts: &[&str]) -> String {
    let mut name = kind.to_owned();
    for part in parts {
        name.push_str(&format!("|{}:{part}", part.len()));
    }
    Uuid::new_v5(&NAMESPACE, name.as_bytes()).to_string()
}

/// The reservation of a product for an order.
#[must_use]
pub fn reservation(order_id: &str, product_id: &str) -> String {
    derived("reservation", &[order_id, product_id])
}

/// The payment of an order.
#[must_use]
pub fn payment(order_id: &str) -> String {
    derived("payment", &[order_id])
}

/// The saga of an order, named as the source names it.
#[must_use]
pub fn saga(order_id: &str) -> String {
    format!("order-fulfillment-{order_id}")
}

/// Whether a text may be an id of ours: 1 to 128 of `A-Z a-z 0-9 - _ .`, so that it can go into subjects, keys, paths
/// and headers as it is.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        && !text.starts_with('.')
}
