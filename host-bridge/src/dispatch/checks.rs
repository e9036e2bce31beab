//! What `spin.toml` says of a component's events, checked against what its WIT says. Errors name the key.

use super::cases::{Case, Cases};
use crate::codec::Plan;
use crate::manifest::{Component, Events, Subscription};
use crate::subject::SubjectPattern;
use anyhow::{Result, bail};

/// Keys that every event has in its envelope.
const ENVELOPE_KEYS: [&str; 5] = ["aggregateId", "sagaId", "eventId", "correlationId", "causationId"];

/// Checks every subscription.
///
/// # Errors
/// Where one matches no case, or its key is no place of every case it matches.
pub(super) fn check_subscriptions(component: &str, events: &Events, cases: &Cases) -> Result<()> {
    for (index, subscription) in events.subscribe.iter().enumerate() {
        let key = format!("component.{component}.tool.events.subscribe[{index}]");
        let matched: Vec<_> = matching(&subscription.subject, cases).collect();
        if matched.is_empty() {
            bail!(
                "{key}.subject: `{}` matches no event the component can handle; it can handle {}",
                subscription.subject,
                listed(cases)
            );
        }
        check_key(&format!("{key}.key"), subscription, &matched)?;
    }
    Ok(())
}

/// Says of a grant that covers no case. That is no error: a component may publish by HTTP what its handler never sees.
pub(super) fn warn_of_unused_grants(component: &Component, events: &Events, outgoing: &Cases) {
    let unused = events.publish.iter().filter(|pattern| matching(pattern, outgoing).next().is_none());
    for pattern in unused {
        tracing::warn!(
            "component.{}.tool.events.publish: `{pattern}` covers no event of the component's handler",
            component.id
        );
    }
}

/// Whether each case may be published, in the order of the cases.
pub(super) fn granted(events: Option<&Events>, cases: &Cases) -> Vec<bool> {
    let publish = events.map_or(&[][..], |events| &events.publish);
    cases.iter().map(|case| publish.iter().any(|pattern| pattern.matches(case.subject.as_str()))).collect()
}

fn matching<'c>(pattern: &'c SubjectPattern, cases: &'c Cases) -> impl Iterator<Item = &'c Case> {
    cases.iter().filter(|case| pattern.matches(case.subject.as_str()))
}

fn listed(cases: &Cases) -> String {
    let subjects: Vec<_> = cases.iter().map(|case| case.subject.as_str()).collect();
    subjects.join(", ")
}

fn check_key(key: &str, subscription: &Subscription, cases: &[&Case]) -> Result<()> {
    let text = subscription.key.strip_prefix("metadata.").unwrap_or(&subscription.key);
    if ENVELOPE_KEYS.contains(&text) {
        return Ok(());
    }
    let Some(path) = text.strip_prefix("eventData.") else {
        bail!("{key}: `{text}` is no key: use {} or a field such as eventData.orderId", ENVELOPE_KEYS.join(", "));
    };
    for case in cases {
        if let Err(why) = walk(case.payload.as_deref(), path) {
            bail!("{key}: `{text}` cannot order `{}`: {why}", case.subject);
        }
    }
    Ok(())
}

/// Follows a path through records to something that can be a key.
fn walk(payload: Option<&Plan>, path: &str) -> Result<(), String> {
    let mut plan = payload.ok_or("the event has no payload")?;
    for name in path.split('.') {
        let Plan::Record(record) = plan else { return Err(format!("`{name}` lies in no record")) };
        let field = record.fields.iter().find(|field| field.key == name);
        plan = &*field.ok_or_else(|| format!("it has no field `{name}`"))?.plan;
    }
    match plan {
        Plan::Text | Plan::Timestamp | Plan::Enum(_) | Plan::Char | Plan::Integer(_) | Plan::Bool => Ok(()),
        Plan::Option(_) => Err("the field may be absent".into()),
        _ => Err("a key is a string or an integer".into()),
    }
}
