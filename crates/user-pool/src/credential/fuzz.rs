//! For `fuzz/`: password hashes that come with imported users.

use std::str::FromStr as _;

use crate::credential::cost::Cost;
use crate::credential::foreign::ForeignHash;
use crate::credential::password;
use crate::secret::Secret;

/// A hash that is read has a cost that is written and read again. What the reader of the crate `bcrypt` takes is taken, too, with the same cost. A
/// hash that is cheap is verified, and a hash that is not bearable is never.
pub fn password_hash(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let hash = Secret::new(text.to_owned());
    let read = password::cost(&hash);
    if let Ok(cost) = read {
        assert!(cost.is_bearable(), "{cost}");
        assert_eq!(cost.to_string().parse(), Ok(cost));
        if is_cheap(cost) {
            let _ = password::verify(&hash, &Secret::new("x".to_owned()));
        }
    } else {
        assert!(!password::verify(&hash, &Secret::new("x".to_owned())), "nobody knows what it costs");
    }
    // `$2x$` is of an implementation with a fault; and the crate takes `+4` for a number.
    let is_ours = !text.starts_with("$2x$") && text.as_bytes().get(4).is_some_and(u8::is_ascii_digit);
    if let (Ok(parts), true) = (bcrypt::HashParts::from_str(text), is_ours) {
        let ours = ForeignHash::parse(text).map(|hash| hash.cost);
        assert_eq!(ours, Some(Cost::Bcrypt { cost: parts.get_cost() }));
    }
}

/// A fuzzer tries thousands in a second.
fn is_cheap(cost: Cost) -> bool {
    match cost {
        Cost::Argon2id { memory_kib, passes, .. } => memory_kib <= 64 && passes <= 2,
        Cost::Bcrypt { cost } => cost <= 4,
        Cost::Pbkdf2Sha256 { iterations } => iterations <= 1000,
        Cost::Scrypt { log_n, r, p } => log_n <= 4 && r <= 8 && p <= 2,
    }
}
