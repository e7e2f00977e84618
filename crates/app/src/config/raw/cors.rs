//! `cors` of a listener or a rule.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::clock::period_text;
use crate::config::raw::value::{List, Period};

/// Which other origins may read responses (CORS). Vestibule answers preflights itself with 204, without sign-in and without asking a
/// target, and sets the headers in every response of the rule: also in 401 and 403, so that the scripts of an allowed
/// origin can read them. Headers of CORS that a target sets are replaced. Other origins get no header, and the browser keeps the response
/// from their scripts. The request itself is not refused. A preflight must match the rule: it has the method `OPTIONS` and no cookies.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cors {
    /// The origins, as browsers write them: `[https://app.example.com]`. `["*"]` means every origin; it excludes `allow_credentials`.
    pub(crate) allow_origins: List<String>,
    /// The methods that scripts may use.
    #[serde(default = "methods")]
    pub(crate) allow_methods: List<String>,
    /// The request headers that scripts may set, besides those that every script may: `[authorization, content-type]`. `["*"]` means every
    /// header except `Authorization`; it excludes `allow_credentials`.
    #[serde(default)]
    pub(crate) allow_headers: List<String>,
    /// The response headers that scripts may read, besides those that every script may.
    #[serde(default)]
    pub(crate) expose_headers: List<String>,
    /// Whether scripts of these origins may send cookies, and so act as the signed-in user. The session cookie is sent to
    /// other sites only with `session_cookie_same_site: none`.
    #[serde(default)]
    pub(crate) allow_credentials: bool,
    /// How long a browser may remember the answer to a preflight.
    #[serde(default = "max_age")]
    #[schemars(extend("x-bound" = format!("At most `{}`.", period_text(MAX_AGE_MAX))))]
    pub(crate) max_age: Period,
}

/// The longest time that a browser keeps the answer to a preflight is a day (Firefox).
pub(crate) const MAX_AGE_MAX: Duration = Duration::from_secs(86_400);

fn methods() -> List<String> {
    List::of(["GET", "HEAD", "POST"].map(str::to_owned))
}

defaults! {
    max_age: Period = Duration::from_secs(600);
}
