//! Several things by their ids, in one request: whoever needs ten asks once.

use super::{Problem, Request};
use crate::ids::is_id;
use serde::{Deserialize, Serialize};

/// Most ids of a request: keeps an answer small whatever is asked.
pub const MAX_IDS: usize = 100;

/// The answer: those that are there, in the order asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Items<T> {
    /// The items.
    pub items: Vec<T>,
}

/// Reads a parameter of ids, separated by commas; one that is named twice counts once.
///
/// # Errors
/// 422 where there are none, too many, or one is no id.
pub fn ids_of(request: &Request, name: &str) -> Result<Vec<String>, Problem> {
    let text = request.query(name).unwrap_or_default();
    let mut ids: Vec<&str> = Vec::new();
    for id in text.split(',').filter(|id| !id.is_empty()) {
        if !is_id(id) {
            let expected = "expected 1 to 128 of A-Z a-z 0-9 - _ . each, separated by commas";
            return Err(Problem::invalid_field(name, format!("{expected}, got `{id}`")));
        }
        if !ids.contains(&id) {
            ids.push(id);
        }
        if ids.len() > MAX_IDS {
            break;
        }
    }
    if !(1..=MAX_IDS).contains(&ids.len()) {
        return Err(Problem::invalid_field(name, format!("expected 1 to {MAX_IDS} ids, separated by commas")));
    }
    Ok(ids.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(query: &str) -> Result<Vec<String>, Problem> {
        ids_of(&Request::get(format!("/api/v1/products?{query}")), "ids")
    }

    #[test]
    fn ids_come_in_the_order_asked_and_once() {
        assert_eq!(ids("ids=b,a,b,").unwrap(), ["b", "a"]);
        assert_eq!(ids("page=1&ids=a%2Cb").unwrap(), ["a", "b"]);
    }

    #[test]
    fn none_too_many_and_what_is_no_id_are_refused() {
        let many = |count: usize| (0..count).map(|number| number.to_string()).collect::<Vec<_>>().join(",");
        assert_eq!(ids(&format!("ids={}", many(MAX_IDS))).unwrap().len(), MAX_IDS);
        for query in ["", "ids=", "ids=,", "ids=a%20b", &format!("ids={}", many(MAX_IDS + 1))] {
            let problem = ids(query).unwrap_err();
            assert_eq!((problem.status, problem.errors[0].field.as_str()), (422, "ids"), "{query}");
        }
    }
}
