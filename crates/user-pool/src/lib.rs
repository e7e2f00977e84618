//! The embedded OpenID provider: users and app clients from the configuration, pages to sign in on, and the endpoints of
//! OpenID Connect Core, Discovery and RP-Initiated Logout below one issuer.
//!
//! This room does not depend on the proxy: it receives the requests for its own host and answers them. Any relying party can
//! use it. `hosted_ui` renders pages, `oauth` implements the protocol, `signin` verifies users. `pool` passes each request
//! to one of them. Start at [`pool::UserPool::handle`].

// The rooms below. They are called by the same names as in the crates beside this one.
#[cfg(test)]
use vestibule_base::testing;
use vestibule_base::{
    backchannel, clock, crypto, database, drain, identity, jose, message, oidc, page, secret, telemetry,
};

pub mod brand;
pub mod credential;
pub mod directory;
pub mod endings;
pub mod events;
pub mod federation;
pub(crate) mod in_process;
pub(crate) mod pool;
pub mod settings;

pub mod account;
pub mod background;
mod client_options;
pub mod factors;
mod failures;
mod hosted_ui;
pub mod import;
mod issued;
mod logouts;
pub mod management;
mod memory;
pub mod messages;
mod metrics;
mod oauth;
pub mod passwords;
mod place;
mod rate_limit;
pub mod rekey;
mod reply;
pub mod restored;
mod retention;
mod risk;
mod routes;
mod schema;
mod seal;
mod seen;
mod seldom;
pub mod self_service;
mod shares;
mod signin;
pub(crate) mod verification;

pub use client_options::{ClientOptions, GrantTypes, SCOPES};
pub use directory::StoredUsers;
pub use directory::client::check_redirect_uri;
pub use directory::name::UserName;
pub use directory::record::Records;
pub use in_process::InProcess;
pub use memory::PoolMemory;
pub use oauth::keys;
pub use oauth::supposed_users;
pub use place::At;
pub use pool::{Answering, UserPool};
pub use routes::PROVIDER_ANSWER as ANSWER_PATH;
pub use schema::MIGRATIONS;
