//! Of every aggregate: its version counts its writes, and its inbox keeps what it promises.

use kit::json::Value;

/// Most entries that HTTP applied before their delivery.
const MOST_LOCAL: usize = 16;

/// Checks one write; tells the id of the event that caused it, where the inbox says so.
pub fn check(key: &str, was: &Value, is: &Value) -> Result<Option<String>, String> {
    let version = |value: &Value| value["version"].as_u64().unwrap_or(0);
    if version(is) != version(was) + 1 {
        return Err(format!("{key}: version {} went over version {}: a write was lost", version(is), version(was)));
    }
    let cause = cause(key, &was["inbox"], &is["inbox"])?;
    // A payment writes down what it is about to try, before it has handled anything.
    if cause.is_none() && !key.starts_with("payment/") {
        return Err(format!("{key}: version {} was written and no event is noted as its cause", version(is)));
    }
    Ok(cause)
}

fn cause(key: &str, was: &Value, is: &Value) -> Result<Option<String>, String> {
    let text = |entry: &Value| entry["event"].as_str().unwrap_or_default().to_owned();
    let mut cause = None;
    if let Some(before) = was["delivered"].as_object() {
        for (source, entry) in before {
            let now = &is["delivered"][source];
            if now.is_null() {
                return Err(format!("{key}: the inbox forgot what {source} delivered last"));
            }
            if now["sequence"].as_u64() < entry["sequence"].as_u64() {
                return Err(format!(
                    "{key}: {source}: an event went over a later one: {} over {}",
                    text(now),
                    text(entry)
                ));
            }
        }
    }
    for (source, entry) in is["delivered"].as_object().into_iter().flatten() {
        let before = &was["delivered"][source];
        if before["sequence"] != entry["sequence"] || before["event"] != entry["event"] {
            cause = Some(text(entry));
        }
    }
    let locals = |inbox: &Value| inbox["local"].as_array().cloned().unwrap_or_default();
    let (before, now) = (locals(was), locals(is));
    if now.len() > MOST_LOCAL {
        return Err(format!("{key}: {} events wait for their delivery", now.len()));
    }
    if let Some(last) = now.last().filter(|last| !before.contains(last)) {
        cause = Some(text(last));
    }
    Ok(cause)
}
