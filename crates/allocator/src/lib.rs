//! mimalloc as the global allocator.
//!
//! The crate `mimalloc` calls `mi_malloc_aligned` for every allocation. mimalloc 3 then allocates `alignment - 1` bytes more
//! for nearly every block above 1 KiB, and its free of such a block is slower. But mimalloc aligns each block to 16 bytes
//! already, or to its size if that is smaller. So `mi_malloc` is enough for nearly every type. For a request it saves 1,400
//! instructions of 58,500 (docs/decisions/0090).

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc, mi_zalloc_aligned,
};

/// The allocator. For `#[global_allocator]`.
#[derive(Clone, Copy, Debug)]
pub struct Mimalloc;

/// `MI_MAX_ALIGN_SIZE` of mimalloc: the alignment of a block of at least this size, in bytes.
const ALIGNMENT_OF_EACH_BLOCK: usize = 16;

/// Whether mimalloc gives every block of `size` bytes this alignment without being asked.
///
/// The size of a block is rounded up to 8 bytes, or to a multiple of 16 (`mi_bin` in `page-queue.c`). The blocks of a page
/// follow one another from a multiple of 16 (`MI_PAGE_MIN_START_BLOCK_ALIGN`). `alloc.c` asserts what follows from that.
#[inline(always)]
const fn is_natural(size: usize, alignment: usize) -> bool {
    alignment <= ALIGNMENT_OF_EACH_BLOCK && alignment <= size
}

// SAFETY: every function returns what mimalloc returned: null, or a block of at least `size` bytes that nobody else has. Its
// alignment is at least `layout.align()`: by `is_natural`, or because mimalloc was asked for it. Nothing unwinds: it is C.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, alignment) = (layout.size(), layout.align());
        if is_natural(size, alignment) {
            // SAFETY: takes any size.
            unsafe { mi_malloc(size) }.cast()
        } else {
            // SAFETY: takes any size. An alignment of a `Layout` is a power of two.
            unsafe { mi_malloc_aligned(size, alignment) }.cast()
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, alignment) = (layout.size(), layout.align());
        if is_natural(size, alignment) {
            // SAFETY: takes any size.
            unsafe { mi_zalloc(size) }.cast()
        } else {
            // SAFETY: takes any size. An alignment of a `Layout` is a power of two.
            unsafe { mi_zalloc_aligned(size, alignment) }.cast()
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller says that the block is of this allocator and is not used any more. `mi_free` takes blocks of
        // both functions.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if is_natural(size, layout.align()) {
            // SAFETY: the block is of this allocator. `mi_realloc` takes blocks of both functions, and what it returns is
            // aligned as what `mi_malloc` returns.
            unsafe { mi_realloc(block.cast(), size) }.cast()
        } else {
            // SAFETY: the block is of this allocator. An alignment of a `Layout` is a power of two.
            unsafe { mi_realloc_aligned(block.cast(), size, layout.align()) }.cast()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything that the tests allocate is of this allocator, too.
    #[global_allocator]
    static ALLOCATOR: Mimalloc = Mimalloc;

    /// Sizes around every bound that mimalloc has: its bins, small and large blocks, and a block of its own.
    fn sizes() -> impl Iterator<Item = usize> + Clone {
        let around = (4..=17).flat_map(|power| {
            let size = 1_usize << power;
            [size - 1, size, size + 1, size + size / 4, size + size / 2 + 8]
        });
        (1..=80).chain(around)
    }

    fn alignments() -> impl Iterator<Item = usize> + Clone {
        (0..=13).map(|power| 1_usize << power)
    }

    /// Allocates several blocks of one layout at once, so that more than the first block of a page is looked at.
    fn blocks(layout: Layout, allocate: impl Fn() -> *mut u8) -> Vec<*mut u8> {
        let count = if layout.size() > 1 << 14 { 2 } else { 5 };
        let blocks: Vec<*mut u8> = (0..count).map(|_| allocate()).collect();
        for block in &blocks {
            assert!(!block.is_null() && block.addr() % layout.align() == 0, "{block:?} for {layout:?}");
        }
        blocks
    }

    #[test]
    fn each_block_is_aligned_and_nobody_elses() {
        for (size, alignment) in sizes().flat_map(|size| alignments().map(move |alignment| (size, alignment))) {
            let layout = Layout::from_size_align(size, alignment).expect("a layout");
            // SAFETY: no size is 0.
            let blocks = blocks(layout, || unsafe { Mimalloc.alloc(layout) });
            for (mark, block) in (1..).zip(&blocks) {
                // SAFETY: the block has `size` bytes.
                unsafe { block.write_bytes(mark, size) };
            }
            for (mark, block) in (1..).zip(blocks) {
                // SAFETY: `size` bytes were written. It is freed once, with its layout.
                unsafe {
                    assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == mark), "{layout:?}");
                    Mimalloc.dealloc(block, layout);
                }
            }
        }
    }

    #[test]
    fn a_zeroed_block_is_zeroed_also_where_something_was() {
        for (size, alignment) in sizes().flat_map(|size| alignments().map(move |alignment| (size, alignment))) {
            let layout = Layout::from_size_align(size, alignment).expect("a layout");
            for _ in 0..2 {
                // SAFETY: no size is 0.
                for block in blocks(layout, || unsafe { Mimalloc.alloc_zeroed(layout) }) {
                    // SAFETY: the block has `size` bytes, which are zeroed. It is freed once, with its layout.
                    unsafe {
                        assert!(std::slice::from_raw_parts(block, size).iter().all(|byte| *byte == 0), "{layout:?}");
                        block.write_bytes(0xff, size);
                        Mimalloc.dealloc(block, layout);
                    }
                }
            }
        }
    }

    #[test]
    fn a_block_that_grows_or_shrinks_keeps_its_bytes_and_its_alignment() {
        let few = || [1, 7, 8, 15, 16, 24, 100, 1024, 1025, 5000, 70_000, 300_000].into_iter();
        for (alignment, from, to) in
            alignments().flat_map(|alignment| few().flat_map(move |from| few().map(move |to| (alignment, from, to))))
        {
            let layout = Layout::from_size_align(from, alignment).expect("a layout");
            // SAFETY: no size is 0. The bytes that are read were written. Each block is freed once, with its last layout.
            unsafe {
                let block = Mimalloc.alloc(layout);
                (0..from).for_each(|place| block.add(place).write(place as u8));
                let block = Mimalloc.realloc(block, layout, to);
                assert!(!block.is_null() && block.addr() % alignment == 0, "{layout:?} to {to}");
                assert!((0..from.min(to)).all(|place| block.add(place).read() == place as u8), "{layout:?} to {to}");
                block.write_bytes(0xff, to);
                Mimalloc.dealloc(block, Layout::from_size_align(to, alignment).expect("a layout"));
            }
        }
    }
}
