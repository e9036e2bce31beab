//! The allocator of a guest: free lists of small blocks before talc's heap. A guest is one thread, and nearly all it asks for
//! is a short text that it soon gives back; from a list that costs a few instructions. A block stays with its list until the
//! instance ends, which an instance does after some hundred invocations.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;

/// Sizes of blocks differ by this many bytes, which is also what they are aligned to at most.
const STEP: usize = 16;
/// Lists: blocks of more than 512 bytes are the heap's.
const LISTS: usize = 32;

/// A block that was given back.
struct Free {
    next: *mut Self,
}

/// Free lists before `heap`.
#[derive(Debug)]
pub struct FreeLists<A> {
    lists: UnsafeCell<[*mut Free; LISTS]>,
    heap: A,
}

// SAFETY: a component has one thread, and neither `alloc` nor `dealloc` calls anything that allocates while it holds a list.
#[expect(unsafe_code, reason = "a global allocator is shared by its type")]
unsafe impl<A> Sync for FreeLists<A> {}

impl<A> FreeLists<A> {
    /// Empty lists.
    pub const fn new(heap: A) -> Self {
        Self { lists: UnsafeCell::new([ptr::null_mut(); LISTS]), heap }
    }
}

/// The list of blocks for a layout; `None` where it is the heap's.
fn list_of(layout: Layout) -> Option<usize> {
    let list = layout.size().wrapping_sub(1) / STEP;
    (list < LISTS && layout.align() <= STEP).then_some(list)
}

/// The layout of the blocks of a list.
#[expect(unsafe_code, reason = "checked by its constants")]
fn block_of(list: usize) -> Layout {
    // SAFETY: `STEP` is a power of two, and a size of at most `LISTS` steps is far below the largest there may be.
    unsafe { Layout::from_size_align_unchecked((list + 1) * STEP, STEP) }
}

#[expect(unsafe_code, reason = "what an allocator is")]
// SAFETY: a block comes from `heap` with the layout of its list, which is as large and as aligned as any layout of the list
// asks for; it is in one list at most, since it is put there when it is given back and taken off when it is given out.
unsafe impl<A: GlobalAlloc> GlobalAlloc for FreeLists<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(list) = list_of(layout) else {
            // SAFETY: the caller's promise.
            return unsafe { self.heap.alloc(layout) };
        };
        // SAFETY: one thread; `list` is below `LISTS`; a block in a list is free and begins with its `Free`.
        unsafe {
            let head = self.lists.get().cast::<*mut Free>().add(list);
            let block = *head;
            if block.is_null() {
                return self.heap.alloc(block_of(list));
            }
            *head = (*block).next;
            block.cast()
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(list) = list_of(layout) else {
            // SAFETY: the caller's promise; a block of this layout came from the heap.
            return unsafe { self.heap.dealloc(block, layout) };
        };
        // SAFETY: as in `alloc`; the block is the caller's no more, and has room for a `Free`.
        unsafe {
            let head = self.lists.get().cast::<*mut Free>().add(list);
            let block = block.cast::<Free>();
            (*block).next = *head;
            *head = block;
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise: `size`, rounded up to the alignment, is no more than a layout may have.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (list_of(layout), list_of(wanted)) {
            // SAFETY: the caller's promise; the block is the heap's and stays its.
            (None, None) => unsafe { self.heap.realloc(block, layout, size) },
            (there, here) if there == here => block,
            // SAFETY: both blocks have room for the smaller of both sizes, and are not the same.
            _ => unsafe {
                let moved = self.alloc(wanted);
                if !moved.is_null() {
                    ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                    self.dealloc(block, layout);
                }
                moved
            },
        }
    }
}
