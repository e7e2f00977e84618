//! Random bytes, digests of bytes, and their comparison in constant time.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` random bytes.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the generator")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the provider's generator fails only where the kernel has none");
    bytes
}

/// A token of 256 random bits in 43 characters of base64url (RFC 4648 §5), for whatever a stranger must not guess.
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

/// The SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// The SHA-1 of `bytes`, where a standard names values by it. It proves nothing.
pub fn sha1(bytes: &[u8]) -> [u8; 20] {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes);
    digest.as_ref().try_into().expect("SHA-1 has 20 bytes")
}

/// Whether both are the same bytes. Only their lengths can be learned from the time it takes.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    verify_slices_are_equal(left, right).is_ok()
}
