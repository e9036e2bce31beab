//! `/events`: everything published from now on, as server-sent events, once it is on disk.

use super::Admin;
use super::answer::Refusal;
use super::view::EventView;
use crate::event::Event;
use crate::subject::SubjectPattern;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event as Notice, KeepAlive, Sse};
use futures::Stream;
use futures::stream;
use http::StatusCode;
use serde::Deserialize;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// What to show.
#[derive(Deserialize)]
pub(super) struct Filter {
    subject: Option<String>,
}

struct Tail {
    events: Receiver<Arc<Event>>,
    shown: Option<SubjectPattern>,
    shutdown: CancellationToken,
}

pub(super) async fn tail(
    State(admin): State<Admin>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Result<Sse<impl Stream<Item = Result<Notice, Infallible>>>, Refusal> {
    let Query(filter) = filter?;
    let shown = filter.subject.as_deref().map(SubjectPattern::new).transpose();
    let shown = shown.map_err(|error| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))?;
    let tail = Tail { events: admin.bus.tail(), shown, shutdown: admin.shutdown };
    let notices = stream::unfold(tail, async |mut tail| tail.next().await.map(|notice| (Ok(notice), tail)));
    Ok(Sse::new(notices).keep_alive(KeepAlive::default()))
}

impl Tail {
    /// The next notice; `None` at the end of the host.
    async fn next(&mut self) -> Option<Notice> {
        loop {
            let received = tokio::select! {
                received = self.events.recv() => received,
                () = self.shutdown.cancelled() => return None,
            };
            match received {
                Ok(event) if self.shows(&event) => return Some(published(&event)),
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    return Some(Notice::default().event("lagged").data(format!(r#"{{"missed":{missed}}}"#)));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    fn shows(&self, event: &Event) -> bool {
        self.shown.as_ref().is_none_or(|shown| shown.matches(event.subject.as_str()))
    }
}

fn published(event: &Event) -> Notice {
    // Serialised anew, so that the text has no line breaks of its publisher.
    let text = serde_json::to_string(&EventView::from(event)).unwrap_or_default();
    Notice::default().event("published").data(text)
}
