//! Typed access to a parsed TOML document that notes every fault with its place and goes on reading.

use super::measure;
use super::problem::{Problem, nearest};
use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;
use toml::de::{DeTable, DeValue};

/// The text of a manifest, and what was found wrong with it so far.
pub(super) struct Sheet<'a> {
    text: &'a str,
    problems: RefCell<Vec<Problem>>,
    warnings: RefCell<Vec<String>>,
}

/// One value, and where it stands.
#[derive(Clone)]
pub(super) struct Node<'a> {
    sheet: &'a Sheet<'a>,
    path: String,
    /// Of the key, or of the value where it is an element of a list.
    at: Range<usize>,
    /// Of the value.
    value_at: Range<usize>,
    value: &'a DeValue<'a>,
}

/// One table, and where it stands.
#[derive(Clone)]
pub(super) struct Fields<'a> {
    sheet: &'a Sheet<'a>,
    path: String,
    at: Range<usize>,
    table: &'a DeTable<'a>,
}

impl<'a> Sheet<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, problems: RefCell::default(), warnings: RefCell::default() }
    }

    /// Notes a fault of what stands at `span`.
    pub(super) fn fault(&self, span: Range<usize>, key: &str, what: String, remedy: String) {
        self.problems.borrow_mut().push(Problem::at(self.text, span, key.to_owned(), (what, remedy)));
    }

    fn warn(&self, span: Range<usize>, key: &str, text: &str) {
        let line = Problem::at(self.text, span, String::new(), Default::default()).line;
        self.warnings.borrow_mut().push(format!("line {line}: {key}: {text}"));
    }

    /// All faults in the order of the file, and all warnings.
    pub(super) fn findings(self) -> (Vec<Problem>, Vec<String>) {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| (problem.line, problem.column));
        (problems, self.warnings.into_inner())
    }
}

impl<'a> Node<'a> {
    /// Notes that the key should not be as it is.
    pub(super) fn fault(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.sheet.fault(self.at.clone(), &self.path, what.into(), remedy.into());
    }

    /// Notes that the value should not be as it is.
    pub(super) fn value_fault(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.sheet.fault(self.value_at.clone(), &self.path, what.into(), remedy.into());
    }

    /// Notes something that is accepted and has no effect.
    pub(super) fn warn(&self, text: &str) {
        self.sheet.warn(self.at.clone(), &self.path, text);
    }

    fn wrong_type(&self, wanted: &str) {
        self.value_fault(format!("expected {wanted}, got {}", kind(self.value)), format!("write {wanted} here"));
    }

    /// Whether it is a string; notes nothing.
    pub(super) fn is_string(&self) -> bool {
        self.value.is_str()
    }

    /// Whether it is a list or table without content; notes nothing.
    pub(super) fn is_empty(&self) -> bool {
        match self.value {
            DeValue::Array(list) => list.is_empty(),
            DeValue::Table(table) => table.is_empty(),
            _ => false,
        }
    }

