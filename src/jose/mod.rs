//! JWK, JWS and registered-claim checks (RFC 7515, 7517, 7519); no I/O.
//!
//! Knows no provider, session or header. Start at [`signing_key::SigningKey`], which makes what we sign.

pub(crate) mod compact;
pub(crate) mod error;
pub(crate) mod signing_key;
pub(crate) mod strict_json;
