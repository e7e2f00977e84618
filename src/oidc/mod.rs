//! Relying-party client: the OpenID Connect authorization-code flow, over `openidconnect`.
//!
//! This room does not know sessions, cookies or requests of browsers. It receives the parameters of the callback and returns
//! the values to store. The types of `openidconnect` stay in this room. It verifies nothing: [`crate::jose`] does. Start at [`RelyingParty`].

pub(crate) mod access_token;
mod breaker;
mod cached_document;
mod caller;
mod discovery;
pub(crate) mod document;
pub(crate) mod error;
mod flow;
mod graph;
mod id_token;
pub(crate) mod introspection;
mod logout;
mod provider;
mod refreshed;
mod relying_party;
pub(crate) mod settings;
pub(crate) mod survey;
mod tokens;
mod userinfo;
mod watch;

pub(crate) use flow::{Begun, Callback, LoginRequest, Pending, is_reserved_parameter};
pub(crate) use logout::LogoutRequest;
pub(crate) use refreshed::{RefreshRequest, Refreshed, RefreshedClaims};
pub(crate) use relying_party::{Login, RelyingParty};
pub(crate) use tokens::Tokens;

#[cfg(test)]
mod tests;