    pub(super) fn string(&self) -> Option<&'a str> {
        let text = self.value.as_str();
        if text.is_none() {
            self.wrong_type("a string");
        }
        text
    }

    pub(super) fn boolean(&self) -> Option<bool> {
        let value = self.value.as_bool();
        if value.is_none() {
            self.wrong_type("true or false");
        }
        value
    }

    /// An integer of at least `least` that fits `T`.
    pub(super) fn integer<T: TryFrom<u64>>(&self, least: u64) -> Option<T> {
        let number = self.value.as_integer().and_then(|i| u64::from_str_radix(i.as_str(), i.radix()).ok());
        let fitting = number.filter(|n| *n >= least).and_then(|n| T::try_from(n).ok());
        if fitting.is_none() {
            self.value_fault(
                format!("expected a whole number of at least {least}, got {}", self.shown()),
                format!("write a number such as {}", least.max(16)),
            );
        }
        fitting
    }

    /// A duration above zero.
    pub(super) fn duration(&self) -> Option<Duration> {
        let duration = self.value.as_str().and_then(measure::duration).filter(|duration| !duration.is_zero());
        if duration.is_none() {
            self.value_fault(
                format!("expected a duration above zero, got {}", self.shown()),
                "write a string such as \"250ms\", \"5s\", \"15m\", \"2h\" or \"7d\"",
            );
        }
        duration
    }

    /// A size above zero, in bytes, as a string with its unit or as a number of bytes.
    pub(super) fn size<T: TryFrom<u64>>(&self) -> Option<T> {
        let bytes = match self.value {
            DeValue::Integer(i) => u64::from_str_radix(i.as_str(), i.radix()).ok(),
            DeValue::String(text) => measure::size(text),
            _ => None,
        };
        let fitting = bytes.filter(|bytes| *bytes > 0).and_then(|bytes| T::try_from(bytes).ok());
        if fitting.is_none() {
            self.value_fault(
                format!("expected a size above zero, got {}", self.shown()),
                "write a string such as \"64MiB\", or a number of bytes",
            );
        }
        fitting
    }

    /// The elements of a list.
    pub(super) fn list(&self) -> Vec<Node<'a>> {
        let DeValue::Array(list) = self.value else {
            self.wrong_type("a list");
            return Vec::new();
        };
        let element = |(index, value): (usize, &'a toml::Spanned<DeValue<'a>>)| Node {
            sheet: self.sheet,
            path: format!("{}[{index}]", self.path),
            at: value.span(),
            value_at: value.span(),
            value: value.get_ref(),
        };
        list.iter().enumerate().map(element).collect()
    }

    /// The elements of a list of strings.
    pub(super) fn strings(&self) -> Vec<(Node<'a>, &'a str)> {
        self.list().into_iter().filter_map(|node| node.string().map(|text| (node, text))).collect()
    }

    /// A table's fields.
    pub(super) fn table(&self) -> Option<Fields<'a>> {
        let DeValue::Table(table) = self.value else {
            self.wrong_type("a table");
            return None;
        };
        Some(Fields { sheet: self.sheet, path: self.path.clone(), at: self.at.clone(), table })
    }

    fn shown(&self) -> String {
        match self.value {
            DeValue::String(text) => format!("{text:?}"),
            DeValue::Integer(number) => number.to_string(),
            other => kind(other).to_owned(),
        }
    }
}

impl<'a> Fields<'a> {
    /// The whole document.
    pub(super) fn document(sheet: &'a Sheet<'a>, table: &'a DeTable<'a>) -> Self {
        Self { sheet, path: String::new(), at: 0..0, table }
    }

    /// Notes a fault of the table as a whole.
    pub(super) fn fault(&self, what: impl Into<String>, remedy: impl Into<String>) {
        self.sheet.fault(self.at.clone(), &self.path, what.into(), remedy.into());
    }

    /// All fields, in the order of the file.
    pub(super) fn entries(&self) -> Vec<(&'a str, Node<'a>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let node = |key: &'a toml::Spanned<std::borrow::Cow<'a, str>>, value: &'a toml::Spanned<DeValue<'a>>| Node {
            sheet: self.sheet,
            path: self.path_of(key.get_ref()),
            at: key.span(),
            value_at: value.span(),
            value: value.get_ref(),
        };
        entries.into_iter().map(|(key, value)| (key.get_ref().as_ref(), node(key, value))).collect()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub(super) fn get(&self, key: &str) -> Option<Node<'a>> {
        self.entries().into_iter().find(|(name, _)| *name == key).map(|(_, node)| node)
    }

    /// A field that is itself a table.
    pub(super) fn table(&self, key: &str) -> Option<Fields<'a>> {
        self.get(key)?.table()
    }

    /// A field that must be there.
    pub(super) fn require(&self, key: &str, example: &str) -> Option<Node<'a>> {
        let node = self.get(key);
        if node.is_none() {
            let (what, remedy) = (format!("`{key}` is missing"), format!("add {example}"));
            self.sheet.fault(self.at.clone(), &self.path_of(key), what, remedy);
        }
        node
    }

    /// Notes every key that is not among `known`.
    pub(super) fn only(&self, known: &[&str]) {
        for (key, node) in self.entries() {
            if !known.contains(&key) {
                let remedy = match nearest(key, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                node.fault("unknown key", remedy);
            }
        }
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
