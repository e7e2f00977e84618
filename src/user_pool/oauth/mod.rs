//! The endpoints of OAuth 2.0 and OpenID Connect. They render no pages. Start at [`authorize`], then [`token`].

pub(crate) mod authorize;
pub(crate) mod error;
pub(crate) mod logout;
pub(crate) mod provider;
pub(crate) mod request;

pub(crate) mod client_auth;
mod discovery;
pub(crate) mod grant;
mod issuer;
mod token;
mod userinfo;

pub(crate) use issuer::supposed_users;
