//! Checks of the two strings that are more than strings: `timestamp` and `json`.

use super::MAX_DEPTH;
use serde::de::IgnoredAny;

/// Whether `text` is an RFC 3339 instant: `2026-01-15T10:30:00.000Z`, or with an offset. Checks the calendar too.
#[must_use]
pub fn is_rfc3339(text: &str) -> bool {
    has_rfc3339_shape(text.as_bytes()) && text.parse::<jiff::Timestamp>().is_ok()
}

/// jiff reads more than RFC 3339 (blanks for `T`, zone names, no seconds); this is the shape alone.
fn has_rfc3339_shape(text: &[u8]) -> bool {
    let Some((date_time, rest)) = text.split_at_checked(19) else { return false };
    let shaped = date_time.iter().zip(b"dddd-dd-ddTdd:dd:dd").all(|(byte, shape)| match shape {
        b'd' => byte.is_ascii_digit(),
        exact => byte == exact,
    });
    shaped && is_offset(after_fraction(rest))
}

fn after_fraction(rest: &[u8]) -> &[u8] {
    let Some(fraction) = rest.strip_prefix(b".") else { return rest };
    let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if (1..=9).contains(&digits) { fraction.get(digits..).unwrap_or_default() } else { b"" }
}

fn is_offset(offset: &[u8]) -> bool {
    match offset {
        b"Z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].into_iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

/// Whether `text` is one JSON value, nested no deeper than [`MAX_DEPTH`]; else why not.
pub(super) fn check_json(text: &str) -> Result<(), String> {
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| format!("not JSON: {error}"))?;
    check_depth(text)
}

/// Whether `text`, known to be JSON, is nested no deeper than [`MAX_DEPTH`].
pub(super) fn check_depth(text: &str) -> Result<(), String> {
    if text.len() > MAX_DEPTH && depth(text.as_bytes()) > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH} levels"));
    }
    Ok(())
}

fn depth(json: &[u8]) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}
