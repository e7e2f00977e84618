//! `session`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::authenticate::paths::DEFAULT_PREFIX;
use crate::config::raw::value::List;

/// Browser sessions. A session is stored in encrypted cookies, not on the server.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    /// Base name of the session cookie. The session is stored in cookies with the suffixes `-0` to `-3`.
    #[serde(default = "cookie_name")]
    pub(crate) cookie_name: String,
    /// Prefix of the reserved paths: `/idpresponse` (the callback, to be registered with the provider), `/sign_in`, `/sign_out`
    /// and `/userinfo`. They are reserved on every host where a rule authenticates. Change the prefix if an application uses
    /// these paths.
    #[serde(default = "path_prefix")]
    pub(crate) path_prefix: String,
    /// Data that the browser deletes when a user signs out (`Clear-Site-Data`): `cache` (pages that the back button would show),
    /// `storage` (script storage of the application and its service workers), `cookies` (all cookies of the whole domain, other
    /// hosts included). An empty list deletes nothing.
    #[serde(default = "clear_site_data")]
    pub(crate) clear_site_data: List<ClearSiteData>,
    /// Key files, each with 32 random bytes in hexadecimal or base64. `vestibule keys session` creates one. The first
    /// key encrypts new sessions; every key can decrypt. All replicas need the same keys.
    pub(crate) key_files: List<String>,
}

/// The name of the session cookie, if the file does not say.
pub(crate) const COOKIE_NAME: &str = "__Host-vestibule";

defaults! {
    cookie_name: String = COOKIE_NAME;
    path_prefix: String = DEFAULT_PREFIX;
    clear_site_data: List<ClearSiteData> = List::of([ClearSiteData::Cache]);
}

/// A kind of data that a browser keeps for a site.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClearSiteData {
    /// Pages, scripts and images.
    Cache,
    /// Cookies of the whole domain.
    Cookies,
    /// Script storage and service workers.
    Storage,
}
