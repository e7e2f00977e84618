//! `mfa` of a user pool.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::List;

/// Second factors: what a user proves besides the password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mfa {
    /// Whether users are asked for a second factor.
    #[serde(default)]
    pub(crate) mode: MfaMode,
    /// The same for the users of some groups, instead: `{ admins: required, robots: off }`. For a user of several of them the strictest counts.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, MfaMode>,
    /// Which second factors users may have.
    #[serde(default = "factors")]
    pub(crate) factors: List<MfaFactor>,
}

/// Whether users are asked for a second factor.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MfaMode {
    /// Nobody is asked.
    Off,
    /// Users who have set one up are asked.
    #[default]
    Optional,
    /// All are asked. Users who have none set one up when they sign in.
    Required,
}

/// A second factor.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MfaFactor {
    /// One-time passwords of an app on the user's phone (RFC 6238).
    Totp,
}

fn factors() -> List<MfaFactor> {
    List::of([MfaFactor::Totp])
}
