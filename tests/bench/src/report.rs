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

/// All figures of a run. A measure is told at its end, of all its rounds.
#[derive(Debug)]
pub struct Report {
    settings: Value,
    machine: Value,
    load_before: String,
    measure: &'static str,
    figures: Vec<Figure>,
    notes: Vec<Value>,
}

/// One figure, a sample a round.
#[derive(Debug)]
struct Figure {
    measure: &'static str,
    name: String,
    unit: String,
    goal: Option<Goal>,
    samples: Vec<f64>,
}

impl Figure {
    /// The median; of an even number the lower of the two in the middle.
    fn median(&self) -> f64 {
        let mut samples = self.samples.clone();
        samples.sort_by(f64::total_cmp);
        samples.get(samples.len().saturating_sub(1) / 2).copied().unwrap_or(f64::NAN)
    }

    fn spread(&self) -> (f64, f64) {
        let least = self.samples.iter().copied().fold(f64::INFINITY, f64::min);
        (least, self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    fn line(&self) -> String {
        let (median, (least, most)) = (self.median(), self.spread());
        let mut line = format!("{:58} {:>10} {:9}", self.name, number(median), self.unit);
        if self.samples.len() > 1 {
            line.push_str(&format!(" {:>17}", format!("{}…{}", number(least), number(most))));
        }
        match self.goal {
            None => format!("  {line}"),
            Some(goal) => {
                let verdict = if goal.is_met(median) { "met" } else { "MISSED" };
                format!("* {line} target {:9} {verdict}", goal.words())
            }
        }
    }

    fn json(&self) -> Value {
        let mut json = json!({
            "measure": self.measure, "name": self.name, "value": self.median(), "unit": self.unit,
            "samples": self.samples,
        });
        if let (Some(goal), Some(fields)) = (self.goal, json.as_object_mut()) {
            fields.insert("target".to_owned(), goal.words().into());
            fields.insert("met".to_owned(), goal.is_met(self.median()).into());
        }
        json
    }
}

impl Report {
    /// Begins, and prints what is measured on.
    pub fn new(options: &Options) -> Self {
        let machine = machine::describe();
        let load_before = machine::load();
        let settings = json!({
            "rounds": options.rounds,
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
        Self { settings, machine, load_before, measure: "", figures: Vec::new(), notes: Vec::new() }
    }

    /// Begins a measure.
    pub fn title(&mut self, measure: &'static str) {
        self.measure = measure;
        say(&format!("\n{measure} (load {})", machine::load()));
    }

    /// A figure without a target.
    pub fn value(&mut self, name: &str, value: f64, unit: &str) {
        self.sample((name, unit), value, None);
    }

    /// A figure with one.
    pub fn goal(&mut self, name: &str, value: f64, unit: &str, goal: Goal) {
        self.sample((name, unit), value, Some(goal));
    }

    fn sample(&mut self, (name, unit): (&str, &str), value: f64, goal: Option<Goal>) {
        let known = |figure: &&mut Figure| figure.measure == self.measure && figure.name == name;
        if let Some(figure) = self.figures.iter_mut().find(known) {
            figure.samples.push(value);
            return;
        }
        let (name, unit) = (name.to_owned(), unit.to_owned());
        self.figures.push(Figure { measure: self.measure, name, unit, goal, samples: vec![value] });
    }

    /// A remark, told at once.
    pub fn note(&mut self, text: &str) {
        say(&format!("  ! {text}"));
        self.notes.push(json!({ "measure": self.measure, "note": text }));
    }

    /// Prints the figures of the measure that ends: the median of its rounds, the least and the most.
    pub fn told(&self) {
        for figure in self.figures.iter().filter(|figure| figure.measure == self.measure) {
            say(&figure.line());
        }
    }

    /// The samples of a figure.
    pub fn samples(&self, measure: &str, name: &str) -> &[f64] {
        let found = self.figures.iter().find(|figure| figure.measure == measure && figure.name == name);
        found.map_or(&[], |figure| &figure.samples)
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
            "figures": self.figures.iter().map(Figure::json).collect::<Vec<_>>(),
            "notes": self.notes,
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
