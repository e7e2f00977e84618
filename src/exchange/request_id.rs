//! Names an exchange, in the form of the ALB's trace id (spec §10.3): `1-<8 hex: epoch>-<24 hex: random>`.

use std::cell::Cell;
use std::fmt;

use crate::clock::Timestamp;

/// An id that no other exchange has. 96 random bits; not a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId {
    seconds: u32,
    random: u128,
}

thread_local! {
    /// A counter scrambled by SplitMix64 is enough for a name, and needs no call to the provider for each request. Seeded
    /// from the hasher's random keys, which differ for each thread.
    static STATE: Cell<u64> = Cell::new(std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0_u8));
}

fn next() -> u64 {
    STATE.with(|state| {
        let mut z = state.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        state.set(z);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

impl RequestId {
    /// A new id, for an exchange that began at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        let random = (u128::from(next()) << 64 | u128::from(next())) >> 32;
        Self { seconds: now.seconds() as u32, random }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1-{:08x}-{:024x}", self.seconds, self.random)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
