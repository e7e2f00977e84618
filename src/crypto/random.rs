//! Random bytes and tokens, from the provider's generator.

use aws_lc_rs::rand;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` random bytes.
#[expect(clippy::disallowed_methods, reason = "the one place that asks the generator")]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the provider's generator fails only where the kernel has none");
    bytes
}

/// A token of 256 random bits in 43 characters of base64url (RFC 4648 §5), for whatever a stranger must not guess.
pub(crate) fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}
