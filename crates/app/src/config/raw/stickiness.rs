//! `stickiness` of a target group.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock::period_text;
use crate::config::raw::value::Period;
use crate::upstream::stickiness::settings::Settings;

/// Keeps the requests of one browser at one target, by a cookie of Vestibule. If the target is skipped or unhealthy, has left the group or
/// cannot be reached, another target is chosen, and the browser stays there. Needs `session.key_files`: replicas with the same keys send a browser
/// to the same target.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stickiness {
    /// `lb_cookie` or `app_cookie`: when the cookie is set.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// The cookie of the application. Required with `app_cookie`. Example: `JSESSIONID`.
    pub(crate) cookie_name: Option<String>,
    /// How long the browser stays at the target, counted from the last answer that set the cookie of Vestibule. The browser keeps the cookie for 7
    /// days in any case (`Max-Age`; `Expires` with `format: alb`): until when it counts is in its encrypted value.
    #[serde(default = "duration")]
    #[schemars(extend("x-bound" = format!("From `{}` to `{}`.", period_text(DURATION_BOUNDS.0), period_text(DURATION_BOUNDS.1))))]
    pub(crate) duration: Period,
    /// The name and the attributes of the cookie.
    #[serde(default)]
    pub(crate) format: Format,
}

/// When the cookie of stickiness is set.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "StickinessType")]
pub(crate) enum Kind {
    /// With every answer of a target, except answers that the target declares fit for shared caches (`public`, `s-maxage`). The other
    /// answers become `Cache-Control: private`.
    LbCookie,
    /// With answers of a target that set the cookie `cookie_name`, whatever its value is, and when a browser goes to another
    /// target than before.
    AppCookie,
}

/// The name and the attributes of the cookie of stickiness.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "StickinessFormat")]
pub(crate) enum Format {
    /// `__Host-vestibule-target.` and eight characters for the group, with `SameSite=Lax`. Over plain HTTP, `vestibule-target.`.
    #[default]
    Vestibule,
    /// As the AWS load balancer: `AWSALB` and `AWSALBCORS`, or `AWSALBAPP-0`. `AWSALBCORS` has `SameSite=None`, for frames and
    /// scripts of other sites. All groups have the same names, so a host can have one such group of each type.
    Alb,
}

/// ALB §9.4.
pub(crate) const DURATION_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(7 * 86_400));

defaults! {
    duration: Period = Settings::DURATION;
}
