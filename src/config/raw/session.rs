//! `session`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// Browser sessions. A session is stored in encrypted cookies, not on the server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// Base name of the session cookie. The session is stored in cookies with the suffixes `-0` to `-3`. Default:
    /// `__Host-vestibule`.
    pub(crate) cookie_name: Option<String>,
    /// Prefix of the reserved paths: `/idpresponse` (the callback, to be registered with the provider), `/sign_in`,
    /// `/sign_out` and `/userinfo`. They are reserved on every host where a rule authenticates. Change the prefix if
    /// an application uses these paths. Default: `/oauth2`.
    pub(crate) path_prefix: Option<String>,
    /// Data that the browser deletes when a user signs out (`Clear-Site-Data`): `cache` (pages that the back button
    /// would show), `storage` (script storage of the application and its service workers), `cookies` (all cookies of
    /// the whole domain, other hosts included). An empty list deletes nothing. Default: `[cache]`.
    pub(crate) clear_site_data: Option<List<ClearSiteData>>,
    /// Key files, each with 32 random bytes in hexadecimal or base64. `vestibule keys session` creates one. The first
    /// key encrypts new sessions; every key can decrypt. All replicas need the same keys.
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
    /// Script storage and service workers.
    Storage,
}
