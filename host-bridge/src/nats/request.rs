//! One request to the server: answered, refused, or told at once why it has no answer.

use super::Nats;
use super::connection::REQUEST;
use super::link::Past;
use async_nats::client::{Request, RequestErrorKind};
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::response::Response;
use async_nats::{HeaderMap, Message, Subject};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoAnswer {
    /// Nothing was sent: the server is out of reach, or nobody is there who would answer. Nothing happened.
    #[error("{0}")]
    Away(String),
    /// It was sent and no answer came: it may have happened.
    #[error("{0}")]
    Lost(String),
    /// The server forbids it to this user. Nothing happened.
    #[error("{0}")]
    Forbidden(String),
    /// Larger than the server takes. Nothing happened.
    #[error("{0}")]
    TooLarge(String),
}

/// Why JetStream did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApiError {
    /// It did not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// It said no; nothing happened.
    #[error("{description} (error {code})")]
    Refused {
        /// Of JetStream's error codes.
        code: u64,
        /// In the server's words.
        description: String,
    },
    /// It answered something that is not JetStream's.
    #[error("JetStream's answer cannot be read: {0}")]
    Foreign(String),
}

impl ApiError {
    /// Whether JetStream refused with this code.
    pub(crate) fn is(&self, wanted: ErrorCode) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == wanted.0)
    }
}

impl Nats {
    /// Sends a request and waits for its answer: not at all where the server is known to be away, no longer than the
    /// connection lasts, and not much longer than for the last ones.
    pub(crate) async fn ask(
        &self,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Message, NoAnswer> {
        let wait = self.patience().lock().wait(REQUEST);
        let began = Instant::now();
        let answered = self.ask_for(wait, subject, headers, payload).await;
        match &answered {
            Ok(_) => self.learn(began.elapsed()),
            // Nothing came in time; what cut the wait short says nothing of how long answers take.
            Err(NoAnswer::Lost(_)) if began.elapsed() >= wait => self.learn(wait * 2),
            Err(_) => {}
        }
        answered
    }

    async fn ask_for(
        &self,
        wait: Duration,
        subject: String,
        headers: Option<HeaderMap>,
        payload: Bytes,
    ) -> Result<Message, NoAnswer> {
        let subject = Subject::from(subject);
        // Followed before it is asked whether the connection is up, so that no loss falls between.
        let mut past = self.link().follow();
        let losses = past.borrow_and_update().losses;
        if let Some(reason) = self.why_down() {
            return Err(NoAnswer::Away(reason));
        }
        let request = Request { headers, ..Request::new().payload(payload).timeout(Some(wait)) };
        let answered = tokio::select! {
            biased;
            answered = self.client().send_request(subject.clone(), request) => answered,
            no_answer = cut_off(&mut past, losses, &subject) => return Err(no_answer),
        };
        answered.map_err(|error| match error.kind() {
            RequestErrorKind::TimedOut => {
                self.link().doubt();
                NoAnswer::Lost("the NATS server did not answer in time".to_owned())
            }
            RequestErrorKind::NoResponders => NoAnswer::Away(format!("nobody answers on `{subject}`")),
            RequestErrorKind::MaxPayloadExceeded => {
                let most = self.client().max_payload();
                NoAnswer::TooLarge(format!(
                    "the NATS server takes messages of at most {most} bytes (its `max_payload`)"
                ))
            }
            RequestErrorKind::InvalidSubject | RequestErrorKind::Other => NoAnswer::Lost(error.to_string()),
        })
    }

    /// Waits for what the server is to answer, and no longer than the connection lasts: `None` where that is lost, or was
    /// not there. What was asked for may have happened.
    pub(crate) async fn while_up<T>(&self, asking: impl Future<Output = T>) -> Option<T> {
        // Followed before it is asked whether the connection is up, so that no loss falls between.
        let mut past = self.link().follow();
        let losses = past.borrow_and_update().losses;
        if !self.is_up() {
            return None;
        }
        tokio::select! {
            biased;
            answered = asking => Some(answered),
            // The sender lives as long as the connection.
            _ = past.wait_for(|past| past.losses != losses) => None,
        }
    }

    /// Waits for one answer of the server: `None` where the connection is lost or was not there, and where it takes much
    /// longer than the last ones. What was asked for may have happened.
    pub(crate) async fn answer<T>(&self, asking: impl Future<Output = T>) -> Option<T> {
        let wait = self.patience().lock().wait(REQUEST);
        let began = Instant::now();
        match self.while_up(tokio::time::timeout(wait, asking)).await? {
            Ok(answered) => {
                self.learn(began.elapsed());
                Some(answered)
            }
            Err(_) => {
                self.learn(wait * 2);
                self.link().doubt();
                None
            }
        }
    }

    fn learn(&self, took: Duration) {
        self.patience().lock().learn(took);
    }

    /// Asks JetStream's API: `name` such as `STREAM.INFO.ORDERS`.
    pub(crate) async fn api<T: DeserializeOwned>(&self, name: &str, body: &impl Serialize) -> Result<T, ApiError> {
        let body = serde_json::to_vec(body).map_err(|error| ApiError::Foreign(error.to_string()))?;
        let answer = self.ask_for(REQUEST, format!("$JS.API.{name}"), None, body.into()).await?;
        parse(&answer.payload)
    }
}

/// Reads an answer of JetStream's.
pub(crate) fn parse<T: DeserializeOwned>(payload: &[u8]) -> Result<T, ApiError> {
    match serde_json::from_slice(payload) {
        Ok(Response::Ok(answer)) => Ok(answer),
        Ok(Response::Err { error }) => {
            Err(ApiError::Refused { code: error.error_code().0, description: plain(&error.to_string()) })
        }
        Err(error) => Err(ApiError::Foreign(error.to_string())),
    }
}

/// The server's words without the client's appendix of codes.
fn plain(text: &str) -> String {
    text.split(" (code ").next().unwrap_or(text).to_owned()
}

/// Returns once no answer to a request on `subject` will come.
async fn cut_off(past: &mut watch::Receiver<Past>, losses: u64, subject: &str) -> NoAnswer {
    loop {
        if past.changed().await.is_err() {
            return NoAnswer::Lost("the connection is closed".to_owned());
        }
        let now = past.borrow_and_update();
        if now.losses != losses {
            return NoAnswer::Lost("the connection to NATS was lost before the answer came".to_owned());
        }
        if now.forbidden.as_ref().is_some_and(|text| names(text, subject)) {
            return NoAnswer::Forbidden(format!(
                "the NATS server does not let this user publish to `{subject}`: grant it in the server's configuration"
            ));
        }
    }
}

/// Whether a refusal such as `Permissions Violation for Publish to "a.b"` is about this subject.
fn names(text: &str, subject: &str) -> bool {
    text.split('"').nth(1) == Some(subject)
}
