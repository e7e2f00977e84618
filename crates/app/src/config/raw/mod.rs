//! The configuration file as deserialized by serde. Nothing is validated here, and only the `config` room uses these
//! types.
//!
//! The doc comment of a field is user documentation: `docs/CONFIG.md`, the JSON Schema and editor help are generated
//! from it. It states the meaning of the setting and its unit. The default is not in it: the generators add the value that is used.

/// Makes the functions that `#[serde(default = "…")]` names. The reference and the schema show what they return, so that a default
/// is written once.
macro_rules! defaults {
    ($($(#[$about:meta])* $name:ident: $kind:ty = $value:expr;)+) => {
        $($(#[$about])* fn $name() -> $kind { $value.into() })+
    };
}

pub(crate) mod acme;
pub(crate) mod action;
pub(crate) mod bearer;
pub(crate) mod claims;
pub(crate) mod cors;
pub(crate) mod forward;
pub(crate) mod forward_auth;
pub(crate) mod health_check;
pub(crate) mod listener;
pub(crate) mod mutual_authentication;
pub(crate) mod oidc;
pub(crate) mod pages;
pub(crate) mod process;
pub(crate) mod response_headers;
pub(crate) mod rule;
pub(crate) mod session;
pub(crate) mod static_files;
pub(crate) mod stickiness;
pub(crate) mod target_group;
pub(crate) mod traces;
pub(crate) mod transforms;
pub(crate) mod user_pool;
pub(crate) mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use value::List;

/// The configuration of Vestibule: one YAML file. Names are those of the AWS load balancer, in snake_case.
///
/// `${NAME}` inserts an environment variable; `$${` is a literal `${`. Paths are relative to the directory of the
/// file. Top-level keys that begin with `x-` are ignored and can hold YAML anchors: `x-login: &login {…}`, used as
/// `*login` or `<<: *login`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Vestibule", extend("patternProperties" = { "^x-": true }))]
pub(crate) struct File {
    /// The sockets that accept requests, each with its rules. At least one.
    pub(crate) listeners: List<listener::Listener>,
    /// OpenID providers, referenced by `authenticate-oidc`, `session-or-bearer` and `jwt-validation`.
    #[serde(default)]
    pub(crate) identity_providers: BTreeMap<String, oidc::IdentityProvider>,
    /// OpenID providers that run inside this process, referenced by `authenticate-user-pool`, `session-or-bearer` and `jwt-validation`.
    #[serde(default)]
    pub(crate) user_pools: BTreeMap<String, user_pool::UserPool>,
    /// Groups of targets, referenced by `forward`.
    #[serde(default)]
    pub(crate) target_groups: BTreeMap<String, target_group::TargetGroup>,
    /// Authorities whose certificates identify clients, referenced by `mutual_authentication`.
    #[serde(default)]
    pub(crate) trust_stores: BTreeMap<String, mutual_authentication::TrustStore>,
    /// Browser sessions. Required if a rule signs users in, if there is a user pool, or if a target group has `stickiness`.
    pub(crate) session: Option<session::Session>,
    /// The identity headers that targets receive. Required if a rule signs users in.
    pub(crate) claims: Option<claims::Claims>,
    /// The certificate authority of listeners with `tls: auto`. Required if there is one.
    pub(crate) acme: Option<acme::Acme>,
    /// The look and the texts of Vestibule's own pages.
    pub(crate) pages: Option<pages::Pages>,
    /// The admin endpoint: `/livez`, `/readyz`, `/metrics`, `/targets`, `/reload`.
    #[serde(default)]
    pub(crate) admin: process::Admin,
    /// The access log: one line per exchange. It cannot be turned off.
    #[serde(default)]
    pub(crate) access_log: process::AccessLog,
    /// What is recorded of requests for a collector of OpenTelemetry. Without it, nothing is.
    pub(crate) traces: Option<traces::Traces>,
    /// The log of the process, on standard error.
    #[serde(default)]
    pub(crate) log: process::Log,
    /// Shutdown.
    #[serde(default)]
    pub(crate) shutdown: process::Shutdown,
    /// Whether the configuration is reloaded when this file, or a file that it names, changes. `vestibule reload`, SIGHUP and `POST /reload`
    /// of the admin endpoint reload in any case.
    #[serde(default = "watch")]
    pub(crate) watch: bool,
    /// Number of worker threads. Changing it needs a restart. Without it, one per core that the process may use.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) workers: Option<u32>,
}

defaults! {
    watch: bool = true;
}
