//! A fault in any component is found.

use exploration::explore::explore;
use exploration::faults::FAULTS;
use std::collections::BTreeSet;

/// Far more worlds than any of the faults needs.
const LIMIT: usize = 2_000_000;

#[test]
fn every_seeded_fault_is_found() {
    for fault in &FAULTS {
        let report = explore(&fault.plan, Some(fault), LIMIT);
        println!("{report}");
        match &report.found {
            Some(trace) => println!("{trace}"),
            None => panic!("not found: {}", fault.name),
        }
    }
}

#[test]
fn each_component_has_a_fault() {
    let components: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.component).collect();
    assert_eq!(components, ["inventory", "order", "payment", "saga"].into());
}
