//! Loads and validates the configuration file. Only the rooms `app` and `cli` know that there is a file.
//!
//! The text is parsed into a [`tree`] with positions. [`shape`] validates the tree against the schema of the [`raw`]
//! types. [`validate`] converts the valid parts to the settings of each room. Each step collects all problems, so
//! that one run of `vestibule check` reports all of them. Start at [`load`].

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

/// The validated configuration of a process.
#[derive(Debug)]
pub struct Config {
    pub(crate) listeners: Vec<ListenerConfig>,
    /// By name.
    pub(crate) providers: Vec<ProviderConfig>,
    /// By name.
    pub(crate) user_pools: Vec<UserPoolConfig>,
    /// By name.
    pub(crate) target_groups: Vec<upstream::settings::Settings>,
    /// Present if a rule authenticates or there is a user pool.
    pub(crate) session: Option<session::settings::Settings>,
    /// The paths of sign-in, callback and sign-out.
    pub(crate) paths: Arc<Paths>,
    /// Present if a rule authenticates.
    pub(crate) claims: Option<claims::settings::Settings>,
    pub(crate) admin: admin::settings::Settings,
    pub(crate) access_log: Destination,
    pub(crate) log: logging::Settings,
    pub(crate) shutdown: ShutdownConfig,
    /// Number of worker threads, at least 1.
    pub(crate) workers: usize,
    /// Messages about side effects of loading: keys that were created.
    pub(crate) notes: Vec<String>,
    /// Warnings: settings that probably do not have the intended effect.
    pub(crate) warnings: Diagnostics,
}

impl Config {
    /// The warnings of the file.
    #[must_use]
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// Messages about side effects of loading: keys that were created.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Settings of the shutdown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShutdownConfig {
    /// How long requests are accepted after `/readyz` starts to answer 503.
    pub(crate) delay: Duration,
    /// How long exchanges in progress may continue after the delay.
    pub(crate) drain_timeout: Duration,
}

/// A listener with its rules.
#[derive(Debug)]
pub(crate) struct ListenerConfig {
    pub(crate) settings: listener::settings::Settings,
    /// In the order of the file; `rule::RuleSet` sorts them.
    pub(crate) rules: Vec<RuleConfig>,
    pub(crate) default: ChainSettings,
    /// `encoded_slash` of the default actions.
    pub(crate) encoded_slash: EncodedSlash,
}

impl ListenerConfig {
    /// The action chains of all rules, then that of the default actions.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &ChainSettings> {
        self.rules.iter().map(|rule| &rule.chain).chain(std::iter::once(&self.default))
    }
}

/// A rule: conditions and actions.
#[derive(Debug)]
pub(crate) struct RuleConfig {
    pub(crate) name: Arc<str>,
    pub(crate) priority: u32,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) chain: ChainSettings,
    /// What to do with `%2F` in a path.
    pub(crate) encoded_slash: EncodedSlash,
}

/// A provider and the root certificates for it.
#[derive(Debug)]
pub(crate) struct ProviderConfig {
    pub(crate) settings: oidc::settings::Settings,
    /// `None` uses the root certificates of the system.
    pub(crate) roots: Option<Vec<CertificateDer<'static>>>,
}

/// A user pool and the applications that use it with `authenticate-user-pool`.
#[derive(Debug)]
pub(crate) struct UserPoolConfig {
    /// Without the client for `authenticate-user-pool`, which `app` adds.
    pub(crate) settings: user_pool::settings::Settings,
    /// Origins: `https://app.example.com`.
    pub(crate) applications: Vec<Url>,
}

/// Loads and validates a configuration.
///
/// # Errors
///
/// Returns all problems, each with its position and a hint.
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

/// The default address of the admin endpoint.
pub(crate) const DEFAULT_ADMIN_ADDRESS: SocketAddr = admin::settings::DEFAULT_ADDRESS;

/// The address of the admin endpoint in a file, even if other parts of the file are invalid. `None` if the address is
/// invalid.
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
            // The schema accepted a value that the types do not accept: a bug of ours, reported as an error.
            found.problem(&Path::default(), format!("the file cannot be read: {error}"));
            (None, found)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
