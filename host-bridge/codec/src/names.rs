//! How WIT names become names on the wire.

/// `order-id` → `orderId`.
#[must_use]
pub fn camel_case(kebab: &str) -> String {
    let mut words = kebab.split('-');
    let mut name = words.next().unwrap_or_default().to_owned();
    words.for_each(|word| push_capitalised(&mut name, word));
    name
}

/// `stock-reserved` → `StockReserved`.
#[must_use]
pub fn pascal_case(kebab: &str) -> String {
    let mut name = String::with_capacity(kebab.len());
    kebab.split('-').for_each(|word| push_capitalised(&mut name, word));
    name
}

/// `inventory-stock-check` → `inventory.stock.check`.
#[must_use]
pub fn subject_of_case(case: &str) -> String {
    case.replace('-', ".")
}

fn push_capitalised(name: &mut String, word: &str) {
    let mut letters = word.chars();
    if let Some(first) = letters.next() {
        name.push(first.to_ascii_uppercase());
        name.push_str(letters.as_str());
    }
}
