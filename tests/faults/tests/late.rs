//! The rows of the delivery table in which something comes late: a local apply, a paused process, a replay, a redelivery
//! in another state, a command after what undoes it, a timer that was cancelled.

use anyhow::{Context as _, Result, ensure};
use end_to_end::{Host, Manifest, Order, Reply, Settings, eventually};
use faults::{Memory, Notes, Stage, pronounce};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;
use tokio::task::JoinHandle;

const PRODUCT: &str = "prod-cuenco";
const STOCK: u32 = 3;

async fn stage(settings: Settings) -> Result<Stage> {
    let stage = Stage::set_with(settings, false).await?;
    stage.shop.list(PRODUCT, STOCK, 3400).await?;
    Ok(stage)
}

/// A stage whose host waits at a point while the file exists.
async fn held(point: &str) -> Result<(Stage, PathBuf)> {
    let mut stage = stage(Settings::default()).await?;
    let file = stage.file("hold");
    std::fs::write(&file, "")?;
    stage.arm(&format!("{point}=hold:{}", file.display())).await?;
    Ok((stage, file))
}

fn asking(stage: &Stage) -> JoinHandle<Result<Reply>> {
    let shop = stage.shop.clone();
    tokio::spawn(async move { shop.order(&Order::of(PRODUCT)).await })
}

/// The one order there is must be as one that nothing happened to.
async fn fulfilled_once(stage: &Stage, reply: &Reply) -> Result<()> {
    ensure!(reply.status == 201, "{reply:?}");
    let mut notes = Notes::default();
    // Its correlation, by which the log is asked what happened to it.
    let key = reply.headers.get("x-correlation-id").and_then(|value| value.to_str().ok()).unwrap_or_default();
    notes.ask(key, &Order::of(PRODUCT));
    notes.hear(key, reply)?;
    stage.shop.until(reply.text_at("/orderId"), &["confirmed"]).await?;
    pronounce(stage, &notes, &[(PRODUCT.to_owned(), STOCK)]).await
}

#[tokio::test]
async fn of_a_local_apply_and_the_delivery_at_once_one_decides() -> Result<()> {
    // Whichever comes first has read the aggregate and may not write it before the other has.
    let (stage, file) = held("swap.before@order").await?;
    let mut asking = asking(&stage);
    stage.reached().await?;
    let other = eventually("the other one decides", async || {
        let answered = asking.is_finished();
        let listed = stage.shop.http.get("/api/v1/orders?customerId=user-lucia").await.ok()?;
        (answered || listed.number_at("/total") == Some(1)).then_some(())
    });
    other.await.with_context(|| stage.host.log())?;
    std::fs::remove_file(&file)?;
    fulfilled_once(&stage, &(&mut asking).await??).await
}

#[tokio::test]
async fn a_local_apply_after_the_delivery_and_all_that_followed_decides_nothing() -> Result<()> {
    let (stage, file) = held("publish.after@order").await?;
    let asking = asking(&stage);
    stage.reached().await?;
    eventually("the order is confirmed though its request hangs", async || {
        let listed = stage.shop.http.get("/api/v1/orders?customerId=user-lucia").await.ok()?;
        (listed.text_at("/items/0/status") == "confirmed").then_some(())
    })
    .await?;
    ensure!(!asking.is_finished(), "the request was to hang");
    std::fs::remove_file(&file)?;
    fulfilled_once(&stage, &asking.await??).await
}

#[tokio::test]
async fn a_process_that_is_stopped_amid_its_work_keeps_it_and_ends_it_once() -> Result<()> {
    let (stage, file) = held("swap.before@inventory").await?;
    let asking = asking(&stage);
    stage.reached().await?;
    stage.host.signal("STOP")?;
    let second = second_host(&stage.host)?;
    std::fs::remove_file(&file)?;
    stage.host.signal("CONT")?;
    ensure!(second.contains(&stage.host.pid().to_string()), "the stopped one still has the state: {second}");
    fulfilled_once(&stage, &asking.await??).await
}

