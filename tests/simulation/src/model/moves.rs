//! From where to where orders and sagas may go.

use super::ledger::Ledger;
use super::log::Log;
use kit::json::Value;

/// An order's status: a final one stays, a confirmed one is paid, a delivered one was sold.
pub fn order(id: &str, (was, is): (&Value, &Value), (log, ledger): (&Log, &Ledger)) -> Result<(), String> {
    let status = |order: &Value| order["state"]["status"].as_str().unwrap_or("absent").to_owned();
    let (before, after) = (status(was), status(is));
    match (before.as_str(), after.as_str()) {
        _ if before == after => Ok(()),
        ("absent", "pending" | "cancelled") | ("pending" | "confirmed", "cancelled") => Ok(()),
        ("pending", "confirmed") => {
            let total = log.orders().get(id).map(|placed| placed.total);
            let taken = ledger.taken(id);
            match taken.as_slice() {
                [amount] if Some(*amount) == total => Ok(()),
                _ => Err(format!("order {id} is confirmed, it costs {total:?}, taken are {taken:?}")),
            }
        }
        ("confirmed", "delivered") => {
            let items = log.orders().get(id).map(|placed| placed.items.clone()).unwrap_or_default();
            match items.keys().find(|product| !log.told("inventory.stock.sold", product, id)) {
                Some(product) => Err(format!("order {id} is delivered, and {product} is not sold")),
                None => Ok(()),
            }
        }
        _ => Err(format!("order {id} was {before} and becomes {after}")),
    }
}

/// A saga that has turned back does not go forward again, unless the order is with its customer already.
pub fn saga(id: &str, (was, is): (&Value, &Value), log: &Log) -> Result<(), String> {
    let phase = |saga: &Value| saga["state"]["phase"].as_str().unwrap_or("absent").to_owned();
    let (before, after) = (phase(was), phase(is));
    let allowed: &[&str] = match before.as_str() {
        "absent" => &["stock-check-pending", "failed"],
        "stock-check-pending" => &["payment-processing", "compensating"],
        "payment-processing" => &["order-confirmation", "compensating"],
        "order-confirmation" => &["completed", "compensating"],
        "completed" | "failed" => &["compensating"],
        "compensating" | "stuck" if after == "completed" && log.told("order.delivered", id, "") => &["completed"],
        "compensating" => &["failed", "stuck"],
        "stuck" => &["compensating", "failed"],
        _ => &[],
    };
    match before == after || allowed.contains(&after.as_str()) {
        true => Ok(()),
        false => Err(format!("the saga of {id} was {before} and becomes {after}")),
    }
}
