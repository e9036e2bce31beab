//! The start-up screen: what runs where.

use crate::manifest::{Application, Component};
use std::fmt::Write;
use std::net::SocketAddr;

/// Where the host ended up.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Where the application is served.
    pub listen: SocketAddr,
    /// Where operators are served.
    pub admin: SocketAddr,
    /// Where state is kept: a directory, or servers.
    pub state: &'a str,
    /// What an answer to a client guarantees, in words: `every answer is on disk (SQLite, synchronous=FULL)`.
    pub durability: &'a str,
}

/// The screen's text.
#[must_use]
pub fn render(application: &Application, place: Place<'_>) -> String {
    let mut screen = format!("{} {} is up\n\n", application.name, application.version);
    let rows = [
        ("application", format!("http://{}", place.listen)),
        ("operators", format!("http://{}  (/metrics /events /dlq /consumers)", place.admin)),
        ("state", place.state.to_owned()),
        ("durability", place.durability.to_owned()),
    ];
    for (name, value) in rows {
        line(&mut screen, format_args!("  {name:12} {value}"));
    }
    screen.push_str(&routes(application));
    screen.push_str(&subscriptions(application));
    for warning in &application.warnings {
        line(&mut screen, format_args!("\nwarning: {warning}"));
    }
    screen
}

fn line(screen: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(screen, "{text}");
}

fn routes(application: &Application) -> String {
    let shown: Vec<(&str, &str)> = application
        .routes
        .iter()
        .filter(|route| !route.is_reserved())
        .map(|r| (r.pattern.as_deref().unwrap_or("(private)"), r.component.as_str()))
        .collect();
    table("routes", &shown)
}

fn subscriptions(application: &Application) -> String {
    let subjects = |component: &Component| {
        let subscribed = component.events.iter().flat_map(|events| &events.subscribe);
        subscribed.map(|subscription| subscription.subject.as_str()).collect::<Vec<_>>().join(" ")
    };
    let shown: Vec<(&str, String)> = application.components.iter().map(|c| (c.id.as_str(), subjects(c))).collect();
    let shown: Vec<(&str, &str)> =
        shown.iter().map(|(id, s)| (*id, s.as_str())).filter(|(_, s)| !s.is_empty()).collect();
    table("subscriptions", &shown)
}

fn table(title: &str, rows: &[(&str, &str)]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let width = rows.iter().map(|(left, _)| left.chars().count()).max().unwrap_or(0);
    let mut text = format!("\n{title}\n");
    for (left, right) in rows {
        line(&mut text, format_args!("  {left:width$}  {right}"));
    }
    text
}
