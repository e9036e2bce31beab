//! Artisans, their products and their stock as users see them: every route of these through the real host.

use anyhow::{Result, ensure};
use end_to_end::{Host, Order, Reply, Settings, Shop, eventually};
use serde_json::{Value, json};
use std::process::Command;

const ALFAR: &str = "art-alfar-ubeda";

async fn shop(settings: Settings) -> Result<(Host, Shop)> {
    let host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    Ok((host, shop))
}

fn ids(page: &Reply, field: &str) -> Vec<String> {
    let items = page.json["items"].as_array().cloned().unwrap_or_default();
    items.iter().map(|item| item[field].as_str().unwrap_or_default().to_owned()).collect()
}

fn listing(product: &str, price: u64) -> Value {
    json!({
        "productId": product, "productName": "Cuenco vidriado", "category": "ceramica", "subcategory": "cuencos",
        "description": "Torneado a mano", "price": price, "currency": "EUR", "initialStock": 4, "craftingTime": 18,
        "materials": ["arcilla"], "customizable": false,
    })
}

async fn verify(shop: &Shop, artisan: &str) -> Result<Reply> {
    let body = json!({ "verificationLevel": "master", "verifiedBy": "admin-1", "backgroundCheckPassed": true,
        "insuranceValidated": true });
    shop.http.post(&format!("/api/v1/artisans/{artisan}/verify"), &body).await
}

async fn become_status(shop: &Shop, artisan: &str, status: &str) -> Result<Reply> {
    let body = json!({ "newStatus": status, "reason": "seguro caducado", "changedBy": "admin-1" });
    shop.http.post(&format!("/api/v1/artisans/{artisan}/status"), &body).await
}

async fn an_artisan_is_verified_found_nearby_and_suspended(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.artisan(ALFAR).await?;
    let verified = verify(&shop, ALFAR).await?;
    assert_eq!((verified.status, verified.text_at("/status")), (200, "active"), "{}", verified.text);
    let shown = shop.http.get(&format!("/api/v1/artisans/{ALFAR}")).await?;
    assert_eq!(shown.text_at("/verification/level"), "master", "{}", shown.text);
    let near = "/api/v1/artisans/nearby?lat=38.01&lng=-3.37&radiusKm=10";
    eventually("the artisan is near", async || {
        let found = shop.http.get(near).await.ok()?;
        (ids(&found, "artisanId") == [ALFAR]).then_some(())
    })
    .await?;
    let far = shop.http.get("/api/v1/artisans/nearby?lat=40.4&lng=-3.7&radiusKm=10").await?;
    assert_eq!(far.number_at("/total"), Some(0), "{}", far.text);

    let suspended = become_status(&shop, ALFAR, "suspended").await?;
    assert_eq!((suspended.status, suspended.text_at("/status")), (200, "suspended"), "{}", suspended.text);
    let again = become_status(&shop, ALFAR, "suspended").await?;
    assert_eq!((again.status, again.text_at("/code")), (409, "illegal-transition"), "{}", again.text);
    let refused = shop.http.post(&format!("/api/v1/artisans/{ALFAR}/products"), &listing("prod-1", 100)).await?;
    assert_eq!((refused.status, refused.text_at("/code")), (409, "artisan-does-not-sell"), "{}", refused.text);
    let told = eventually("the artisan is told", async || {
        let told = shop.http.get(&format!("/api/v1/notifications?userId={ALFAR}")).await.ok()?;
        (told.number_at("/total") == Some(2)).then_some(told)
    })
    .await?;
    assert_eq!(ids(&told, "event"), ["artisan.status.changed", "artisan.verified"]);
    Ok(())
}

async fn products_are_searched_by_words_category_and_price_while_their_maker_sells(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-barato", 3, 900).await?;
    shop.list("prod-caro", 3, 9_900).await?;
    verify(&shop, ALFAR).await?;
    let total = async |query: &str| Ok::<_, anyhow::Error>(shop.http.get(query).await?.number_at("/total"));
    assert_eq!(total("/api/v1/products/search?q=cuenco").await?, Some(2));
    assert_eq!(total("/api/v1/products/search?q=cuenco&maxPrice=1000").await?, Some(1));
    assert_eq!(total("/api/v1/products/search?q=cuenco&category=madera").await?, Some(0));
    let page = shop.http.get("/api/v1/products/search?q=cuenco&pageSize=1&page=2").await?;
    assert_eq!((ids(&page, "productId").len(), page.number_at("/total")), (1, Some(2)), "{}", page.text);
    let both = shop.http.get("/api/v1/products?ids=prod-caro,nowhere,prod-barato").await?;
    assert_eq!(ids(&both, "productId"), ["prod-caro", "prod-barato"], "{}", both.text);
    let free = shop.http.get("/api/v1/inventory/availability?productIds=prod-barato,prod-caro").await?;
    assert_eq!(ids(&free, "productId"), ["prod-barato", "prod-caro"], "{}", free.text);
    assert_eq!(free.number_at("/items/1/available"), Some(3), "{}", free.text);
    let wrong = shop.http.get("/api/v1/products/search?q=cuenco&maxPrice=cheap").await?;
    assert_eq!((wrong.status, wrong.text_at("/errors/0/field")), (422, "maxPrice"), "{}", wrong.text);

    assert_eq!(become_status(&shop, ALFAR, "suspended").await?.status, 200);
    eventually("nothing is found of a maker who does not sell", async || {
        (total("/api/v1/products/search?q=cuenco").await.ok()? == Some(0)).then_some(())
    })
    .await?;
    let order = shop.order(&Order::of("prod-barato")).await?;
    assert_eq!((order.status, order.text_at("/errors/0/field")), (422, "items[0].productId"), "{}", order.text);
    Ok(())
}

