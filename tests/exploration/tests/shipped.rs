//! The shipped decisions keep every property, in all that may happen within the bounds.
#![allow(clippy::panic, reason = "for tests")]

use exploration::explore::{Report, explore};
use exploration::plan::Plan;
use exploration::plans::{BOUNDED, FULL};
use exploration::properties::End;
use std::collections::BTreeSet;

/// Worlds that one exploration may have: a bound on memory, above what any of them needs.
const LIMIT: usize = 100_000_000;
/// Worlds that the explorations of every run have together, at least: fewer, and something was not explored.
const AT_LEAST: usize = 5_000_000;

fn run(plans: &[Plan]) -> Vec<Report> {
    let explored = plans.iter().map(|plan| {
        let report = explore(plan, None, LIMIT);
        println!("{report}");
        if let Some(trace) = report.found.as_ref().or(report.unending.as_ref()) {
            panic!("{}: {trace}", report.name);
        }
        assert!(!report.ends.is_empty(), "nothing ends: {report}");
        report
    });
    explored.collect()
}

#[test]
fn whatever_happens_an_order_ends_well() {
    let reports = run(&BOUNDED);
    let states: usize = reports.iter().map(|report| report.states).sum();
    println!("{states} states");
    assert!(states >= AT_LEAST, "only {states} states were explored");
    let ends: BTreeSet<End> = reports.iter().flat_map(|report| report.ends.keys().copied()).collect();
    let all = [End::Confirmed, End::Delivered, End::Cancelled, End::Refunded, End::Waiting];
    assert_eq!(ends, all.into(), "an end was never come to");
}

#[test]
fn whatever_more_happens_it_ends_well_too() {
    if std::env::var("A4CO_EXPLORE").is_ok_and(|value| value == "full") {
        run(&FULL);
    } else {
        println!("{} larger explorations run with A4CO_EXPLORE=full", FULL.len());
    }
}
