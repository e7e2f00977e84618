//! Random numbers for identities that are not secrets: of exchanges, connections and spans.

use std::cell::Cell;

thread_local! {
    /// A counter, mixed by SplitMix64. That is enough for an id, and needs no call to the crypto provider for each request. The
    /// seed comes from the hasher's random keys, which differ for each thread.
    static STATE: Cell<u64> = Cell::new(std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8));
}

/// The next random number of this thread. No other thread is involved.
pub fn next() -> u64 {
    STATE.with(|state| {
        let mut z = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(z);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// The id of a span, which is never 0 (W3C Trace Context §3.2.2.4).
pub fn span() -> u64 {
    next().max(1)
}