async fn stock_is_adjusted_once_a_key_and_product_and_never_below_what_is_free(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-uno", 3, 900).await?;
    shop.list("prod-dos", 3, 900).await?;
    let restock = json!({ "adjustmentQuantity": 5, "adjustmentReason": "restock", "adjustedBy": ALFAR });
    for product in ["prod-uno", "prod-uno", "prod-dos"] {
        let path = format!("/api/v1/inventory/{product}/adjustments");
        let reply = shop.http.post_once(&path, "monday", &restock).await?;
        assert_eq!((reply.status, reply.text_at("/productId")), (200, product), "{}", reply.text);
        assert_eq!(reply.number_at("/available"), Some(8), "{}", reply.text);
    }
    assert_eq!((shop.stock("prod-uno").await?, shop.stock("prod-dos").await?), ((8, 0, 0), (8, 0, 0)));
    let loss = json!({ "adjustmentQuantity": -9, "adjustmentReason": "loss", "adjustedBy": ALFAR });
    let reply = shop.http.post("/api/v1/inventory/prod-uno/adjustments", &loss).await?;
    assert_eq!((reply.status, reply.text_at("/code")), (409, "insufficient-stock"), "{}", reply.text);
    eventually("the catalogue knows", async || {
        let product = shop.http.get("/api/v1/products/prod-uno").await.ok()?;
        (product.number_at("/stock/available") == Some(8)).then_some(())
    })
    .await
}

async fn an_artisan_has_the_order_and_the_warning_on_the_desk(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    shop.list("prod-cuenco", 8, 900).await?;
    let order = Order { items: vec![("prod-cuenco".into(), 6)], ..Order::of("prod-cuenco") };
    let order_id = shop.ordered(&order).await?;
    let job = eventually("the order is on the desk", async || {
        let desk = shop.http.get(&format!("/api/v1/artisans/{ALFAR}/orders")).await.ok()?;
        (ids(&desk, "orderId") == [order_id.as_str()]).then_some(desk)
    })
    .await?;
    assert_eq!(job.number_at("/items/0/items/0/quantity"), Some(6), "{}", job.text);
    let low = eventually("the warning is on the desk", async || {
        let desk = shop.http.get(&format!("/api/v1/artisans/{ALFAR}/low-stock")).await.ok()?;
        (ids(&desk, "productId") == ["prod-cuenco"]).then_some(desk)
    })
    .await?;
    assert_eq!(low.number_at("/items/0/currentStock"), Some(2), "{}", low.text);
    let told = eventually("the artisan is told", async || {
        let told = shop.http.get(&format!("/api/v1/notifications?userId={ALFAR}")).await.ok()?;
        ids(&told, "event").contains(&"inventory.stock.low".to_owned()).then_some(told)
    })
    .await?;
    assert!(told.text.contains("Quedan 2 piezas"), "{}", told.text);
    Ok(())
}

/// Two artisans ask for one product id at the same moment: one has it, and everybody knows which.
async fn of_two_who_list_one_product_id_at_once_one_has_it_everywhere(settings: Settings) -> Result<()> {
    let (_host, shop) = shop(settings).await?;
    for artisan in ["art-uno", "art-dos"] {
        shop.artisan(artisan).await?;
    }
    let mut contested = 0;
    for number in 0..40 {
        let product = format!("prod-{number}");
        let list = async |artisan: &str, price| {
            shop.http.post(&format!("/api/v1/artisans/{artisan}/products"), &listing(&product, price)).await
        };
        let (one, two) = tokio::join!(list("art-uno", 100), list("art-dos", 200));
        let (one, two) = (one?, two?);
        let winner = match (one.status, two.status) {
            (201, 409) => "art-uno",
            (409, 201) => "art-dos",
            _ => anyhow::bail!("{one:?}\n{two:?}"),
        };
        let refused = if winner == "art-uno" { &two } else { &one };
        ensure!(refused.text_at("/code") == "product-exists", "{refused:?}");
        let known = eventually("the product is in the catalogue", async || {
            shop.http.get(&format!("/api/v1/products/{product}")).await.ok().filter(|reply| reply.status == 200)
        })
        .await?;
        assert_eq!(known.text_at("/artisanId"), winner, "{}", known.text);
        contested += 1;
    }
    assert_eq!(contested, 40);
    Ok(())
}

async fn the_sample_is_loaded_by_its_script_and_again_changes_nothing(settings: Settings) -> Result<()> {
    let (host, shop) = shop(settings).await?;
    let load = || -> Result<String> {
        let script = artifacts::workspace().join("infra/sample/load.sh");
        let output =
            Command::new("bash").arg(script).env("A4CO_URL", format!("http://{}", host.client_address())).output()?;
        ensure!(output.status.success(), "load.sh: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let said = load()?;
    assert!(said.contains("12 artisans and 41 products are in the catalogue"), "{said}");
    let found = async || shop.http.get("/api/v1/products/search?q=aceite").await.ok()?.number_at("/total");
    let oils = eventually("oil is found", async || found().await.filter(|total| *total > 0)).await?;
    load()?;
    assert_eq!(found().await, Some(oils), "again changes nothing");
    Ok(())
}

end_to_end::in_setups! {
    [embedded, nats, bridged]:
        an_artisan_is_verified_found_nearby_and_suspended,
        products_are_searched_by_words_category_and_price_while_their_maker_sells,
        stock_is_adjusted_once_a_key_and_product_and_never_below_what_is_free,
        an_artisan_has_the_order_and_the_warning_on_the_desk,
        of_two_who_list_one_product_id_at_once_one_has_it_everywhere,
        the_sample_is_loaded_by_its_script_and_again_changes_nothing;
}
