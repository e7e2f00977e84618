//! The embedded OpenID provider: users and app clients from the configuration, pages to sign in on, and the endpoints of
//! OpenID Connect Core, Discovery and RP-Initiated Logout below one issuer.
//!
//! This room does not depend on the proxy: it receives the requests for its own host and answers them. Any relying party can
//! use it. `hosted_ui` renders pages, `oauth` implements the protocol, `signin` verifies users. `pool` passes each request
//! to one of them. Start at [`pool::UserPool::handle`].

pub(crate) mod brand;
pub(crate) mod credential;
pub(crate) mod directory;
pub(crate) mod endings;
pub(crate) mod events;
pub(crate) mod federation;
pub(crate) mod in_process;
pub(crate) mod pool;
pub(crate) mod settings;

pub(crate) mod account;
pub(crate) mod background;
mod client_options;
pub(crate) mod factors;
mod failures;
mod hosted_ui;
pub(crate) mod import;
mod issued;
mod logouts;
pub(crate) mod management;
mod memory;
pub(crate) mod messages;
mod metrics;
mod oauth;
pub(crate) mod passwords;
mod place;
mod rate_limit;
pub(crate) mod rekey;
mod reply;
pub(crate) mod restored;
mod retention;
mod risk;
mod routes;
mod schema;
mod seal;
mod seen;
mod seldom;
pub(crate) mod self_service;
mod shares;
mod signin;
pub(crate) mod verification;

pub(crate) use client_options::{ClientOptions, GrantTypes, SCOPES};
pub(crate) use directory::StoredUsers;
pub(crate) use directory::client::check_redirect_uri;
pub(crate) use directory::name::UserName;
pub(crate) use directory::record::Records;
pub(crate) use in_process::InProcess;
pub(crate) use memory::PoolMemory;
pub(crate) use oauth::keys;
pub(crate) use oauth::supposed_users;
pub(crate) use place::At;
pub(crate) use pool::UserPool;
pub(crate) use routes::PROVIDER_ANSWER as ANSWER_PATH;
pub(crate) use schema::MIGRATIONS;
