//! The route of notifications.

use crate::text;
use crate::threads::{self, Note, Thread};
use kit::http::{Page, Problem, Request, Response, page_of};
use kit::ids::{derived, is_id};
use kit::ports::Ports;
use serde::Serialize;

/// Answers a request below `/api/v1/notifications`.
pub async fn serve<P: Ports>(ports: &P, request: &Request) -> Response {
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let answer = match (request.method.as_str(), segments.as_slice()) {
        ("GET", ["api", "v1", "notifications"]) => list(ports, request).await,
        (method, ["api", "v1", "notifications"]) => Err(Problem::method_not_allowed(method, "GET")),
        _ => Err(Problem::not_found(&format!("nothing is served at {}", request.path()))),
    };
    answer.unwrap_or_else(Response::from)
}

/// A notification as HTTP shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotificationView<'a> {
    notification_id: String,
    user_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    /// Subject of the event behind it.
    event: &'static str,
    subject: String,
    body: String,
    created_at: String,
}

fn view<'a>(user_id: &'a str, order_id: Option<&'a str>, thread: &Thread, note: &Note) -> NotificationView<'a> {
    let words = match order_id {
        Some(order_id) => text::of_order(&note.content, order_id, thread.order.as_ref()),
        None => text::of_person(&note.content),
    };
    NotificationView {
        notification_id: derived("notification", &[&note.event]),
        user_id,
        order_id,
        event: note.content.subject(),
        subject: words.subject,
        body: words.body,
        created_at: note.at.rfc3339(),
    }
}

/// `?userId=` (a customer, a user or an artisan), newest first; `&orderId=` leaves one order's.
async fn list<P: Ports>(ports: &P, request: &Request) -> Result<Response, Problem> {
    let (page, page_size) = page_of(request)?;
    let user_id = id_of(request, "userId")?.ok_or_else(|| Problem::invalid_field("userId", "say whose they are"))?;
    let threads = match id_of(request, "orderId")? {
        Some(order_id) => threads::of_order(ports, &user_id, &order_id).await?,
        None => threads::of_person(ports, &user_id).await?,
    };
    let mut notes: Vec<_> = threads
        .iter()
        .flat_map(|(order_id, thread)| thread.notes.iter().map(move |note| (order_id.as_deref(), thread, note)))
        .collect();
    notes.sort_unstable_by(|(_, _, a), (_, _, b)| (b.at, &b.event).cmp(&(a.at, &a.event)));
    let wanted = notes.iter().skip((page - 1).saturating_mul(page_size)).take(page_size);
    let items: Vec<_> = wanted.map(|(order_id, thread, note)| view(&user_id, *order_id, thread, note)).collect();
    Ok(Response::json(200, &Page { items, page, page_size, total: notes.len() }))
}

fn id_of(request: &Request, name: &str) -> Result<Option<String>, Problem> {
    match request.query(name) {
        Some(id) if !is_id(&id) => Err(Problem::invalid_field(name, "expected 1 to 128 of A-Z a-z 0-9 - _ .")),
        id => Ok(id),
    }
}
