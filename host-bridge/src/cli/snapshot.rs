//! `a4co backup`.

use super::client::{Client, text};
use http::Method;
use std::io::Write;
use std::path::Path;

pub(super) async fn backup(client: &Client, file: &Path, json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let body = serde_json::json!({ "path": file }).to_string();
    let answer = client.send(Method::POST, &["backup"], "", body.into()).await?;
    if json {
        writeln!(out, "{answer}")?;
    } else {
        writeln!(out, "wrote {} ({} bytes)", file.display(), text(&answer, "/bytes"))?;
    }
    Ok(())
}
