//! The sample catalogue with stock that does not run out, and the orders that buyers place in it.

use crate::client::Connection;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Pieces of each product: the most the marketplace takes.
const STOCK: u32 = 1_000_000;
/// Customers that orders are spread over.
const CUSTOMERS: u32 = 10_000;
/// How long until a product that was listed can be ordered.
const LISTED: Duration = Duration::from_secs(60);

/// The products there are.
#[derive(Debug)]
pub struct Catalogue {
    products: Vec<String>,
}

impl Catalogue {
    /// Lists the sample's products at a running marketplace, and waits until all can be ordered.
    ///
    /// # Errors
    /// Where one is refused.
    pub async fn load(address: SocketAddr) -> Result<Self> {
        let mut connection = Connection::open(address).await?;
        for mut artisan in sample("artisans.jsonl")? {
            artisan.remove("verificationLevel");
            post(&mut connection, "/api/v1/artisans", &artisan).await?;
        }
        let mut products = Vec::new();
        for mut product in sample("products.jsonl")? {
            let artisan = product.remove("artisanId").unwrap_or_default();
            product.insert("initialStock".to_owned(), STOCK.into());
            products.push(product.get("productId").and_then(Value::as_str).unwrap_or_default().to_owned());
            let path = format!("/api/v1/artisans/{}/products", artisan.as_str().unwrap_or_default());
            post(&mut connection, &path, &product).await?;
        }
        let began = Instant::now();
        for product in &products {
            loop {
                let stock = connection.get(&format!("/api/v1/inventory/availability/{product}")).await?;
                let listed = connection.get(&format!("/api/v1/products/{product}")).await?;
                if (stock.status, listed.status) == (200, 200) {
                    break;
                }
                ensure!(began.elapsed() < LISTED, "{product} cannot be ordered: {} {}", stock.text(), listed.text());
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(Self { products })
    }

    /// Any product.
    pub fn product(&self) -> &str {
        self.products.get(fastrand::usize(..self.products.len())).map(String::as_str).unwrap_or_default()
    }

    /// The body of an order of two products, one piece each, by any customer.
    pub fn order(&self) -> String {
        let first = self.product();
        let mut second = self.product();
        while second == first {
            second = self.product();
        }
        let customer = fastrand::u32(..CUSTOMERS);
        format!(
            r#"{{"customerId":"user-{customer}","items":[{{"productId":"{first}","quantity":1}},{{"productId":"{second}","quantity":1}}],"orderType":"delivery","currency":"EUR","deliveryAddress":{{"street":"Calle Maestra 12","city":"Jaén","postalCode":"23001"}},"paymentMethodId":"tok_ok"}}"#
        )
    }
}

fn sample(file: &str) -> Result<Vec<Map<String, Value>>> {
    let path = artifacts::workspace().join("infra/sample").join(file);
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_str(line).with_context(|| format!("{file}: {line}"))).collect()
}

async fn post(connection: &mut Connection, path: &str, body: &Map<String, Value>) -> Result<()> {
    let reply = connection.post(path, serde_json::to_string(body)?).await?;
    ensure!(reply.status == 201, "POST {path}: {} {}", reply.status, reply.text());
    Ok(())
}
