//! The order's saga on Restate, in Rust: reserve each piece, charge, confirm; what was done is undone where a step is
//! refused. The same as in ../saga.mjs. Its address comes from `PORT`.

#![allow(missing_docs, reason = "the macros write items of their own")]

use restate_sdk::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Placed {
    order_id: String,
    items: Vec<Item>,
    amount: i64,
    method: String,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: String,
    quantity: i64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Charge {
    amount: i64,
    method: String,
}

fn refusal(code: &str) -> TerminalError {
    TerminalError::new_with_code(409, code)
}

/// One product: how many pieces are where.
struct Stock;

#[object]
impl Stock {
    #[handler]
    async fn restock(&self, ctx: ObjectContext<'_>, quantity: i64) -> Result<(), HandlerError> {
        let available = ctx.get::<i64>("available").await?.unwrap_or(0);
        ctx.set("available", available + quantity);
        Ok(())
    }

    #[handler]
    async fn reserve(&self, ctx: ObjectContext<'_>, quantity: i64) -> Result<(), HandlerError> {
        let available = ctx.get::<i64>("available").await?.unwrap_or(0);
        if available < quantity {
            return Err(refusal("insufficient-stock").into());
        }
        ctx.set("available", available - quantity);
        let reserved = ctx.get::<i64>("reserved").await?.unwrap_or(0);
        ctx.set("reserved", reserved + quantity);
        Ok(())
    }

    #[handler]
    async fn release(&self, ctx: ObjectContext<'_>, quantity: i64) -> Result<(), HandlerError> {
        let available = ctx.get::<i64>("available").await?.unwrap_or(0);
        ctx.set("available", available + quantity);
        let reserved = ctx.get::<i64>("reserved").await?.unwrap_or(0);
        ctx.set("reserved", reserved - quantity);
        Ok(())
    }
}

/// One charge at the payment gateway.
struct Gateway;

#[object]
impl Gateway {
    #[handler]
    async fn charge(&self, ctx: ObjectContext<'_>, charge: Json<Charge>) -> Result<(), HandlerError> {
        let charge = charge.into_inner();
        if charge.method == "tok_declined" {
            return Err(refusal("card-declined").into());
        }
        ctx.set("charged", charge.amount);
        Ok(())
    }

    #[handler]
    async fn refund(&self, ctx: ObjectContext<'_>) -> Result<(), HandlerError> {
        let charged = ctx.get::<i64>("charged").await?.unwrap_or(0);
        ctx.set("refunded", charged);
        Ok(())
    }
}

/// One order.
struct Order;

#[object]
impl Order {
    #[handler]
    async fn create(&self, ctx: ObjectContext<'_>, placed: Json<Placed>) -> Result<(), HandlerError> {
        ctx.set("order", placed);
        ctx.set("status", "pending".to_owned());
        Ok(())
    }

    #[handler]
    async fn confirm(&self, ctx: ObjectContext<'_>) -> Result<(), HandlerError> {
        ctx.set("status", "confirmed".to_owned());
        Ok(())
    }

    #[handler]
    async fn cancel(&self, ctx: ObjectContext<'_>, reason: String) -> Result<(), HandlerError> {
        ctx.set("status", "cancelled".to_owned());
        ctx.set("reason", reason);
        Ok(())
    }

    #[handler]
    async fn status(&self, ctx: SharedObjectContext<'_>) -> Result<String, HandlerError> {
        Ok(ctx.get::<String>("status").await?.unwrap_or_default())
    }
}

struct Saga;

#[service]
impl Saga {
    #[handler]
    async fn place(&self, ctx: Context<'_>, placed: Json<Placed>) -> Result<String, HandlerError> {
        let placed = placed.into_inner();
        ctx.object_client::<OrderClient>(&placed.order_id).create(Json(placed.clone())).call().await?;
        // Both are under way before the first is awaited.
        let reservations: Vec<_> = placed
            .items
            .iter()
            .map(|item| (item, ctx.object_client::<StockClient>(&item.product_id).reserve(item.quantity).call()))
            .collect();
        let (mut reserved, mut refused) = (Vec::new(), None);
        for (item, reservation) in reservations {
            match reservation.await {
                Ok(()) => reserved.push(item),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let charge = ctx.object_client::<GatewayClient>(&placed.order_id);
        if refused.is_none() {
            let wanted = Json(Charge { amount: placed.amount, method: placed.method.clone() });
            match charge.charge(wanted).call().await {
                Ok(()) => {
                    ctx.object_client::<OrderClient>(&placed.order_id).confirm().call().await?;
                    return Ok("confirmed".to_owned());
                }
                Err(error) => {
                    ctx.object_client::<GatewayClient>(&placed.order_id).refund().call().await?;
                    refused = Some(error);
                }
            }
        }
        for item in reserved.into_iter().rev() {
            ctx.object_client::<StockClient>(&item.product_id).release(item.quantity).call().await?;
        }
        let reason = refused.map(|error| error.message().to_owned()).unwrap_or_default();
        ctx.object_client::<OrderClient>(&placed.order_id).cancel(reason).call().await?;
        Ok("cancelled".to_owned())
    }
}

#[tokio::main]
async fn main() {
    let port = std::env::var("PORT").expect("PORT: where to serve");
    let endpoint = Endpoint::builder().bind(Stock).bind(Gateway).bind(Order).bind(Saga).build();
    HttpServer::new(endpoint).listen_and_serve(format!("127.0.0.1:{port}").parse().expect("PORT: a number")).await;
}
