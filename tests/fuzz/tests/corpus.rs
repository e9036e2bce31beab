//! Every input that taught the fuzzer something, and every one that once broke a property, is shown to it again.

use fuzz::TARGETS;
use std::path::Path;

/// Fewer inputs than this are no corpus.
const FEWEST: usize = 20;

#[test]
fn the_properties_hold_for_the_corpora() {
    for (target, property) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        let mut shown = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let input = std::fs::read(&path).unwrap();
            if let Err(broken) = std::panic::catch_unwind(|| property(&input)) {
                eprintln!("{} breaks the property", path.display());
                std::panic::resume_unwind(broken);
            }
            shown += 1;
        }
        assert!(shown >= FEWEST, "{} has {shown} inputs", folder.display());
    }
}
