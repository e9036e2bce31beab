//! `[variables]`: their values, and the `{{ name }}` templates that use them.

use super::problem::nearest;
use super::reader::{Fields, Node};
use std::collections::BTreeMap;

/// Values for application variables from outside the manifest; those of the command line win.
#[derive(Debug, Clone, Default)]
pub struct Given {
    flags: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
}

impl Given {
    /// What the command line gives (`--variable name=value`), and the process's `SPIN_VARIABLE_<NAME>`.
    #[must_use]
    pub fn new(flags: BTreeMap<String, String>) -> Self {
        Self::with_environment(
            flags,
            std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// As [`Given::new`], with the environment handed in.
    pub fn with_environment(
        flags: BTreeMap<String, String>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let named = |(key, value): (String, String)| {
            key.strip_prefix("SPIN_VARIABLE_").map(|name| (name.to_ascii_lowercase(), value))
        };
        Self { flags, environment: environment.into_iter().filter_map(named).collect() }
    }

    fn value(&self, name: &str) -> Option<&String> {
        self.flags.get(name).or_else(|| self.environment.get(name))
    }
}

/// The application's variables with their values; `None` where one has none.
pub(super) struct Variables(BTreeMap<String, Option<String>>);

impl Variables {
    /// Reads `[variables]`, filling in what is given from outside.
    pub(super) fn read(document: &Fields<'_>, given: &Given) -> Self {
        let table = document.table("variables");
        let mut values = BTreeMap::new();
        for (name, node) in table.iter().flat_map(Fields::entries) {
            check_name(name, &node);
            values.insert(name.to_owned(), read_one(name, &node, given));
        }
        for name in given.flags.keys().filter(|name| !values.contains_key(*name)) {
            let remedy = match nearest(name, values.keys().map(String::as_str)) {
                Some(near) => format!("did you mean --variable {near}=…?"),
                None => format!("add {name} = {{ default = \"…\" }} under [variables]"),
            };
            let what = format!("--variable {name}=… names no variable of the application");
            match &table {
                Some(table) => table.fault(what, remedy),
                None => document.fault(what, remedy),
            }
        }
        Self(values)
    }

    /// Fills the templates of the string at `node`.
    pub(super) fn fill(&self, node: &Node<'_>) -> Option<String> {
        let mut rest = node.string()?;
        let mut filled = String::new();
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, tail)) = after.split_once("}}") else {
                node.value_fault("a template is opened with `{{` and never closed", "close it with `}}`");
                return None;
            };
            filled.push_str(before);
            filled.push_str(self.value(name.trim(), node)?);
            rest = tail;
        }
        filled.push_str(rest);
        Some(filled)
    }

    fn value(&self, name: &str, node: &Node<'_>) -> Option<&str> {
        let Some(value) = self.0.get(name) else {
            let remedy = match nearest(name, self.0.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{{{{ {near} }}}}`?"),
                None => format!("add {name} = {{ default = \"…\" }} under [variables]"),
            };
            node.value_fault(format!("there is no variable `{name}`"), remedy);
            return None;
        };
        value.as_deref()
    }
}

fn read_one(name: &str, node: &Node<'_>, given: &Given) -> Option<String> {
    let fields = node.table()?;
    fields.only(&["default", "required", "secret"]);
    if let Some(secret) = fields.get("secret") {
        secret.boolean();
    }
    let default = fields.get("default");
    let required = fields.get("required").and_then(|node| node.boolean()).unwrap_or(false);
    if default.is_none() && !required {
        node.fault("neither a default nor required", "write { default = \"…\" } or { required = true }");
        return None;
    }
    let value = given.value(name).cloned().or_else(|| default?.string().map(str::to_owned));
    if value.is_none() && required {
        node.fault(
            "this variable is required and has no value",
            format!("give it with --variable {name}=… or in the environment as SPIN_VARIABLE_{}", name.to_uppercase()),
        );
    }
    value
}

/// Notes a variable's name that Spin would refuse.
pub(super) fn check_name(name: &str, node: &Node<'_>) {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    };
    if !name.split('_').all(word) {
        node.fault("not a variable's name", "use lower_snake_case: `events_url`");
    }
}
