//! No answer leaves before the flush that covers it has returned.

use anyhow::{Result, ensure};
use end_to_end::{Order, eventually};
use faults::{Noted, Stage};
use std::time::{Duration, Instant};

/// How long an answer is waited for that must not come. A flush takes about a millisecond, an answer a few.
const NO_ANSWER: Duration = Duration::from_millis(700);

#[tokio::test]
async fn no_201_leaves_before_its_sync_has_returned() -> Result<()> {
    let stage = Stage::set(true).await?;
    stage.shop.list("prod-cuenco", 5, 3400).await?;
    let order = Order::of("prod-cuenco");
    // Everything is warm: what keeps the next answer away is the held sync alone.
    let first = Instant::now();
    let warm = stage.shop.ordered(&order).await?;
    ensure!(first.elapsed() < NO_ANSWER, "an order takes {:?}: the test could not tell a held one", first.elapsed());
    stage.shop.saga_until(&warm, &["completed"]).await?;

    let before = stage.vitals()?;
    std::fs::write(stage.hold(), "")?;
    let shop = stage.shop.clone();
    let mut asking = tokio::spawn(async move { shop.order(&order).await });
    eventually("the order is written, and its sync held", async || {
        let vitals = stage.vitals().ok()?;
        let held = stage.unsynced.count(Noted::Held).ok()?;
        (held > 0 && vitals.latest > before.latest && vitals.latest > vitals.durable).then_some(())
    })
    .await?;
    let early = tokio::time::timeout(NO_ANSWER, &mut asking).await;
    ensure!(early.is_err(), "an answer left while its sync was held: {early:?}");
    let reading = stage.shop.http.get("/api/v1/orders?customerId=user-lucia");
    let read = tokio::time::timeout(NO_ANSWER, reading).await;
    ensure!(read.is_err(), "a read showed what is not on disk: {read:?}");

    std::fs::remove_file(stage.hold())?;
    let reply = asking.await??;
    assert_eq!(reply.status, 201, "{}", reply.text);
    stage.shop.saga_until(reply.text_at("/orderId"), &["completed"]).await?;
    assert_eq!(stage.shop.stock("prod-cuenco").await?, (3, 0, 2));
    Ok(())
}
