//! Keys and signatures: JWK, JWS and the registered claims of a JWT (RFC 7515, 7517, 7519); no I/O.
//!
//! Knows no provider, session or header. Start at [`signing_key::SigningKey`], which makes what we sign, and at
//! [`verify::verify`], through which every token goes, ours and others': [`compact::Compact`] is what was read,
//! [`verify::Verified`] is what may be believed.

pub(crate) mod compact;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod key_set;
pub(crate) mod mismatch;
pub(crate) mod signing_key;
pub(crate) mod standing;
pub(crate) mod strict_json;
pub(crate) mod verify;
