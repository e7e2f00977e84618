//! Certificates by ACME (RFC 8555): obtaining them before there are any, and renewing them before they expire.
//!
//! One task on the control runtime does everything ([`renewal::Renewal::run`]). Handshakes and requests only look at [`issued::Issued`].
//! A certificate is kept until it is replaced, whatever the authority says or does not say.

pub(crate) mod error;
pub(crate) mod issued;
mod order;
pub mod renewal;
mod schedule;
pub mod settings;
mod store;
