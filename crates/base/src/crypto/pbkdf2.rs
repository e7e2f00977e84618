//! PBKDF2 (RFC 8018 §5.2), for passwords that other systems have hashed with it.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;

/// Fills `output` with PBKDF2-HMAC-SHA256. `None` without iterations.
pub fn sha256(password: &[u8], salt: &[u8], iterations: u32, output: &mut [u8]) -> Option<()> {
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, NonZeroU32::new(iterations)?, salt, password, output);
    Some(())
}
