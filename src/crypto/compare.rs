//! Constant-time comparison.

use aws_lc_rs::constant_time::verify_slices_are_equal;

/// Whether both are the same bytes. Only their lengths can be learned from the time it takes.
pub(crate) fn equal(left: &[u8], right: &[u8]) -> bool {
    verify_slices_are_equal(left, right).is_ok()
}
