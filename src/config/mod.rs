//! The file: read it, check it, hand out settings. No room but `app` and `cli` knows that there is one.
//!
//! Text becomes a [`tree`] with positions; [`shape`] holds it against the schema of the [`raw`] types; [`validate`] makes
//! each room's settings of what is sound. Each step collects all problems, so that one run of `vestibule check` tells an
//! operator everything. Start at [`load`].

pub mod diagnostic;
pub(crate) mod findings;
pub(crate) mod keys;
pub(crate) mod path;
pub(crate) mod raw;
pub mod reference;
pub(crate) mod shape;
pub mod source;
mod suggest;
pub(crate) mod tree;
pub(crate) mod validate;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use serde::Deserialize as _;
use url::Url;

use crate::action::authenticate::paths::Paths;
use crate::action::settings::ChainSettings;
use crate::message::uri::EncodedSlash;
use crate::rule::condition::Condition;
use crate::telemetry::access_log::Destination;
use crate::telemetry::logging;
use crate::{admin, claims, listener, oidc, session, upstream, user_pool};
use diagnostic::Diagnostics;
use findings::Findings;
use path::Path;
use source::{MissingKeys, Source};
use validate::Context;

/// Everything that a process serves with, checked.
#[derive(Debug)]
pub struct Config {
    pub(crate) listeners: Vec<ListenerConfig>,
    /// By name.
    pub(crate) providers: Vec<ProviderConfig>,
    /// By name.
    pub(crate) user_pools: Vec<UserPoolConfig>,
    /// By name.
    pub(crate) target_groups: Vec<upstream::settings::Settings>,
    /// Always there where a rule authenticates or there is a user pool.
    pub(crate) session: Option<session::settings::Settings>,
    /// Where sign-in, callback and sign-out are.
    pub(crate) paths: Arc<Paths>,
    /// Always there where a rule authenticates.
    pub(crate) claims: Option<claims::settings::Settings>,
    pub(crate) admin: admin::settings::Settings,
    pub(crate) access_log: Destination,
    pub(crate) log: logging::Settings,
    pub(crate) shutdown: ShutdownConfig,
    /// Worker threads, at least 1.
    pub(crate) workers: usize,
    /// What was done while loading, to be told: keys that were made.
    pub(crate) notes: Vec<String>,
    /// What will hardly do what was meant.
    pub(crate) warnings: Diagnostics,
}

impl Config {
    /// What was found that does not keep the file from being served with.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// What was done while loading: keys that were made.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// How the process stops.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShutdownConfig {
    /// How long requests are accepted after `/readyz` says that none should come.
    pub(crate) delay: Duration,
    /// How long exchanges that have begun may go on after that.
    pub(crate) drain_timeout: Duration,
}

/// A listener and what is done with its requests.
#[derive(Debug)]
pub(crate) struct ListenerConfig {
    pub(crate) settings: listener::settings::Settings,
    /// In the order of the file; `rule::RuleSet` sorts them.
    pub(crate) rules: Vec<RuleConfig>,
    pub(crate) default: ChainSettings,
    /// What the default actions do with `%2F` in a path.
    pub(crate) encoded_slash: EncodedSlash,
}

impl ListenerConfig {
    /// The actions of every rule, the default's last.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &ChainSettings> {
        self.rules.iter().map(|rule| &rule.chain).chain(std::iter::once(&self.default))
    }
}

/// A rule: conditions, and what is done.
#[derive(Debug)]
pub(crate) struct RuleConfig {
    pub(crate) name: Arc<str>,
    pub(crate) priority: u32,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) chain: ChainSettings,
    /// What becomes of `%2F` in a path.
    pub(crate) encoded_slash: EncodedSlash,
}

/// A provider and whom its certificate is trusted from.
#[derive(Debug)]
pub(crate) struct ProviderConfig {
    pub(crate) settings: oidc::settings::Settings,
    /// `None` trusts the system's authorities.
    pub(crate) roots: Option<Vec<CertificateDer<'static>>>,
}

/// A user pool and the applications that `authenticate-user-pool` signs in to.
#[derive(Debug)]
pub(crate) struct UserPoolConfig {
    /// Without the client that stands for `authenticate-user-pool`; assembly adds it.
    pub(crate) settings: user_pool::settings::Settings,
    /// Origins: `https://app.example.com`.
    pub(crate) applications: Vec<Url>,
}

/// Reads and checks a configuration.
///
/// # Errors
///
/// Every problem that was found, each with its place and a hint.
pub fn load(source: &Source, missing_keys: MissingKeys) -> Result<Config, Diagnostics> {
    let mut found = Findings::default();
    let root = tree::parse(&source.text, &source.environment, &mut found);
    let (config, found) = match &root {
        Some(root) => checked(root, source, missing_keys, found),
        None => (None, found),
    };
    let diagnostics =
        |found: Findings| Diagnostics::new(source.name.clone(), &source.text, found.located(root.as_ref()));
    match config {
        Some(config) => Ok(Config { warnings: diagnostics(found), ..config }),
        None => Err(diagnostics(found)),
    }
}

/// Where the operator's endpoint listens if no file says otherwise.
pub(crate) const DEFAULT_ADMIN_ADDRESS: SocketAddr = admin::settings::DEFAULT_ADDRESS;

/// Where the operator's endpoint of a file listens, though the rest of the file be unsound; `None` where that itself is.
pub(crate) fn admin_address(source: &Source) -> Option<SocketAddr> {
    let mut found = Findings::default();
    let root = tree::parse(&source.text, &source.environment, &mut found)?;
    let written = root.get("admin").and_then(|admin| admin.get("address"));
    match written.map(|node| &node.value) {
        None | Some(tree::Value::Null) => Some(DEFAULT_ADMIN_ADDRESS),
        Some(tree::Value::String(text) | tree::Value::Substituted { text, .. }) => text.parse().ok(),
        Some(_) => None,
    }
}

fn checked(
    root: &tree::Node,
    source: &Source,
    missing_keys: MissingKeys,
    mut found: Findings,
) -> (Option<Config>, Findings) {
    let Some(sound) = shape::check(root, &reference::SCHEMA, &mut found) else { return (None, found) };
    match raw::File::deserialize(sound) {
        Ok(raw) => {
            let protected = validate::protected(&raw);
            let mut context = Context { source, missing_keys, found, notes: Vec::new(), root, protected };
            let config = validate::file(&raw, &mut context);
            (config, context.found)
        }
        Err(error) => {
            // The schema let through what the types do not take: a mistake of ours, and still not a reason to go on.
            found.problem(&Path::default(), format!("the file cannot be read: {error}"));
            (None, found)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
