//! NATS goes away and comes back: who needs it is told so at once, and all that was taken is done, once, without
//! anybody's help and without a saga undone. How long it is away: `A4CO_OUTAGE`, in seconds.

use anyhow::{Context as _, Result, ensure};
use artifacts::nats::NatsServer;
use end_to_end::{DEADLINE, Host, Manifest, Order, Reply, Settings, Setup, Shop, eventually};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How long NATS is away, where nobody says.
const OUTAGE: Duration = Duration::from_secs(10);
/// An answer that is known at once takes no longer than this on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(1);
/// From the end of the outage until an order goes through.
const RECOVERY: Duration = Duration::from_secs(10);
/// Orders of one customer.
const ORDERS_EACH: usize = 5;
/// Components that subscribe to something.
const SUBSCRIBERS: [&str; 7] = ["artisan", "product", "inventory", "order", "payment", "saga", "notification"];

fn outage() -> Duration {
    let said = std::env::var("A4CO_OUTAGE").ok().and_then(|text| text.parse().ok());
    said.map_or(OUTAGE, Duration::from_secs)
}

/// The marketplace, where an event is a dead letter after so many attempts.
fn with_attempts(attempts: u32) -> Result<Manifest> {
    let mut manifest = Manifest::copy(&artifacts::marketplace())?;
    for component in SUBSCRIBERS {
        let table = format!("[component.{component}.tool.events]");
        manifest.replace(&table, &format!("{table}\nmax_attempts = {attempts}"))?;
    }
    Ok(manifest)
}

/// Customers who order one piece after the other, and ask for each until they have it.
struct Customers {
    tasks: JoinSet<Result<Vec<String>>>,
    taken: Arc<AtomicUsize>,
    put_off: Arc<AtomicUsize>,
}

