//! `login_page` of a pool and of its clients.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// A sign-in page of your own. Users are redirected there with a handle of the request. The page sends the handle, the user name and the password
/// as JSON to `/sign-in/json` of the pool, and opens the address that it gets: see docs/USER_POOL.md. Whoever can change this page can read
/// passwords.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LoginPage {
    /// The address of the page: `https://www.example.com/login`. Without a fragment (`#…`), because the handle is in it.
    pub(crate) url: String,
    /// Origins whose pages may send passwords. Without it, that of `url`.
    #[serde(default)]
    pub(crate) origins: List<String>,
}
