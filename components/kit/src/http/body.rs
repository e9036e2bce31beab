//! Request bodies: JSON in, a checked value out, or a problem that names every field that is wrong.

use super::{FieldError, Problem, Request};
use serde::de::DeserializeOwned;

/// Reads a JSON body. Unknown fields are a 422 that names them all.
///
/// # Errors
/// 422 with the path and reason of what is wrong.
pub fn read_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(&request.body);
    let mut track = serde_path_to_error::Track::new();
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| {
        unknown.push(FieldError { field: plain(&path.to_string()), reason: "there is no such field".to_owned() });
    };
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let value = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note)).map_err(|error| {
        let path = track.path().to_string();
        Problem::invalid_field(if path == "." { "(body)" } else { &path }, error.to_string())
    })?;
    reader.end().map_err(|error| Problem::invalid_field("(body)", error.to_string()))?;
    if unknown.is_empty() { Ok(value) } else { Err(Problem::invalid(unknown)) }
}

/// serde_ignored writes `items.0.colour` and `?` for options; ours is `items[0].colour`.
fn plain(path: &str) -> String {
    let mut plain = String::new();
    for part in path.split('.').filter(|part| *part != "?") {
        if part.bytes().all(|b| b.is_ascii_digit()) {
            plain.push_str(&format!("[{part}]"));
        } else {
            if !plain.is_empty() {
                plain.push('.');
            }
            plain.push_str(part);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    struct Line {
        #[expect(dead_code, reason = "read by the test through its type")]
        quantity: u32,
    }

    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "read by the test through its type")]
        items: Vec<Line>,
    }

    #[track_caller]
    fn check(body: &str, field: &str) {
        let problem = read_body::<Order>(&Request::post("/", body)).unwrap_err();
        assert_eq!(problem.status, 422);
        assert_eq!(problem.errors.first().map(|e| e.field.as_str()), Some(field), "{problem:?}");
    }

    #[test]
    fn what_is_wrong_is_named() {
        check(r#"{"items":[{"quantity":1,"colour":"red"}]}"#, "items[0].colour");
        check(r#"{"items":[{"quantity":1},{"quantity":-1}]}"#, "items[1].quantity");
        check(r#"{"items":[]} x"#, "(body)");
        check("", "(body)");
    }
}
