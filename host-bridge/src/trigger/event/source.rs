//! One open consumer and what its deliveries need.

use super::Parts;
use super::observer::{About, Happening};
use super::subscriber::{KeyRules, Subscriber};
use crate::bus::{Consumer, Message};
use std::sync::Arc;
use std::time::Duration;

/// One open consumer and what its deliveries need.
pub struct Source {
    /// The component.
    pub component: Arc<str>,
    /// The consumer.
    pub consumer: Arc<dyn Consumer>,
    /// Where keys lie.
    pub keys: KeyRules,
    /// Longest one handling may take.
    pub handler_timeout: Duration,
    /// What all sources share.
    pub parts: Parts,
    name: Arc<str>,
    replay_name: Arc<str>,
}

impl Source {
    /// The source that `consumer` is.
    pub fn new(subscriber: &Subscriber, keys: KeyRules, consumer: Arc<dyn Consumer>, parts: Parts) -> Arc<Self> {
        Arc::new(Self {
            component: subscriber.component.as_str().into(),
            keys,
            handler_timeout: subscriber.handler_timeout,
            parts,
            name: consumer.source(),
            replay_name: consumer.replay_source(),
            consumer,
        })
    }

    /// Its name, for what concerns no single event.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The source that `message` is delivered from.
    pub fn name_of(&self, message: &Message) -> &Arc<str> {
        if message.replay > 0 { &self.replay_name } else { &self.name }
    }

    /// `message`, to be spoken of.
    pub fn about<'a>(&'a self, message: &'a Message) -> About<'a> {
        About {
            component: &self.component,
            source: self.name_of(message),
            sequence: message.sequence,
            attempt: delivery::attempt(message),
            event: &message.event,
        }
    }

    /// Tells the observer.
    pub fn tell(&self, happening: &Happening<'_>) {
        self.parts.observer.observe(happening);
    }
}
