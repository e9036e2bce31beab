//! Paging: every list comes in pages.

use super::{Problem, Request};
use serde::Serialize;

/// Items of a page where the client does not say.
const DEFAULT_SIZE: usize = 20;
/// Most items of a page: keeps an answer small whatever is asked.
const MAX_SIZE: usize = 100;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Which page this is, from 1.
    pub page: usize,
    /// How many items a page has at most.
    pub page_size: usize,
    /// How many items there are in all.
    pub total: usize,
}

/// Reads `page` (from 1) and `pageSize` of a request.
///
/// # Errors
/// 422 where they are out of range.
pub fn page_of(request: &Request) -> Result<(usize, usize), Problem> {
    let read = |name: &str, default: usize, max: usize| match request.query(name) {
        None => Ok(default),
        Some(text) => match text.parse::<usize>() {
            Ok(value) if (1..=max).contains(&value) => Ok(value),
            _ => Err(Problem::invalid_field(name, format!("expected a whole number from 1 to {max}, got `{text}`"))),
        },
    };
    Ok((read("page", 1, 1_000_000)?, read("pageSize", DEFAULT_SIZE, MAX_SIZE)?))
}
