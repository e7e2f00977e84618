//! Relying-party client: the OpenID Connect authorization-code flow, over `openidconnect`.
//!
//! This room does not know sessions, cookies or requests of browsers. It receives the parameters of the callback and returns
//! the values to store. The types of `openidconnect` stay in this room. It verifies nothing: [`crate::jose`] does. Start at [`RelyingParty`].

pub mod access_token;
mod breaker;
mod cached_document;
mod caller;
mod discovery;
pub mod document;
pub mod error;
mod flow;
mod graph;
mod id_token;
pub mod introspection;
mod logout;
mod provider;
mod refreshed;
mod relying_party;
pub mod settings;
pub mod survey;
mod tokens;
mod userinfo;
mod watch;

pub use flow::{Begun, Callback, LoginRequest, Pending, is_reserved_parameter};
pub use logout::LogoutRequest;
pub use refreshed::{RefreshRequest, Refreshed, RefreshedClaims};
pub use relying_party::{Login, RelyingParty};
pub use tokens::Tokens;

#[cfg(test)]
mod tests;
