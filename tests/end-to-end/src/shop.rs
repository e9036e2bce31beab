//! A customer's and an artisan's view of the marketplace: what tests do with it.

use crate::{Client, Reply, eventually};
use anyhow::{Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The marketplace as its users see it.
#[derive(Debug, Clone)]
pub struct Shop {
    /// The client underneath.
    pub http: Client,
}

/// An order to place.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who orders.
    pub customer: String,
    /// Products and quantities.
    pub items: Vec<(String, u32)>,
    /// How they pay: `tok_ok`, `tok_declined`, `tok_busy`, `tok_timeout`.
    pub pays: &'static str,
}

impl Order {
    /// One piece of a product, paid for.
    #[must_use]
    pub fn of(product: &str) -> Self {
        Self { customer: "user-lucia".to_owned(), items: vec![(product.to_owned(), 1)], pays: "tok_ok" }
    }

    /// The request body.
    #[must_use]
    pub fn body(&self) -> Value {
        let items: Vec<_> = self
            .items
            .iter()
            .map(|(product, quantity)| json!({ "productId": product, "quantity": quantity }))
            .collect();
        json!({
            "customerId": self.customer,
            "items": items,
            "orderType": "delivery",
            "currency": "EUR",
            "deliveryAddress": { "street": "Calle Maestra 12", "city": "Jaén", "postalCode": "23001" },
            "paymentMethodId": self.pays,
        })
    }
}

impl Shop {
    /// The marketplace behind a client.
    #[must_use]
    pub fn new(http: Client) -> Self {
        Self { http }
    }

    /// Registers an artisan; again is no matter.
    ///
    /// # Errors
    /// Where it is refused.
    pub async fn artisan(&self, id: &str) -> Result<()> {
        let body = json!({
            "artisanId": id,
            "businessName": "Alfar de Úbeda",
            "contactEmail": "alfar@example.org",
            "contactPhone": "+34 953 000 000",
            "businessAddress": {
                "street": "Calle Valencia 22", "city": "Úbeda", "province": "Jaén", "postalCode": "23400",
                "coordinates": { "lat": 38.0133, "lng": -3.3705 },
            },
            "specialties": ["cerámica"], "craftingTechniques": ["vidriado"], "certifications": [],
        });
        let reply = self.http.post_once("/api/v1/artisans", &format!("register-{id}"), &body).await?;
        ensure!(reply.status == 201, "registering {id}: {reply:?}");
        Ok(())
    }

    /// Lists a product with a stock and a price in cents, and waits until it can be ordered.
    ///
    /// # Errors
    /// Where it is refused, or does not become available.
    pub async fn list(&self, product: &str, stock: u32, price: u64) -> Result<()> {
        let artisan = "art-alfar-ubeda";
        self.artisan(artisan).await?;
        let body = json!({
            "productId": product, "productName": format!("Cuenco {product}"), "category": "ceramica",
            "subcategory": "cuencos", "description": "Torneado a mano", "price": price, "currency": "EUR",
            "initialStock": stock, "craftingTime": 18, "materials": ["arcilla"], "customizable": false,
        });
        let reply = self.http.post(&format!("/api/v1/artisans/{artisan}/products"), &body).await?;
        ensure!(reply.status == 201, "listing {product}: {reply:?}");
        eventually(&format!("{product} can be ordered"), async || {
            let stocked = self.stock(product).await.ok()?.0 == u64::from(stock);
            let listed = self.http.get(&format!("/api/v1/products/{product}")).await.ok()?.status == 200;
            (stocked && listed).then_some(())
        })
        .await
    }

    /// Places an order.
    ///
    /// # Errors
    /// Where no answer came.
    pub async fn order(&self, order: &Order) -> Result<Reply> {
        self.http.post("/api/v1/orders", &order.body()).await
    }

    /// Places an order that must be taken; its id.
    ///
    /// # Errors
    /// Where it is not.
    pub async fn ordered(&self, order: &Order) -> Result<String> {
        let reply = self.order(order).await?;
        ensure!(reply.status == 201, "ordering: {reply:?}");
        Ok(reply.text_at("/orderId").to_owned())
    }

