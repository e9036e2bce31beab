//! A defect in any respect is found, within a bounded number of seeds.
#![allow(clippy::panic, clippy::unwrap_used, reason = "for tests")]

use simulation::{MUTATIONS, Mutation, application, run};

/// Seeds that a defect may need.
const WITHIN: u64 = 300;

/// The first seed that finds it, and by what.
fn found(mutation: Mutation) -> Option<(u64, String)> {
    let application = application().unwrap();
    (0..WITHIN).find_map(|seed| {
        let report = run(seed, &application, Some(mutation)).unwrap();
        report.wrong.first().map(|what| (seed, what.clone()))
    })
}

#[test]
fn every_mutation_is_found() {
    let half = MUTATIONS.len().div_ceil(2);
    let mut hidden = Vec::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = MUTATIONS
            .chunks(half)
            .map(|part| {
                scope.spawn(move || part.iter().map(|mutation| (*mutation, found(*mutation))).collect::<Vec<_>>())
            })
            .collect();
        for (mutation, found) in threads.into_iter().flat_map(|thread| thread.join().unwrap()) {
            match found {
                Some((seed, what)) => println!("| {mutation:?} | {} | {what} |", seed + 1),
                None => hidden.push(mutation),
            }
        }
    });
    assert!(hidden.is_empty(), "not found within {WITHIN} seeds: {hidden:?}");
}
