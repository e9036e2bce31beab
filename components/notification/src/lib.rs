//! Notifications: a readable message, in Spanish, for each event the marketplace tells people about.
//!
//! A projection: it emits nothing. A notification is a note in a thread, known by its event's id and by its fact, so each
//! exists exactly once, though a fact is told again wherever its command comes again. What an order brings about lies in the order's thread, since most of those events do not say whose the order
//! is and may come before `order.created`; the rest lies in the recipient's own thread.

pub mod api;
pub mod content;
pub mod text;
pub mod threads;

use content::{Content, Recipient};
use kit::time::Millis;
use kit::{Event, Failure, Metadata, Output, Ports, Worker, worker};
use threads::Note;

/// The component.
#[derive(Debug)]
pub struct Notification;

impl Worker for Notification {
    const COMPONENT: &'static str = "notification";

    async fn handle<P: Ports>(ports: &P, meta: Metadata, event: Event) -> Result<Vec<Output>, Failure> {
        let Some((recipient, content)) = Content::of(&meta, &event) else {
            return worker::unexpected(Self::COMPONENT, &event);
        };
        let at = Millis::parse(&meta.occurred_at).unwrap_or_default();
        let note = Note { fact: content::fact(&meta, &event), event: meta.event_id, at, content };
        match (recipient, &event) {
            (Recipient::Order(order_id), Event::OrderCreated(order)) => {
                threads::open(ports, &order_id, order, note).await?;
            }
            (Recipient::Order(order_id), _) => threads::add_to_order(ports, &order_id, note).await?,
            (Recipient::Person(id), _) => threads::add_to_person(ports, &id, note).await?,
        }
        Ok(Vec::new())
    }

    async fn serve<P: Ports>(ports: &P, request: kit::http::Request) -> kit::http::Response {
        api::serve(ports, &request).await
    }
}

#[cfg(target_family = "wasm")]
guest::export!(Notification);

#[cfg(test)]
mod tests;
