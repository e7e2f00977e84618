//! The endpoints of OAuth 2.0 and OpenID Connect. They render no pages. Start at [`authorize`], then [`token`].

pub(crate) mod authorize;
pub(crate) mod error;
pub(crate) mod logout;
pub(crate) mod logout_tokens;
pub(crate) mod provider;
pub(crate) mod request;

mod access;
mod answer;
pub(crate) mod claims_request;
pub(crate) mod client_auth;
mod client_token;
mod cognito;
mod discovery;
pub(crate) mod form_post;
pub(crate) mod grant;
mod holder;
mod interaction;
mod introspect;
mod issuer;
pub mod keys;
pub(crate) mod lifetimes;
mod par;
pub(crate) mod pushed;
mod revoke;
mod token;
mod user_claims;
mod userinfo;

pub use issuer::supposed_users;
