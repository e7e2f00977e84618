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
    /// What the browser is told to forget when a user signs out: `cache` (pages that the back button would show), `storage` (what
    /// scripts of the application have kept, and its service workers), `cookies` (those of the whole domain, other hosts
    /// included). An empty list: nothing. Default: `[cache]`.
    pub(crate) clear_site_data: Option<List<ClearSiteData>>,
    /// Files with a key each: 32 random bytes in hexadecimal or base64, as `vestibule keys session` makes them. The first
    /// seals, all open. All replicas need the same.
    pub(crate) key_files: List<String>,
}

/// A kind of data that a browser keeps for a site.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClearSiteData {
    /// Pages, scripts and images.
    Cache,
    /// Cookies of the whole domain.
    Cookies,
    /// Storage that scripts use, and service workers.
    Storage,
}
