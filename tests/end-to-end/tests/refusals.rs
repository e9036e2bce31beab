//! What `a4co up` refuses to run on: it says what is wrong and what to do, ends with a failure, and touches nothing.

use anyhow::{Context as _, Result, ensure};
use end_to_end::{Host, Order, Settings, Shop};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `a4co up` on this state says when it refuses to start.
fn refused(state: &Path, listeners: [&str; 2]) -> Result<String> {
    let [listen, admin] = listeners;
    let ended = Command::new(artifacts::binary("a4co"))
        .args(["up", "--listen", listen, "--admin-listen", admin, "--manifest"])
        .arg(artifacts::marketplace())
        .arg("--state-dir")
        .arg(state)
        .output()?;
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    ensure!(ended.status.code() == Some(1), "it ended with {}: {said}", ended.status);
    ensure!(said.lines().last().is_some_and(|line| line.starts_with("error: ")), "{said}");
    Ok(said)
}

const FREE: [&str; 2] = ["127.0.0.1:0", "127.0.0.1:0"];

/// A stopped host with an order in its state.
async fn stopped() -> Result<(Host, PathBuf)> {
    let mut host = Host::start(Settings::default()).await?;
    let shop = Shop::new(host.client());
    shop.list("prod-cuenco", 3, 3400).await?;
    let order_id = shop.ordered(&Order::of("prod-cuenco")).await?;
    shop.saga_until(&order_id, &["completed"]).await?;
    host.stop().await?;
    let database = host.state_dir().join("state/a4co.db");
    Ok((host, database))
}

/// Starts on a state directory whose database is `bytes`: what is said must have these parts, and the file must be as it
/// was.
fn check_untouched(bytes: &[u8], parts: &[&str]) -> Result<()> {
    let state = tempfile::tempdir()?;
    let database = state.path().join("a4co.db");
    std::fs::write(&database, bytes)?;
    let said = refused(state.path(), FREE)?;
    for part in parts {
        ensure!(said.contains(part), "`{part}` is not said: {said}");
    }
    ensure!(std::fs::read(&database)? == bytes, "the file was changed");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_no_database_is_named_with_the_remedy() -> Result<()> {
    let text = "this is no database, but long enough to look like one".repeat(200);
    check_untouched(text.as_bytes(), &["a4co.db is damaged", "a4co restore"])
}

/// Whoever wrote it wrote its checksum too: of its place, the first, and of all before the sum.
fn seal(page: &mut [u8; 4096]) {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&0_u64.to_le_bytes());
    sum.update(&page[..4092]);
    page[4092..].copy_from_slice(&sum.finalize().to_le_bytes());
}

#[tokio::test]
async fn the_database_of_another_program_or_version_is_left_alone() -> Result<()> {
    let (_host, database) = stopped().await?;
    let whole = std::fs::read(&database)?;
    // SQLite keeps both numbers big-endian in the file's head.
    for (place, number, found) in [(60, 99_u32, "has format 99"), (68, 7, "of another program")] {
        let mut foreign = whole.clone();
        foreign.get_mut(place..place + 4).context("a head")?.copy_from_slice(&number.to_be_bytes());
        let first = foreign.first_chunk_mut::<4096>().context("a page")?;
        seal(first);
        check_untouched(&foreign, &[found, "run the version that wrote it"])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_database_cut_short_after_a_clean_end_is_named_with_the_remedy() -> Result<()> {
    let (mut host, database) = stopped().await?;
    let whole = std::fs::read(&database)?;
    let half = whole.len() / 2 / 4096 * 4096;
    std::fs::write(&database, whole.get(..half).context("half of it")?)?;
    let state = database.parent().context("a folder")?;
    let said = refused(state, FREE)?;
    ensure!(said.contains("a4co.db is damaged") && said.contains("a4co restore"), "{said}");

    std::fs::write(&database, &whole)?;
    host.restart().await?;
    let shop = Shop::new(host.client());
    assert_eq!(shop.stock("prod-cuenco").await?, (2, 0, 1), "the file is put back, and nothing is lost");
    Ok(())
}

#[tokio::test]
async fn a_port_in_use_is_named_with_its_flag() -> Result<()> {
    let host = Host::start(Settings::default()).await?;
    let admin = host.admin_url().trim_start_matches("http://").to_owned();
    let public = host.client_address();
    let state = tempfile::tempdir()?;
    for (listeners, flag, taken) in
        [([public.as_str(), FREE[1]], "--listen", &public), ([FREE[0], admin.as_str()], "--admin-listen", &admin)]
    {
        let said = refused(state.path(), listeners)?;
        ensure!(said.contains(&format!("cannot listen on {taken}")) && said.contains(flag), "{said}");
        ensure!(std::fs::read_dir(state.path())?.next().is_none(), "it began to make a state");
    }
    Ok(())
}