    /// Waits until the order has one of these states; the order.
    ///
    /// # Errors
    /// Where it does not come to it.
    pub async fn until(&self, order_id: &str, states: &[&str]) -> Result<Reply> {
        eventually(&format!("order {order_id} is {states:?}"), async || {
            let reply = self.http.get(&format!("/api/v1/orders/{order_id}")).await.ok()?;
            states.contains(&reply.text_at("/status")).then_some(reply)
        })
        .await
    }

    /// Waits until the order's saga has one of these states; the saga.
    ///
    /// # Errors
    /// Where it does not come to it.
    pub async fn saga_until(&self, order_id: &str, states: &[&str]) -> Result<Reply> {
        eventually(&format!("the saga of {order_id} is {states:?}"), async || {
            let reply = self.http.get(&format!("/api/v1/sagas/{order_id}")).await.ok()?;
            states.contains(&reply.text_at("/state")).then_some(reply)
        })
        .await
    }

    /// A product's stock: available, reserved, sold.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn stock(&self, product: &str) -> Result<(u64, u64, u64)> {
        let reply = self.http.get(&format!("/api/v1/inventory/availability/{product}")).await?;
        let number = |pointer| reply.number_at(pointer).unwrap_or(u64::MAX);
        Ok((number("/available"), number("/reserved"), number("/sold")))
    }

    /// What the gateway's own ledger has for an order.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn money(&self, order_id: &str) -> Result<Money> {
        let reply = self.http.get(&format!("/gateway/ledger?merchantReference={order_id}")).await?;
        ensure!(reply.status == 200, "the ledger of {order_id}: {reply:?}");
        Ok(Money::of(&reply.json))
    }

    /// How often a user is told each thing about an order, by the event's subject.
    ///
    /// # Errors
    /// Where there is no answer, or more notifications than one page holds.
    pub async fn told(&self, user: &str, order_id: &str) -> Result<BTreeMap<String, usize>> {
        let path = format!("/api/v1/notifications?userId={user}&orderId={order_id}&pageSize=100");
        let reply = self.http.get(&path).await?;
        let items = reply.json.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default();
        ensure!(reply.number_at("/total") == Some(items.len() as u64), "the notifications of {order_id}: {reply:?}");
        let mut told = BTreeMap::new();
        for item in items {
            *told.entry(item["event"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
        }
        Ok(told)
    }

    /// The notifications a user has about an order, their subjects.
    ///
    /// # Errors
    /// Where there is no answer.
    pub async fn notified(&self, user: &str, order_id: &str) -> Result<Vec<String>> {
        let reply = self.http.get(&format!("/api/v1/notifications?userId={user}&pageSize=100")).await?;
        ensure!(reply.status == 200, "the notifications of {user}: {reply:?}");
        let about = |item: &&Value| item.to_string().contains(order_id);
        let items = reply.json.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(items.iter().filter(about).map(|item| item["subject"].as_str().unwrap_or_default().to_owned()).collect())
    }
}

/// What the gateway took and gave back for an order, in cents.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Money {
    /// Charges that were made.
    pub charged: Vec<u64>,
    /// Refunds that were made.
    pub refunded: Vec<u64>,
}

impl Money {
    /// Reads a ledger.
    #[must_use]
    pub fn of(ledger: &Value) -> Self {
        let entries = ledger.pointer("/entries").and_then(Value::as_array).cloned().unwrap_or_default();
        let of_kind = |kind: &str| {
            let amounts = entries.iter().filter(|entry| entry["kind"] == kind);
            amounts.filter_map(|entry| entry["amount"].as_u64()).collect()
        };
        Self { charged: of_kind("charge"), refunded: of_kind("refund") }
    }

    /// Whether all that was taken was given back.
    #[must_use]
    pub fn is_even(&self) -> bool {
        self.charged.iter().sum::<u64>() == self.refunded.iter().sum::<u64>()
    }
}
