//! What other components say about an order before it is placed: prices, stock, the payment method.

use super::place::{PlaceBody, Wanted};
use kit::Ports;
use kit::events::order::OrderItem;
use kit::http::{FieldError, Items, Problem, Request, Response};
use kit::ports::CallError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const PRODUCTS: &str = "http://product.spin.internal/api/v1/products?ids=";
const AVAILABILITY: &str = "http://inventory.spin.internal/api/v1/inventory/availability?productIds=";
const VALIDATION: &str = "http://payment.spin.internal/api/v1/payments/validate";

/// Another component that is asked, and how long its answer may take, in milliseconds.
struct Target {
    name: &'static str,
    timeout: u64,
}

const PRODUCT: Target = Target { name: "product", timeout: 5_000 };
const INVENTORY: Target = Target { name: "inventory", timeout: 3_000 };
const PAYMENT: Target = Target { name: "payment", timeout: 5_000 };

/// Of a product, what an order keeps.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Product {
    product_id: String,
    product_name: String,
    price: u64,
    currency: String,
    artisan_id: String,
    #[serde(default)]
    artisan: Maker,
}

#[derive(Debug, Deserialize)]
struct Maker {
    /// Whether the artisan sells at present.
    #[serde(default = "yes")]
    sells: bool,
}

impl Default for Maker {
    fn default() -> Self {
        Self { sells: true }
    }
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Availability {
    product_id: String,
    available: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Validation<'a> {
    payment_method_id: &'a str,
    amount: u64,
    currency: &'a str,
    customer_id: &'a str,
}

#[derive(Debug, Deserialize)]
struct Validity {
    valid: bool,
    #[serde(default)]
    reason: Option<String>,
}

/// The items at the products' own prices, every one in stock at this moment.
pub(super) async fn items<P: Ports>(ports: &P, wanted: &[Wanted], currency: &str) -> Result<Vec<OrderItem>, Problem> {
    let mut items = Vec::with_capacity(wanted.len());
    let mut wrong = Vec::new();
    let Items { items: mut products } = ask::<Items<Product>, P>(ports, &PRODUCT, PRODUCTS, wanted).await?;
    for line in wanted {
        let place = products.iter().position(|product| product.product_id == line.product_id);
        match orderable(place.map(|place| products.swap_remove(place)), line, currency) {
            Ok(product) => items.push(OrderItem {
                product_id: line.product_id.clone(),
                artisan_id: product.artisan_id,
                quantity: line.quantity,
                unit_price: product.price,
                product_name: product.product_name,
            }),
            Err(reason) => {
                wrong.push(FieldError { field: format!("items[{}].productId", line.line), reason });
            }
        }
    }
    if !wrong.is_empty() {
        return Err(Problem::invalid(wrong));
    }
    check_stock(ports, wanted).await?;
    Ok(items)
}

/// What a component tells of all products of an order at once.
async fn ask<T: DeserializeOwned, P: Ports>(
    ports: &P,
    target: &Target,
    url: &str,
    wanted: &[Wanted],
) -> Result<T, Problem> {
    let ids: Vec<_> = wanted.iter().map(|line| line.product_id.as_str()).collect();
    let response = call(ports, target, Request::get(format!("{url}{}", ids.join(",")))).await?;
    read(target, &response)
}

/// The product, or why it cannot be ordered.
fn orderable(product: Option<Product>, line: &Wanted, currency: &str) -> Result<Product, String> {
    let id = &line.product_id;
    match product {
        None => Err(format!("there is no product {id}")),
        Some(Product { currency: its, .. }) if its != currency => {
            Err(format!("{id} is sold in {its}, not in {currency}"))
        }
        Some(Product { artisan: Maker { sells: false }, .. }) => {
            Err(format!("the maker of {id} does not sell at present"))
        }
        Some(product) => Ok(product),
    }
}

/// 409 that names each product of which there is too little.
async fn check_stock<P: Ports>(ports: &P, wanted: &[Wanted]) -> Result<(), Problem> {
    let mut short = Vec::new();
    let Items { items } = ask::<Items<Availability>, P>(ports, &INVENTORY, AVAILABILITY, wanted).await?;
    for line in wanted {
        // One that was listed a moment ago inventory has not heard of yet.
        let free = items.iter().find(|free| free.product_id == line.product_id);
        let available = free.map_or(0, |free| free.available);
        if available < line.quantity {
            let Wanted { product_id, quantity, .. } = line;
            short.push(FieldError {
                field: format!("items[{}].quantity", line.line),
                reason: format!("asked for {quantity} of {product_id}, available are {available}"),
            });
        }
    }
    if short.is_empty() {
        return Ok(());
    }
    let detail = short.iter().map(|error| error.reason.as_str()).collect::<Vec<_>>().join("; ");
    Err(Problem { errors: short, ..Problem::new(409, "insufficient-stock", detail) })
}

/// The sum, in minor units.
pub(super) fn total(items: &[OrderItem]) -> Result<u64, Problem> {
    let add = |sum: u64, item: &OrderItem| sum.checked_add(item.unit_price.checked_mul(item.quantity.into())?);
    items
        .iter()
        .try_fold(0, add)
        .ok_or_else(|| Problem::invalid_field("items", "the total is more than can be reckoned: order less at once"))
}

/// 422 where payment would not take this method for this amount.
pub(super) async fn check_method<P: Ports>(ports: &P, body: &PlaceBody, amount: u64) -> Result<(), Problem> {
    let validation = Validation {
        payment_method_id: &body.payment_method_id,
        amount,
        currency: &body.currency,
        customer_id: &body.customer_id,
    };
    let json = serde_json::to_vec(&validation).map_err(|error| Problem::internal(&error.to_string()))?;
    let response = call(ports, &PAYMENT, Request::post(VALIDATION, json)).await?;
    let validity: Validity = read(&PAYMENT, &response)?;
    if validity.valid {
        return Ok(());
    }
    let reason = validity.reason.unwrap_or_else(|| "the method cannot be used".to_owned());
    let errors = vec![FieldError { field: "paymentMethodId".to_owned(), reason: reason.clone() }];
    Err(Problem { errors, ..Problem::new(422, "invalid-payment-method", reason) })
}

async fn call<P: Ports>(ports: &P, target: &Target, request: Request) -> Result<Response, Problem> {
    let Target { name: target, timeout } = target;
    match ports.call(request.with_timeout(*timeout)).await {
        Ok(response) if response.status < 500 => Ok(response),
        Ok(response) => Err(Problem::unavailable(format!("{target} answered {}: try again", response.status))),
        Err(CallError::Timeout) => Err(Problem::unavailable(format!("{target} did not answer in time: try again"))),
        Err(CallError::Unavailable(why)) => Err(Problem::unavailable(format!("{target} is away ({why}): try again"))),
        Err(CallError::Denied(why)) => Err(Problem::internal(&format!("order may not call {target}: {why}"))),
    }
}

fn read<T: DeserializeOwned>(target: &Target, response: &Response) -> Result<T, Problem> {
    let target = target.name;
    if !response.is_success() {
        return Err(Problem::internal(&format!("{target} did not expect the question: {}", response.status)));
    }
    kit::json::from_slice(&response.body)
        .map_err(|error| Problem::internal(&format!("{target} gave an unreadable answer: {error}")))
}
