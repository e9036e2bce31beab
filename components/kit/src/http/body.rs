//! Request bodies: JSON in, a checked value out, or a problem that names every field that is wrong.

use super::{FieldError, Problem, Request};
use crate::json;
use serde::de::DeserializeOwned;

/// What is named where it is no field that is wrong.
const BODY: &str = "(body)";
/// The reason where a field is not there.
const MISSING: &str = "is missing";

/// Reads a JSON body. Unknown fields are a 422 that names them all, a missing or wrong one is one that names it.
///
/// # Errors
/// 422 with the path and reason of what is wrong.
pub fn read_body<T: DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    let text = json::text(&request.body).map_err(|error| Problem::invalid_field(BODY, error.to_string()))?;
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let mut unknown = Vec::new();
    let mut note = |path: serde_ignored::Path<'_>| {
        unknown.push(FieldError { field: plain(&path.to_string()), reason: "there is no such field".to_owned() });
    };
    let tracked = serde_path_to_error::Deserializer::new(&mut reader, &mut track);
    let read = T::deserialize(serde_ignored::Deserializer::new(tracked, &mut note));
    match read {
        Ok(value) => {
            reader.end().map_err(|error| Problem::invalid_field(BODY, error.to_string()))?;
            if unknown.is_empty() { Ok(value) } else { Err(Problem::invalid(unknown)) }
        }
        Err(error) => {
            unknown.push(fault(&track.path().to_string(), &error));
            Err(Problem::invalid(unknown))
        }
    }
}

/// The error of a field that was found at `path`, `.` for the body itself. Where the field is missing, `path` is what it
/// is missing from, and serde names it in its message alone.
fn fault(path: &str, error: &serde_json::Error) -> FieldError {
    let (text, place) = (error.to_string(), format!(" at line {} column {}", error.line(), error.column()));
    let path = if path == "." { "" } else { path };
    // Where the text is no JSON, the place is what helps; where a field is wrong, its path does.
    let reason = if error.is_data() { text.strip_suffix(&place).unwrap_or(&text) } else { &text };
    match reason.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(name) if path.is_empty() => FieldError { field: name.to_owned(), reason: MISSING.to_owned() },
        Some(name) => FieldError { field: format!("{path}.{name}"), reason: MISSING.to_owned() },
        None => FieldError { field: if path.is_empty() { BODY } else { path }.to_owned(), reason: reason.to_owned() },
    }
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
    struct Place {
        #[expect(dead_code, reason = "read by the test through its type")]
        lat: f64,
        #[expect(dead_code, reason = "read by the test through its type")]
        lng: f64,
    }

    #[derive(Debug, Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "read by the test through its type")]
        items: Vec<Line>,
        #[expect(dead_code, reason = "read by the test through its type")]
        place: Option<Place>,
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
        check("[]", "(body)");
        check("7", "(body)");
        check("", "(body)");
    }

    #[test]
    fn a_missing_field_is_named_where_it_is_missing() {
        for (body, field) in [
            (r#"{"items":[{"quantity":1},{}]}"#, "items[1].quantity"),
            ("{}", "items"),
            (r#"{"items":[],"place":{"lat":1}}"#, "place.lng"),
        ] {
            let problem = read_body::<Order>(&Request::post("/", body)).unwrap_err();
            let expected = FieldError { field: field.to_owned(), reason: "is missing".to_owned() };
            assert_eq!(problem.errors, [expected], "{body}");
        }
    }

    #[test]
    fn reasons_are_about_the_field_and_not_about_the_text() {
        let problem = read_body::<Order>(&Request::post("/", r#"{"items":[{"quantity":"two"}]}"#)).unwrap_err();
        assert_eq!(problem.detail, "items[0].quantity: invalid type: string \"two\", expected u32");
        let problem = read_body::<Order>(&Request::post("/", "{nonsense}")).unwrap_err();
        assert!(problem.detail.contains("at line 1 column 2"), "{}", problem.detail);
    }

    #[test]
    fn unknown_fields_are_named_beside_what_is_missing() {
        let body = r#"{"colour":"red","items":[{"size":1}],"shape":"round"}"#;
        let problem = read_body::<Order>(&Request::post("/", body)).unwrap_err();
        let named: Vec<_> = problem.errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(named, ["colour", "items[0].size", "items[0].quantity"]);
    }
}
