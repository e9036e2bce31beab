//! The guest's allocator, natively over the system's: blocks are whole, apart from each other, and used again.

#[path = "../src/allocator.rs"]
mod allocator;

use allocator::FreeLists;
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The system's heap, counting what it gives.
#[derive(Default)]
struct Counted(AtomicUsize);

#[expect(unsafe_code, reason = "what an allocator is")]
// SAFETY: the system's own.
unsafe impl GlobalAlloc for &Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.0.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) };
    }
}

#[derive(Debug, Clone)]
enum Step {
    Take(usize, usize),
    Resize(usize, usize),
    Give(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let size = || prop_oneof![1..64_usize, 1..1_500_usize];
    prop_oneof![
        (size(), 0..5_u32).prop_map(|(size, align)| Step::Take(size, 1 << align)),
        (0..64_usize, size()).prop_map(|(block, size)| Step::Resize(block, size)),
        (0..64_usize).prop_map(Step::Give),
    ]
}

/// A block that is held, filled with its mark.
struct Held {
    block: *mut u8,
    layout: Layout,
    mark: u8,
}

#[expect(unsafe_code, reason = "an allocator is called as such")]
impl Held {
    fn fill(block: *mut u8, layout: Layout, mark: u8) -> Self {
        assert!(!block.is_null() && block.addr().is_multiple_of(layout.align()));
        // SAFETY: the block is as long as its layout.
        unsafe { block.write_bytes(mark, layout.size()) };
        Self { block, layout, mark }
    }

    /// Whether its first bytes are still its own.
    fn is_whole(&self, bytes: usize) -> bool {
        // SAFETY: the block is as long as its layout, and filled.
        let there = unsafe { std::slice::from_raw_parts(self.block, bytes.min(self.layout.size())) };
        there.iter().all(|byte| *byte == self.mark)
    }
}

proptest! {
    #[test]
    #[expect(unsafe_code, reason = "an allocator is called as such")]
    fn every_block_keeps_what_was_written(steps in prop::collection::vec(step(), 1..300)) {
        let lists = FreeLists::new(System);
        let mut held: Vec<Held> = Vec::new();
        for (mark, step) in (0..=u8::MAX).cycle().zip(steps) {
            match step {
                Step::Take(size, align) => {
                    let layout = Layout::from_size_align(size, align).unwrap();
                    // SAFETY: the size is not 0.
                    held.push(Held::fill(unsafe { lists.alloc(layout) }, layout, mark));
                }
                Step::Resize(which, size) if which < held.len() => {
                    let Held { block, layout, mark: old } = held.swap_remove(which);
                    // SAFETY: the block is of this layout, the size is not 0.
                    let moved = unsafe { lists.realloc(block, layout, size) };
                    let kept = layout.size().min(size);
                    let layout = Layout::from_size_align(size, layout.align()).unwrap();
                    let before = Held { block: moved, layout, mark: old };
                    prop_assert!(before.is_whole(kept));
                    held.push(Held::fill(moved, layout, mark));
                }
                Step::Give(which) if which < held.len() => {
                    let Held { block, layout, .. } = held.swap_remove(which);
                    // SAFETY: the block is of this layout, and nobody has it any more.
                    unsafe { lists.dealloc(block, layout) };
                }
                Step::Resize(..) | Step::Give(_) => {}
            }
            prop_assert!(held.iter().all(|held| held.is_whole(usize::MAX)));
        }
    }
}

#[test]
#[expect(unsafe_code, reason = "an allocator is called as such")]
fn what_was_given_back_is_given_out_again() {
    let counted = Counted::default();
    let lists = FreeLists::new(&counted);
    for size in [17, 32, 24] {
        let layout = Layout::from_size_align(size, 8).unwrap();
        // SAFETY: the size is not 0, and the block goes back as it came.
        unsafe { lists.dealloc(lists.alloc(layout), layout) };
    }
    assert_eq!(counted.0.load(Ordering::Relaxed), 1);
}
