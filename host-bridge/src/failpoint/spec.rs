//! How failpoints are written.

use super::{Failpoint, Point};
use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;

/// What happens at an armed point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Die,
    DurableDie,
    Fail,
    Hold(PathBuf),
}

/// Reads `point[@component][#hit][=action]`, separated by commas.
pub(super) fn parse(text: &str) -> Result<Vec<Failpoint>> {
    let one = |text: &str| failpoint(text).with_context(|| format!("{}: cannot read `{text}`", super::VARIABLE));
    text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(one).collect()
}

fn failpoint(text: &str) -> Result<Failpoint> {
    let (place, action) = text.split_once('=').map_or((text, None), |(place, action)| (place, Some(action)));
    let (place, hit) = place.split_once('#').map_or((place, None), |(place, hit)| (place, Some(hit)));
    let (name, component) = place.split_once('@').map_or((place, None), |(name, id)| (name, Some(id.to_owned())));
    let (point, action) = (point(name)?, action.map_or(Ok(Action::Die), self::action)?);
    if action == Action::Fail && point == Point::BeforeResponse {
        bail!("a response cannot fail here: expected die, durable-die or hold:FILE");
    }
    let hit = match hit {
        None => Some(1),
        Some("every") => None,
        Some(number) => Some(number.parse().context("expected a number or `every` after `#`")?),
    };
    Ok(Failpoint { point, component, hit, action, seen: AtomicU64::new(0) })
}

fn point(name: &str) -> Result<Point> {
    Ok(match name {
        "swap.before" => Point::BeforeSwap,
        "swap.after" => Point::AfterSwap,
        "publish.before" => Point::BeforePublish,
        "publish.after" => Point::AfterPublish,
        "answer" => Point::Answer,
        "settle.before" => Point::BeforeSettle,
        "settle.after" => Point::AfterSettle,
        "response.before" => Point::BeforeResponse,
        _ => bail!("there is no point `{name}`"),
    })
}

fn action(name: &str) -> Result<Action> {
    Ok(match (name, name.strip_prefix("hold:")) {
        ("die", _) => Action::Die,
        ("durable-die", _) => Action::DurableDie,
        ("fail", _) => Action::Fail,
        (_, Some(file)) if !file.is_empty() => Action::Hold(file.into()),
        _ => bail!("expected die, durable-die, fail or hold:FILE, got `{name}`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, component: Option<&str>, hit: Option<u64>, action: Action) {
        let points = parse(text).unwrap();
        assert_eq!(points.len(), 1, "{text}");
        let one = &points[0];
        assert_eq!((one.component.as_deref(), one.hit, &one.action), (component, hit, &action), "{text}");
    }

    #[test]
    fn parts_may_be_left_out() {
        check("settle.after", None, Some(1), Action::Die);
        check("swap.before@order", Some("order"), Some(1), Action::Die);
        check("answer@order#7=durable-die", Some("order"), Some(7), Action::DurableDie);
        check("publish.after#every=fail", None, None, Action::Fail);
        check("publish.before=hold:/tmp/x=y", None, Some(1), Action::Hold("/tmp/x=y".into()));
        assert_eq!(parse("swap.before, swap.after").unwrap().len(), 2);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        for (text, part) in [
            ("swap", "there is no point `swap`"),
            ("answer=explode", "expected die, durable-die, fail or hold:FILE, got `explode`"),
            ("answer#x", "after `#`"),
            ("response.before=fail", "cannot fail here"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.contains(part) && error.contains("A4CO_FAILPOINTS"), "{text}: {error}");
        }
    }
}
