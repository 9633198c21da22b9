//! An allocator that counts.  Whoever names this module in a binary has it there.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATED: Cell<Allocated> = const { Cell::new(Allocated { times: 0, bytes: 0 }) };
    static FREED: Cell<usize> = const { Cell::new(0) };
}

/// What one thread has allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allocated {
    /// Allocations, and reallocations that asked for more.
    pub(crate) times: usize,
    /// Bytes asked for.
    pub(crate) bytes: usize,
}

/// What `work` returns and what it allocated on the way.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> (T, Allocated) {
    let before = ALLOCATED.get();
    let result = work();
    let after = ALLOCATED.get();
    (result, Allocated { times: after.times - before.times, bytes: after.bytes - before.bytes })
}

/// Bytes that one thread has asked for and not given back: only right where no other thread frees what is its own.
#[allow(dead_code, reason = "not everybody who counts asks for it")]
pub(crate) fn live() -> usize {
    ALLOCATED.get().bytes - FREED.get()
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: usize) {
    // A thread on its way out has no counter left, and nobody asks it any more.
    let _ = ALLOCATED.try_with(|allocated| {
        let Allocated { times, bytes: before } = allocated.get();
        allocated.set(Allocated { times: times + 1, bytes: before + bytes });
    });
}

fn free(bytes: usize) {
    let _ = FREED.try_with(|freed| freed.set(freed.get() + bytes));
}

#[expect(unsafe_code, reason = "an allocator cannot be written without; all of it is left to the system's")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        free(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size.saturating_sub(layout.size()));
        free(layout.size().saturating_sub(size));
        unsafe { System.realloc(pointer, layout, size) }
    }
}
