//! The validated configuration: the settings of each room, ready for `app`.

use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use url::Url;

use crate::action::authenticate::paths::Paths;
use crate::action::settings::ChainSettings;
use crate::config::changes::Document;
use crate::config::document::report::Diagnostics;
use crate::message::cors;
use crate::message::uri::EncodedSlash;
use crate::rule::condition::Condition;
use crate::telemetry::access_log::{Destination, alb};
use crate::telemetry::logging;
use crate::{admin, certificate, claims, forward_auth, listener, oidc, otlp, page, session, upstream, user_pool};

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
    pub(crate) pages: page::settings::Settings,
    /// Present if a listener has `tls: auto`.
    pub(crate) acme: Option<certificate::acme::settings::Settings>,
    pub(crate) admin: admin::Settings,
    pub(crate) access_log: Destination,
    /// Present if the access log has the format of the ALB.
    pub(crate) alb: Option<alb::Settings>,
    /// Present if there is a collector of traces.
    pub(crate) traces: Option<otlp::settings::Settings>,
    pub(crate) log: logging::Settings,
    pub(crate) shutdown: ShutdownConfig,
    /// Whether the configuration is reloaded when one of its files changes.
    pub(crate) watch: bool,
    /// What the file and the files that it names say, to compare it with another configuration.
    pub(crate) document: Document,
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
    /// Which other origins may read the responses of the default actions.
    pub(crate) cors: Option<cors::Policy>,
    /// If the listener answers questions of another proxy.
    pub(crate) forward_auth: Option<forward_auth::settings::Settings>,
}

impl ListenerConfig {
    /// The action chains of all rules, then that of the default actions.
    pub(crate) fn chains(&self) -> impl Iterator<Item = &ChainSettings> {
        self.rules.iter().map(|rule| &rule.chain).chain(std::iter::once(&self.default))
    }

    /// The same, each with what `check` calls it.
    pub(crate) fn named_chains(&self) -> impl Iterator<Item = (String, &ChainSettings)> {
        let rules = self.rules.iter().map(|rule| (format!("rule `{}`", rule.name), &rule.chain));
        rules.chain([("`default_actions`".to_owned(), &self.default)])
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
    /// Which other origins may read the responses of the rule.
    pub(crate) cors: Option<cors::Policy>,
}

/// A provider and the root certificates for it.
#[derive(Clone, Debug, PartialEq)]
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
