//! `forward`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::clock::period_text;
use crate::config::raw::stickiness::{DURATION_BOUNDS, Format};
use crate::config::raw::value::{List, Period};

/// `forward`: to one target group (`target_group`), or to one of several (`target_groups`).
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forward {
    /// The name of an entry in `target_groups`. It is the audience (`aud`) of the signed claims that its targets get. Exactly one of `target_group` and
    /// `target_groups` is set.
    pub(crate) target_group: Option<String>,
    /// One to five groups that share the requests by weight: `[{ target_group: blue, weight: 90 }, { target_group: green, weight: 10 }]`.
    /// All have the same `protocol_version`. If the chosen group has no healthy target, no other group takes its place. The audience (`aud`) of the
    /// signed claims is the name of the group that was chosen for the request, so an application that is in several groups accepts the names of all.
    pub(crate) target_groups: Option<List<WeightedGroup>>,
    /// Keeps a browser at the group that was chosen for its first request. Required if one of several groups has `stickiness` of its own.
    /// Without it, each request is given to a group of its own.
    pub(crate) stickiness: Option<GroupStickiness>,
    /// Forwards the `Host` header exactly as the client sent it. Otherwise a default port (`:443` or `:80`) is removed.
    #[serde(default)]
    pub(crate) preserve_host_header: bool,
}

/// A target group with its part of the requests.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WeightedGroup {
    /// The name of an entry in `target_groups`.
    pub(crate) target_group: String,
    /// The group gets this part of the sum of all weights. With 0, it gets only browsers that a cookie binds to it already.
    #[serde(default = "weight")]
    #[schemars(range(max = 999))]
    pub(crate) weight: u16,
}

/// Keeps a browser at one of several target groups, by a cookie of Vestibule. A browser whose group is no longer in the list is given another. Needs
/// `session.key_files`: replicas with the same keys send a browser to the same group.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupStickiness {
    /// How long the browser stays at the group, counted from the last answer. The browser keeps the cookie for 7 days in any case: until when it counts
    /// is in its encrypted value. An answer that its target declares fit for shared caches
    /// (`public`, `s-maxage`) does not count.
    #[schemars(extend("x-bound" = format!("From `{}` to `{}`.", period_text(DURATION_BOUNDS.0), period_text(DURATION_BOUNDS.1))))]
    pub(crate) duration: Period,
    /// The name and the attributes of the cookie. `vestibule`: `__Host-vestibule-group.` and eight characters for the first group of the
    /// list. Over plain HTTP, `vestibule-group.`. `alb`: `AWSALBTG` and `AWSALBTGCORS`, the same
    /// for all rules, so a browser that uses two rules of a host stays at its groups only if both have the same first group.
    #[serde(default)]
    pub(crate) format: Format,
}

/// ALB §7.3.
pub(crate) const GROUPS_MAX: usize = 5;

defaults! {
    weight: u16 = 1_u16;
}