impl Customers {
    fn come(shop: &Shop, number: usize) -> Self {
        let (taken, put_off) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for customer in 0..number {
            let (shop, taken, put_off) = (shop.clone(), taken.clone(), put_off.clone());
            let ordering = async move {
                let (mut orders, body) = (Vec::new(), Order::of("prod-cuenco").body());
                while orders.len() < ORDERS_EACH {
                    let key = format!("customer-{customer}-{}", orders.len());
                    let reply = shop.http.post_once("/api/v1/orders", &key, &body).await?;
                    if reply.status == 201 {
                        taken.fetch_add(1, Ordering::Relaxed);
                        orders.push(reply.text_at("/orderId").to_owned());
                        continue;
                    }
                    check_put_off(&reply)?;
                    put_off.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Ok(orders)
            };
            tasks.spawn(async move { tokio::time::timeout(outage() + DEADLINE, ordering).await? });
        }
        Self { tasks, taken, put_off }
    }

    async fn until_taken(&self, number: usize) -> Result<()> {
        let taken = async || (self.taken.load(Ordering::Relaxed) >= number).then_some(());
        eventually(&format!("{number} orders are taken"), taken).await
    }

    async fn orders(mut self) -> Result<Vec<String>> {
        let mut orders = Vec::new();
        while let Some(order) = self.tasks.join_next().await {
            orders.extend(order??);
        }
        ensure!(self.put_off.load(Ordering::Relaxed) > 0, "nobody met the outage");
        Ok(orders)
    }
}

/// A problem that tells when to come again.
fn check_put_off(reply: &Reply) -> Result<()> {
    let problem = reply.headers.get("content-type").is_some_and(|kind| kind == "application/problem+json");
    let whole = reply.status == 503 && problem && reply.headers.contains_key("retry-after");
    ensure!(whole, "no 503 problem with Retry-After: {reply:?}");
    Ok(())
}

/// The answer, which must come at once.
async fn at_once(asked: impl Future<Output = Result<Reply>>) -> Result<Reply> {
    let start = Instant::now();
    let reply = asked.await?;
    ensure!(start.elapsed() < AT_ONCE, "after {:?}: {reply:?}", start.elapsed());
    Ok(reply)
}

/// What everybody sees during the outage, asked again and again until `over`; how often.
async fn watch(host: &Host, shop: &Shop, over: Instant) -> Result<usize> {
    let mut rounds = 0;
    // The other side of a bridge has its own state.
    let reads = if host.setup() == Setup::Bridged { 200 } else { 503 };
    while Instant::now() < over {
        let body = Order::of("prod-cuenco").body();
        let key = format!("watcher-{rounds}");
        check_put_off(&at_once(shop.http.post_once("/api/v1/orders", &key, &body)).await?)?;
        check_put_off(&at_once(shop.http.post("/api/v1/orders", &body)).await?)?;
        let read = at_once(shop.http.get("/api/v1/products/prod-cuenco")).await?;
        ensure!(read.status == reads, "{read:?}");
        if reads == 503 {
            check_put_off(&read)?;
        }
        for admin in host.admins() {
            for path in ["/healthz", "/metrics"] {
                let reply = at_once(admin.get(path)).await?;
                ensure!(reply.status == 200, "{path}: {reply:?}");
            }
        }
        for path in ["/dlq", "/consumers", "/readyz"] {
            let reply = at_once(host.admin().get(path)).await?;
            ensure!(reply.status == 503, "{path}: {reply:?}");
        }
        rounds += 1;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(rounds)
}

async fn letters(host: &Host) -> Result<Vec<Value>> {
    let list = host.admin().get("/dlq").await?;
    list.json["items"].as_array().cloned().with_context(|| list.text.clone())
}

/// Milliseconds of the day of an instant such as `2026-01-15T10:30:00.000Z`.
fn of_day(instant: &str) -> Result<u64> {
    let time = instant.get(11..23).with_context(|| format!("no instant: {instant:?}"))?;
    let numbers = time.split([':', '.']).map(str::parse).collect::<Result<Vec<u64>, _>>()?;
    let [hours, minutes, seconds, millis] = numbers[..] else { anyhow::bail!("no instant: {instant:?}") };
    Ok(((hours * 60 + minutes) * 60 + seconds) * 1_000 + millis)
}

/// Every order is confirmed and paid for once; how many of them were under way through an outage of this length.
async fn all_confirmed(shop: &Shop, orders: &[String], outage: Duration) -> Result<usize> {
    let mut through = 0;
    for order_id in orders {
        let order = shop.until(order_id, &["confirmed", "cancelled"]).await?;
        let saga = shop.http.get(&format!("/api/v1/sagas/{order_id}")).await?;
        ensure!(order.text_at("/status") == "confirmed", "{}\n{}", order.text, saga.text);
        shop.saga_until(order_id, &["completed"]).await?;
        let money = shop.money(order_id).await?;
        ensure!((&*money.charged, &*money.refunded) == (&[3400], &[]), "{order_id}: {money:?}");
        let (placed, confirmed) = (order.text_at("/createdAt"), order.text_at("/confirmation/confirmedAt"));
        let took = (of_day(confirmed)? + 86_400_000 - of_day(placed)?) % 86_400_000;
        through += usize::from(u128::from(took) >= outage.as_millis());
    }
    Ok(through)
}

/// Takes the server away amid orders and gives it back.
async fn away(settings: Settings, go: fn(&mut NatsServer), come: fn(&mut NatsServer)) -> Result<()> {
    let (outage, stock) = (outage(), 60);
    // A single attempt spent would be a dead letter, and a saga that counted the outage would be undone.
    let manifest = with_attempts(1)?;
    let mut settings = settings.of(manifest.path());
    for deadline in ["stock_deadline", "payment_deadline", "confirmation_deadline"] {
        settings = settings.with(deadline, &format!("{}ms", outage.as_millis() * 6 / 10));
    }
    let mut host = Host::start(settings).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", stock, 3400).await?;
    let customers = Customers::come(&shop, 8);
    customers.until_taken(10).await?;

    go(host.server()?);
    let gone = Instant::now();
    let admin = host.admin();
    eventually("it is noticed", async || admin.get("/readyz").await.ok().filter(|reply| reply.status == 503)).await?;
    let rounds = watch(&host, &shop, gone + outage).await?;
    ensure!(rounds > 3, "{rounds} rounds are no look");
    come(host.server()?);
    let back = Instant::now();
    let body = Order::of("prod-cuenco").body();
    let first = eventually("the first order", async || {
        shop.http.post_once("/api/v1/orders", "the-first", &body).await.ok().filter(|reply| reply.status == 201)
    })
    .await?;
    shop.until(first.text_at("/orderId"), &["confirmed"]).await?;
    ensure!(back.elapsed() < RECOVERY, "an order went through after {:?}:\n{}", back.elapsed(), host.log());

    let mut orders = customers.orders().await?;
    orders.push(first.text_at("/orderId").to_owned());
    let through = all_confirmed(&shop, &orders, outage).await.with_context(|| host.log())?;
    ensure!(through > 0, "no order was under way when the server went");
    let sold = orders.len() as u64;
    eventually("the stock is settled", async || {
        (shop.stock("prod-cuenco").await.ok()? == (u64::from(stock) - sold, 0, sold)).then_some(())
    })
    .await?;
    let letters = letters(&host).await?;
    ensure!(letters.is_empty(), "{letters:?}");
    // Nobody ended and came again.
    host.kill()
}

async fn a_server_that_dies_loses_and_undoes_nothing(settings: Settings) -> Result<()> {
    away(settings, NatsServer::kill, NatsServer::restart).await
}

async fn a_server_that_hangs_loses_and_undoes_nothing(settings: Settings) -> Result<()> {
    away(settings, |server| server.pause(), |server| server.resume()).await
}

/// The other side of the bridge has a store elsewhere, as Spin may have, and loses it.
async fn a_store_that_is_away_behind_the_bridge_spends_no_attempts(mut settings: Settings) -> Result<()> {
    let mut store = NatsServer::start();
    settings.arguments = vec!["--nats".to_owned(), store.url()];
    // One may be spent where the store comes back between a handler's question and ours.
    let manifest = with_attempts(2)?;
    let host = Host::start(settings.of(manifest.path())).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 30, 3400).await?;
    let customers = Customers::come(&shop, 4);
    customers.until_taken(5).await?;
    store.kill();
    let gone = Instant::now();
    let admin = host.admin();
    eventually("the bridge notices", async || {
        let metrics = admin.get("/metrics").await.ok()?.text;
        metrics.lines().any(|line| line.starts_with("a4co_outage") && line.ends_with(" 1")).then_some(())
    })
    .await
    .with_context(|| host.log())?;
    while gone.elapsed() < OUTAGE / 2 {
        check_put_off(&at_once(shop.http.get("/api/v1/products/prod-cuenco")).await?)?;
        let ready = at_once(admin.get("/readyz")).await?;
        ensure!(ready.status == 200, "the bridge has all it needs: {ready:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    store.restart();
    let orders = customers.orders().await?;
    let through = all_confirmed(&shop, &orders, OUTAGE / 2).await.with_context(|| host.log())?;
    ensure!(through > 0, "no order was under way when the store went");
    let letters = letters(&host).await?;
    ensure!(letters.is_empty(), "{letters:?}");
    Ok(())
}

end_to_end::in_setups! {
    [nats, bridged] because "an embedded host has no server to lose":
        a_server_that_dies_loses_and_undoes_nothing,
        a_server_that_hangs_loses_and_undoes_nothing;
    [bridged] because "with --nats the store and the bus are one server":
        a_store_that_is_away_behind_the_bridge_spends_no_attempts;
}
