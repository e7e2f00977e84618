//! The file as it is written. Serde only: nothing here is checked, and nothing beyond `config` sees it.
//!
//! The doc comment of a field is what an operator reads: `docs/CONFIG.md`, the JSON Schema and an editor's help are made
//! from it. It says what the setting does, its default, and its unit.

pub(crate) mod action;
pub(crate) mod claims;
pub(crate) mod listener;
pub(crate) mod oidc;
pub(crate) mod process;
pub(crate) mod rule;
pub(crate) mod session;
pub(crate) mod target_group;
pub(crate) mod user_pool;
pub(crate) mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use value::List;

/// The configuration of Vestibule: one YAML file. All names are the load balancer's own, in snake_case.
///
/// `${NAME}` takes an environment variable, `$${` is a plain `${`. Paths are relative to the directory of the file. Keys
/// that begin with `x-` at the top are yours: for anchors (`x-login: &login {…}`), which `*login` and `<<: *login` repeat.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Vestibule", extend("patternProperties" = { "^x-": true }))]
pub(crate) struct File {
    /// The sockets to accept requests on, each with its rules. At least one.
    pub(crate) listeners: List<listener::Listener>,
    /// OpenID providers that `authenticate-oidc` names.
    #[serde(default)]
    pub(crate) identity_providers: BTreeMap<String, oidc::IdentityProvider>,
    /// OpenID providers in this process, which `authenticate-user-pool` names.
    #[serde(default)]
    pub(crate) user_pools: BTreeMap<String, user_pool::UserPool>,
    /// Sets of targets that `forward` names.
    #[serde(default)]
    pub(crate) target_groups: BTreeMap<String, target_group::TargetGroup>,
    /// Browser sessions. Needed where a rule authenticates, and by user pools.
    pub(crate) session: Option<session::Session>,
    /// What targets are told about a user who signed in. Needed where a rule authenticates.
    pub(crate) claims: Option<claims::Claims>,
    /// The operator's endpoint: `/livez`, `/readyz`, `/metrics`.
    pub(crate) admin: Option<process::Admin>,
    /// Where the access log goes: one JSON line for each exchange, always.
    pub(crate) access_log: Option<process::AccessLog>,
    /// What the process says about itself, on standard error.
    pub(crate) log: Option<process::Log>,
    /// How the process stops.
    pub(crate) shutdown: Option<process::Shutdown>,
    /// Worker threads. Default: one for each core that the process may use.
    #[schemars(range(min = 1, max = 1024))]
    pub(crate) workers: Option<u32>,
}
