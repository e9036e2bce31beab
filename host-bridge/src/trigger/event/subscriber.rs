//! A component as a subscriber: its consumers, one a stream, and where the keys of its events lie.

use crate::bus::{ConsumerConfig, StreamConfig};
use crate::delivery::{Key, KeyPath, KeyPathError, Policy};
use crate::event::Event;
use crate::manifest::{Component, Subscription};
use crate::subject::SubjectPattern;
use std::sync::Arc;
use std::time::Duration;

/// One component that is driven by events.
#[derive(Debug, Clone)]
pub struct Subscriber {
    /// The component.
    pub component: String,
    /// SHA-256 of its binary, for its dead letters.
    pub digest: Option<String>,
    /// Events handled at once, over all its consumers.
    pub concurrency: usize,
    /// Failures until an event is dead.
    pub max_attempts: u32,
    /// Longest one handling may take; the engine ends it, the trigger only makes sure of it.
    pub handler_timeout: Duration,
    /// Its consumers and, for each, where the keys lie.
    pub consumers: Vec<(ConsumerConfig, KeyRules)>,
}

/// Where the key of an event lies, by its subject.
#[derive(Debug, Clone)]
pub struct KeyRules(Arc<[(SubjectPattern, KeyPath)]>);

/// Why a component cannot subscribe as it says.
#[derive(Debug, thiserror::Error)]
pub enum SubscriberError {
    /// A key that is none.
    #[error("component {component}, subscription {subject}: {error}")]
    Key {
        /// The component.
        component: String,
        /// The subscription.
        subject: SubjectPattern,
        /// What is wrong with it.
        error: KeyPathError,
    },
    /// A subject that no stream takes.
    #[error(
        "component {component} subscribes to {subject}, which no stream takes: add it to a stream under \
         [application.tool.events.streams]"
    )]
    NoStream {
        /// The component.
        component: String,
        /// The subscription.
        subject: SubjectPattern,
    },
}

impl Subscriber {
    /// The subscriber that `component` is; `None` where it is not driven by events.
    ///
    /// # Errors
    /// Where a subscription names no key or no stream.
    pub fn new(
        component: &Component,
        digest: Option<String>,
        streams: &[StreamConfig],
    ) -> Result<Option<Self>, SubscriberError> {
        let Some(events) = component.events.as_ref().filter(|events| !events.subscribe.is_empty()) else {
            return Ok(None);
        };
        let mut consumers = Vec::new();
        for stream in streams {
            consumers.extend(consumer(&component.id, stream, &events.subscribe)?);
        }
        for subscription in &events.subscribe {
            let taken = streams.iter().any(|stream| takes(stream, subscription));
            if !taken {
                let (component, subject) = (component.id.clone(), subscription.subject.clone());
                return Err(SubscriberError::NoStream { component, subject });
            }
        }
        Ok(Some(Self {
            component: component.id.clone(),
            digest,
            concurrency: events.concurrency,
            max_attempts: events.max_attempts,
            handler_timeout: events.handler_timeout,
            consumers,
        }))
    }

    pub(super) fn policy(&self, backlog_end: u64) -> Policy {
        Policy {
            concurrency: self.concurrency.max(1),
            max_attempts: self.max_attempts.max(1),
            backlog_end,
            component_digest: self.digest.clone(),
        }
    }
}

fn takes(stream: &StreamConfig, subscription: &Subscription) -> bool {
    stream.subjects.iter().any(|subject| subject.overlaps(&subscription.subject))
}

fn consumer(
    component: &str,
    stream: &StreamConfig,
    subscribe: &[Subscription],
) -> Result<Option<(ConsumerConfig, KeyRules)>, SubscriberError> {
    let (mut filters, mut keys) = (Vec::new(), Vec::new());
    for subscription in subscribe.iter().filter(|subscription| takes(stream, subscription)) {
        let key = KeyPath::new(&subscription.key).map_err(|error| SubscriberError::Key {
            component: component.to_owned(),
            subject: subscription.subject.clone(),
            error,
        })?;
        filters.push((subscription.subject.clone(), subscription.start));
        keys.push((subscription.subject.clone(), key));
    }
    let config = ConsumerConfig { component: component.to_owned(), stream: stream.name.clone(), filters };
    Ok((!keys.is_empty()).then(|| (config, KeyRules::new(keys))))
}

impl KeyRules {
    /// Rules, of which the first whose pattern matches holds.
    #[must_use]
    pub fn new(mut rules: Vec<(SubjectPattern, KeyPath)>) -> Self {
        // A consumer gets only what it subscribes to, so one key for all needs no look at the subject.
        if rules.iter().all(|(_, key)| rules.first().is_some_and(|(_, first)| key == first)) {
            rules.truncate(1);
        }
        Self(rules.into())
    }

    /// The key of `event`; `None` where it has none.
    #[must_use]
    pub fn of<'a>(&self, event: &'a Event) -> Option<Key<'a>> {
        match &*self.0 {
            [(_, key)] => key.of(event),
            rules => rules.iter().find(|(subject, _)| subject.matches(event.subject.as_str()))?.1.of(event),
        }
    }
}
