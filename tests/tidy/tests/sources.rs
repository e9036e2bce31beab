//! Rules about every source file.
#![allow(clippy::unwrap_used, clippy::panic, reason = "for tests")]

use syn::spanned::Spanned as _;
use syn::visit::Visit;
use tidy::{Source, sources};

/// Lines a production file may have. Past it a file has more than one subject.
const MAX_LINES: usize = 500;
/// Lines a function may have, of production code.
const MAX_FUNCTION: usize = 70;

#[track_caller]
fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}:\n  {}", offenders.join("\n  "));
}

fn rust() -> Vec<Source> {
    let found = sources(&["rs"]);
    assert!(found.len() > 100, "only {} sources found", found.len());
    found
}

#[test]
fn a_file_says_what_it_is_for() {
    let silent: Vec<_> = rust().into_iter().filter(|s| !s.text.starts_with("//!")).map(|s| s.path).collect();
    none("these files do not open with a `//!` line", &silent);
}

#[test]
fn a_file_has_one_subject() {
    let long = rust().into_iter().filter(|s| s.text.lines().count() > MAX_LINES);
    let long: Vec<_> = long.map(|s| format!("{}: {} lines", s.path, s.text.lines().count())).collect();
    none("these files are past 500 lines: split them by subject", &long);
}

struct Functions<'a> {
    path: &'a str,
    long: Vec<String>,
    count: usize,
}

impl Functions<'_> {
    fn see(&mut self, name: &syn::Ident, block: &syn::Block) {
        let span = block.span();
        let lines = span.end().line - span.start().line + 1;
        self.count += 1;
        if lines > MAX_FUNCTION {
            self.long.push(format!("{}:{} {name}: {lines} lines", self.path, span.start().line));
        }
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.see(&item.sig.ident, &item.block);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.see(&item.sig.ident, &item.block);
        syn::visit::visit_impl_item_fn(self, item);
    }
}

#[test]
fn a_function_is_short_enough_to_see_whole() {
    let (mut long, mut count) = (Vec::new(), 0);
    for source in rust().iter().filter(|source| !source.is_test()) {
        let file = syn::parse_file(&source.text).unwrap_or_else(|error| panic!("{}: {error}", source.path));
        let mut functions = Functions { path: &source.path, long: Vec::new(), count: 0 };
        functions.visit_file(&file);
        long.append(&mut functions.long);
        count += functions.count;
    }
    assert!(count > 300, "only {count} functions seen");
    none("these functions are longer than 70 lines", &long);
}

#[test]
fn nothing_is_left_unfinished() {
    // Spelt apart, so that this file does not find itself.
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
    ];
    let mut found = Vec::new();
    for source in sources(&["rs", "wit", "toml", "sh", "md"]) {
        for (number, line) in source.text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none("unfinished work", &found);
}

#[test]
fn nothing_is_named_after_nothing() {
    let vague = ["utils", "util", "helpers", "helper", "manager", "common", "misc"];
    let named = rust().into_iter().map(|source| source.path);
    let named: Vec<_> =
        named.filter(|path| path.split('/').any(|part| vague.contains(&part.trim_end_matches(".rs")))).collect();
    none("these names say nothing", &named);
}

#[test]
fn every_test_can_run() {
    let ignored = concat!("#[ig", "nore");
    let found: Vec<_> = rust().into_iter().filter(|s| s.text.contains(ignored)).map(|s| s.path).collect();
    none("ignored tests prove nothing", &found);
}
