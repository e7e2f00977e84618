//! Keys and signatures: JWK, JWS and the registered claims of a JWT (RFC 7515, 7517, 7519); no I/O.
//!
//! Knows no provider, session or header. Start at [`signing_key::SigningKey`], which makes what we sign, and at
//! [`verify::verify`], through which every token goes, ours and others': [`compact::Compact`] is what was read,
//! [`verify::Verified`] is what may be believed.

pub mod compact;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
pub mod key_set;
pub(crate) mod mismatch;
pub mod signing_key;
pub mod standing;
pub mod strict_json;
pub mod verify;
