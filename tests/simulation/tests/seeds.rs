//! A fixed number of seeds holds; a seed is the same run twice; and what ought to go wrong did.
#![allow(clippy::panic, clippy::unwrap_used, reason = "for tests")]

use simulation::{Report, Rest, Trace, application, run};
use std::collections::{BTreeMap, BTreeSet};

/// Seeds of every run of the tests.
const SEEDS: u64 = 300;
/// Beyond them, seeds that once found a fault of the product.
const FOUND: [u64; 2] = [1_786, 3_146];
/// Everything that has to go wrong in them, and nothing else is counted: every kind of the README's table is here.
const FAULTS: [&str; 30] = [
    "acknowledgement forgotten",
    "answer lost",
    "call lost",
    "clock jump",
    "copy",
    "dead letter",
    "delay",
    "discarded",
    "fetch cut short",
    "inbox emptied",
    "killed",
    "late copy",
    "lost what was not flushed",
    "outage",
    "outcome unknown",
    "payload that nobody can read",
    "publishing unknown",
    "refused",
    "rejected for nothing",
    "replay",
    "request that outlived its sender",
    "settling refused or unknown",
    "slow",
    "stale read",
    "stopped",
    "suspended",
    "swap lost",
    "swap unknown",
    "trap after all was done",
    "trap before anything",
];

/// Runs seeds on two threads; each run has one of them for itself.
fn all(seeds: &[u64]) -> Vec<Report> {
    let application = application().unwrap();
    let half = seeds.len().div_ceil(2).max(1);
    let runs = |seeds: &[u64]| seeds.iter().map(|seed| run(*seed, &application, None).unwrap()).collect::<Vec<_>>();
    let runs = &runs;
    std::thread::scope(|scope| {
        let threads: Vec<_> = seeds.chunks(half).map(|part| scope.spawn(move || runs(part))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

#[test]
fn the_marketplace_holds_whatever_goes_wrong() {
    let seeds: Vec<u64> = (0..SEEDS).chain(FOUND).collect();
    let (mut faults, mut rests) = (BTreeMap::<&str, u64>::new(), BTreeSet::new());
    for report in all(&seeds) {
        assert!(report.wrong.is_empty(), "{report}");
        rests.extend(report.rests.keys().copied());
        for (fault, times) in report.faults {
            *faults.entry(fault).or_default() += times;
        }
    }
    println!("{faults:#?}");
    let counted: Vec<&str> = faults.keys().copied().collect();
    assert_eq!(counted, FAULTS, "something never went wrong, or went wrong and need not have");
    assert_eq!(rests, [Rest::Confirmed, Rest::Delivered, Rest::Cancelled, Rest::Refunded].into());
}

#[test]
fn a_seed_is_the_same_run_twice() {
    let seeds: Vec<u64> = (0..16).collect();
    let traces = || all(&seeds).into_iter().map(|report| (report.seed, report.steps, report.digest, report.tail));
    let (first, second): (Vec<_>, Vec<_>) = (traces().collect(), traces().collect());
    assert_eq!(first, second);
    let digests: BTreeSet<u64> = first.iter().map(|(_, _, digest, _)| *digest).collect();
    assert_eq!(digests.len(), seeds.len(), "two seeds are one run");
}

#[test]
fn ids_in_a_trace_are_cut_short_and_nothing_else() {
    let mut trace = Trace::default();
    trace.add("order 5f11ce21-15b9-5c66-8cb0-4060fc7cc72a-1 is bad, face it: 12".to_owned());
    assert_eq!(trace.tail(), ["order 5f11ce21-1 is bad, face it: 12"]);
}
