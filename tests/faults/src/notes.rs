//! What customers wrote down: what they asked for, what they were told.

use anyhow::{Result, ensure};
use end_to_end::{Order, Reply};
use std::collections::BTreeMap;

/// What a customer was told about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 201: it is taken, under this id.
    Taken(String),
    /// 409: there is not enough.
    Refused,
}

/// One order as its customer knows it.
#[derive(Debug, Clone)]
pub struct Note {
    /// The `Idempotency-Key` it was asked for with; its correlation id.
    pub key: String,
    /// What was ordered.
    pub order: Order,
    /// The answer, once there was one.
    pub answer: Option<Answer>,
    /// The total of the 201, in cents.
    pub total: u64,
    /// A cancellation was answered with 200.
    pub cancelled: bool,
    /// A delivery was answered with 200.
    pub delivered: bool,
}

/// All notes, by `Idempotency-Key`.
#[derive(Debug, Clone, Default)]
pub struct Notes {
    /// The notes.
    pub by_key: BTreeMap<String, Note>,
    /// By how much stocks were adjusted, where that was answered with 200.
    pub adjusted: BTreeMap<String, i64>,
}

impl Notes {
    /// Writes down what is about to be asked for.
    pub fn ask(&mut self, key: &str, order: &Order) {
        let (key, order) = (key.to_owned(), order.clone());
        let note = Note { key: key.clone(), order, answer: None, total: 0, cancelled: false, delivered: false };
        self.by_key.insert(key, note);
    }

    /// Writes down an answer, which must be that of every other time.
    ///
    /// # Errors
    /// Where it differs from an earlier one.
    pub fn hear(&mut self, key: &str, reply: &Reply) -> Result<Answer> {
        let answer = match reply.status {
            201 => Answer::Taken(reply.text_at("/orderId").to_owned()),
            _ => Answer::Refused,
        };
        let total = reply.number_at("/totalAmount").unwrap_or_default();
        if let Some(note) = self.by_key.get_mut(key) {
            let taken = matches!(note.answer, Some(Answer::Taken(_)));
            ensure!(!taken || note.answer.as_ref() == Some(&answer), "{key} was {:?}, and is {answer:?}", note.answer);
            ensure!(!taken || note.total == total, "{key} cost {}, and costs {total}", note.total);
            (note.answer, note.total) = (Some(answer.clone()), total);
        }
        Ok(answer)
    }

    /// The orders that were taken.
    pub fn taken(&self) -> impl Iterator<Item = (&str, &Note)> {
        self.by_key.values().filter_map(|note| match &note.answer {
            Some(Answer::Taken(order_id)) => Some((order_id.as_str(), note)),
            _ => None,
        })
    }
}
