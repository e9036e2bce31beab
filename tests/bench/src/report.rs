//! The table and the file.

use crate::machine;
use crate::options::Options;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;

/// What a figure should be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// This or more.
    AtLeast(f64),
    /// This or less.
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(goal) => value >= goal,
            Self::AtMost(goal) => value <= goal,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtLeast(goal) => format!("≥ {}", number(goal)),
            Self::AtMost(goal) => format!("≤ {}", number(goal)),
        }
    }
}

/// All figures of a run, printed as they come.
#[derive(Debug)]
pub struct Report {
    settings: Value,
    machine: Value,
    load_before: String,
    measure: &'static str,
    figures: Vec<Value>,
}

impl Report {
    /// Begins, and prints what is measured on.
    pub fn new(options: &Options) -> Self {
        let machine = machine::describe();
        let load_before = machine::load();
        let settings = json!({
            "seconds": options.duration.as_secs(),
            "clients": options.clients,
            "rate": options.rate,
            "orders": options.orders,
            "events": options.events,
            "native": "the same components as plain Rust: same bus, key-value store and flush; events are handed on \
                       typed, JSON is written once an event for the log and read only for what came by HTTP; \
                       state is stored as the same JSON",
        });
        for facts in [&machine, &settings] {
            for (name, value) in facts.as_object().into_iter().flatten() {
                say(&format!("{name:12} {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)));
            }
        }
        say(&format!("{:12} {load_before}", "load before"));
        Self { settings, machine, load_before, measure: "", figures: Vec::new() }
    }

    /// Begins a group.
    pub fn title(&mut self, measure: &'static str) {
        self.measure = measure;
        say(&format!("\n{measure} (load {})", machine::load()));
    }

    /// A figure without a target.
    pub fn value(&mut self, name: &str, value: f64, unit: &str) {
        say(&format!("  {name:58} {:>10} {unit}", number(value)));
        self.figures.push(json!({ "measure": self.measure, "name": name, "value": value, "unit": unit }));
    }

    /// A figure with one.
    pub fn goal(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        let (met, words) = (goal.is_met(value), goal.words());
        let verdict = if met { "met" } else { "MISSED" };
        say(&format!("* {name:58} {:>10} {unit:9} target {words:9} {verdict}", number(value)));
        self.figures.push(json!({
            "measure": self.measure, "name": name, "value": value, "unit": unit, "target": words, "met": met,
        }));
    }

    /// A remark.
    pub fn note(&mut self, text: &str) {
        say(&format!("  ! {text}"));
        self.figures.push(json!({ "measure": self.measure, "note": text }));
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(self, path: &Path) -> Result<()> {
        let whole = json!({
            "machine": self.machine,
            "settings": self.settings,
            "load": { "before": self.load_before, "after": machine::load() },
            "figures": self.figures,
        });
        let text = serde_json::to_string_pretty(&whole)?;
        std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))?;
        say(&format!("\nwritten to {}", path.display()));
        Ok(())
    }
}

fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn say(line: &str) {
    // A closed standard output does not stop the measurement: the file is written.
    let _closed = writeln!(std::io::stdout(), "{line}");
}