/// What a second host on the same state says, which must not start.
fn second_host(host: &Host) -> Result<String> {
    let second = Command::new(artifacts::binary("a4co"))
        .args(["up", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--manifest"])
        .arg(artifacts::marketplace())
        .arg("--state-dir")
        .arg(host.state_dir().join("state"))
        .output()?;
    ensure!(!second.status.success(), "two hosts have one state");
    Ok(String::from_utf8_lossy(&second.stderr).into_owned())
}

#[tokio::test]
async fn what_died_after_its_swap_and_is_replayed_weeks_later_changes_nothing_and_says_its_facts() -> Result<()> {
    let mut manifest = Manifest::copy(&artifacts::marketplace())?;
    manifest.replace("publish = [\"inventory.>\"]", "publish = [\"inventory.>\"]\nmax_attempts = 2")?;
    let settings = Settings { manifest: Some(manifest.path()), ..Settings::default() };
    let mut stage = stage(settings.with("stock_deadline", "4m")).await?;
    stage.arm("answer@inventory#every=fail").await?;
    let reply = stage.shop.order(&Order::of(PRODUCT)).await?;
    let letter = eventually("the check is a dead letter", async || {
        stage.host.admin().get("/dlq").await.ok()?.json["items"].get(0).cloned()
    })
    .await?;
    assert_eq!(
        (&letter["component"], &letter["cause"]["kind"]),
        (&json!("inventory"), &json!("exhausted")),
        "{letter}"
    );
    assert_eq!(stage.shop.stock(PRODUCT).await?, (2, 1, 0), "it died after its swap");

    stage.host.stop().await?;
    let memory = Memory::open(&stage.database())?;
    ensure!(memory.empty_inboxes()? > 0, "no inbox had anything in it");
    memory.age_events()?;
    drop(memory);
    stage.host.configure(|settings| {
        settings.set_environment("A4CO_FAILPOINTS", None);
        settings.set_environment("A4CO_LOG", Some("debug"));
    });
    stage.host.restart().await?;
    assert_eq!(stage.shop.stock(PRODUCT).await?, (2, 1, 0));
    stage.host.operate(&["dlq", "replay", letter["id"].as_str().unwrap_or_default()])?;
    fulfilled_once(&stage, &reply).await?;
    let source = "inventory/dlq/INVENTORY";
    ensure!(stage.host.log().contains(source), "no delivery came from {source}");
    Ok(())
}

async fn adjust(stage: &Stage, by: i64) -> Result<Reply> {
    let body = json!({ "adjustmentQuantity": by, "adjustmentReason": "correction", "adjustedBy": "art-alfar-ubeda" });
    stage.shop.http.post(&format!("/api/v1/inventory/{PRODUCT}/adjustments"), &body).await
}

async fn consumer(stage: &Stage, what: &str) -> Result<()> {
    let reply = stage.host.admin().post(&format!("/consumers/inventory/INVENTORY/{what}"), &json!({})).await?;
    ensure!(reply.status == 200, "{reply:?}");
    Ok(())
}

/// Waits until every event is settled.
async fn at_rest(stage: &Stage) -> Result<()> {
    eventually("everything is settled", async || {
        let list = stage.host.admin().get("/consumers").await.ok()?;
        list.json["items"].as_array()?.iter().all(|item| item["pending"] == 0).then_some(())
    })
    .await
}

#[tokio::test]
async fn a_refused_command_that_comes_again_in_a_later_state_stays_refused() -> Result<()> {
    let mut stage = stage(Settings::default()).await?;
    stage.arm("settle.before@inventory=durable-die").await?;
    consumer(&stage, "pause").await?;
    let refused = adjust(&stage, -5).await?;
    assert_eq!(refused.status, 409, "there are {STOCK}: {refused:?}");
    let adjusted = adjust(&stage, 10).await?;
    assert_eq!(adjusted.status, 200, "{adjusted:?}");
    // The host may die before it answers: it is asked whether it has died.
    let _answer = consumer(&stage, "resume").await;
    stage.died().await?;
    at_rest(&stage).await?;
    assert_eq!(stage.shop.stock(PRODUCT).await?, (13, 0, 0), "five less would be eight");
    Ok(())
}

/// The event of a file of the wire contract, of this order and product.
fn command(subject: &str, order_id: &str) -> Result<Value> {
    let text = std::fs::read_to_string(artifacts::workspace().join(format!("tests/wire/{subject}.json")))?;
    let mut event: Value = serde_json::from_str(&text)?;
    event["aggregateId"] = json!(PRODUCT);
    event["eventData"]["orderId"] = json!(order_id);
    Ok(event)
}

#[tokio::test]
async fn an_action_that_comes_after_what_undoes_it_is_refused() -> Result<()> {
    let mut stage = stage(Settings::default()).await?;
    stage.arm("settle.before@inventory=durable-die").await?;
    let (release, check) = (command("inventory.stock.release", "o-1")?, command("inventory.stock.check", "o-1")?);
    let admin = stage.host.admin();
    // The host may die before it answers: it is asked whether it has died.
    let _answer = admin.post("/events/inventory.stock.release", &release).await;
    stage.died().await?;
    at_rest(&stage).await?;
    let sent = admin.post("/events/inventory.stock.check", &check).await?;
    assert_eq!((sent.status, &sent.json["duplicate"]), (200, &json!(false)), "{sent:?}");
    at_rest(&stage).await?;
    assert_eq!(stage.shop.stock(PRODUCT).await?, (3, 0, 0), "nothing is set aside for an order that is undone");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_timer_is_not_set_again_by_a_copy_of_what_set_it() -> Result<()> {
    let mut stage = stage(Settings::default().with("stock_deadline", "1s")).await?;
    let order = stage.shop.order(&Order::of(PRODUCT)).await?;
    let order_id = order.text_at("/orderId").to_owned();
    stage.shop.saga_until(&order_id, &["completed"]).await?;
    stage.host.stop().await?;
    let memory = Memory::open(&stage.database())?;
    memory.empty_inboxes()?;
    memory.age_events()?;
    let created = memory.events()?.into_iter().find(|event| event.subject == "order.created");
    drop(memory);
    stage.host.restart().await?;
    let created = created.context("the order's first event")?;
    let copy =
        stage.host.admin().send("POST".parse()?, "/events/order.created", &[], Some(created.body.into())).await?;
    assert_eq!((copy.status, &copy.json["duplicate"]), (200, &json!(false)), "{copy:?}");
    at_rest(&stage).await?;

    // A deadline that was set later fires: one that the copy had set would have fired by then.
    consumer(&stage, "pause").await?;
    let later = stage.shop.ordered(&Order::of(PRODUCT)).await?;
    stage.shop.until(&later, &["cancelled"]).await?;
    consumer(&stage, "resume").await?;
    at_rest(&stage).await?;
    let correlation = order.headers["x-correlation-id"].to_str()?;
    let shown = stage.host.operate(&["events", "show", correlation])?;
    ensure!(shown.contains("order.confirmed") && !shown.contains("saga.timeout"), "{shown}");
    assert_eq!(stage.shop.until(&order_id, &["confirmed"]).await?.status, 200);
    assert_eq!(stage.shop.stock(PRODUCT).await?, (2, 0, 1));
    Ok(())
}
