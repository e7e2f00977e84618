//! `session`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// Browser sessions: sealed cookies, nothing kept on the server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// Base name of the session cookie; its parts are `-0` to `-3`. Default: `__Host-vestibule`.
    pub(crate) cookie_name: Option<String>,
    /// What the paths of the sign-in begin with, on every host where a rule authenticates: `/idpresponse` (the callback, to be
    /// registered with the provider), `/sign_in`, `/sign_out` and `/userinfo` follow it. Change it where an application has
    /// paths of these names. Default: `/oauth2`.
    pub(crate) path_prefix: Option<String>,
    /// Files with a key each: 32 random bytes in hexadecimal or base64, as `vestibule keys session` makes them. The first
    /// seals, all open. All replicas need the same.
    pub(crate) key_files: List<String>,
}
