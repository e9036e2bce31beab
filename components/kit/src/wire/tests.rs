//! The wire contract, file by file, through the types that components use.

use super::*;
use std::path::PathBuf;

fn contract() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let shared = root.join("../shared/wire");
    if shared.is_dir() { shared } else { root.join("tests/wire") }
}

#[test]
fn every_file_of_the_contract_is_read_and_written_back() {
    let mut files = 0;
    for entry in std::fs::read_dir(contract()).unwrap() {
        let path = entry.unwrap().path();
        let Some(subject) = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"))
        else {
            continue;
        };
        let text = std::fs::read_to_string(&path).unwrap();
        let event = read(subject, &text).unwrap_or_else(|error| panic!("{subject}: {error}"));
        assert_eq!(event.event_data.subject(), subject);
        assert_eq!(event.event_data.event_type(), event.event_type);
        let expected: serde_json::Value = serde_json::from_str(&text).unwrap();
        let written: serde_json::Value = serde_json::from_str(&write(&event).unwrap()).unwrap();
        assert_eq!(written, expected, "{subject}");
        files += 1;
    }
    assert!(files >= 25, "only {files} files");
}

#[track_caller]
fn check_error(subject: &str, data: &str, expected: &str) {
    let error = Event::read(subject, data).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn errors_say_what_is_wrong() {
    check_error(
        "inventory.stock.check",
        r#"{"orderId":"o","sagaId":"s"}"#,
        "eventData.quantityRequested: missing: expected an integer",
    );
    check_error(
        "inventory.stock.check",
        r#"{"orderId":"o","sagaId":"s","quantityRequested":"x"}"#,
        "eventData.quantityRequested: expected an integer ≥ 0, got \"x\"",
    );
    check_error("order.vanished", "{}", "no event has the subject `order.vanished`");
}

#[test]
fn numbers_are_written_as_javascript_writes_them() {
    let data = |average| {
        let event = Event::InventoryStockLow(crate::events::inventory::LowStockWarning {
            current_stock: 1,
            warning_threshold: 2,
            critical_threshold: 1,
            artisan_id: "a".to_owned(),
            product_name: "p".to_owned(),
            category: "c".to_owned(),
            last_restock_date: None,
            average_daily_sales: average,
            estimated_stockout_date: "2026-01-15T10:30:00.000Z".to_owned(),
        });
        event.data()
    };
    assert!(data(2.0).unwrap().contains("\"averageDailySales\":2,"));
    assert!(data(1.5).unwrap().contains("\"averageDailySales\":1.5,"));
    assert!(data(f64::NAN).is_err());
}
