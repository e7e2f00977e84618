//! `retention` of a user pool.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::Period;

/// How long the database of a pool keeps what has happened. Older rows are deleted every ten minutes.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Retention {
    /// The sign-in log: what users have done, and attempts to sign in as them. From a day to two years. Of a user, 1,000 events are kept, and 200 more
    /// that anybody can cause.
    #[serde(default = "events")]
    pub(crate) events: Period,
    /// The audit: what administrators and users have changed. From a day to ten years.
    #[serde(default = "audit")]
    pub(crate) audit: Period,
}

defaults! {
    events: Period = Duration::from_secs(180 * 86_400);
    audit: Period = Duration::from_secs(2 * 365 * 86_400);
}
