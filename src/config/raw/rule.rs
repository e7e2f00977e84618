//! `listeners[].rules`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::action::Action;
use crate::config::raw::value::List;

/// A rule: when all its conditions hold, its actions run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Names the rule in the access log and metrics. Unique in its listener. Default: `priority-` and the priority.
    pub(crate) name: Option<String>,
    /// 1 to 50000, unique in its listener. The lowest is looked at first.
    #[schemars(range(min = 1, max = 50_000))]
    pub(crate) priority: u32,
    /// All must hold. At least one: what takes everything else is `default_actions`.
    pub(crate) conditions: List<Condition>,
    /// What becomes of a request with `%2F` in its path. With `keep` it is three ordinary characters of a segment, for
    /// `path_pattern` (written `%2F`) and for the target. A request is refused all the same where decoding it would lead to
    /// another rule, or make a dot segment. Default: what the listener says.
    pub(crate) encoded_slash: Option<EncodedSlash>,
    /// Actions in order: at most one that authenticates, then exactly one of `forward`, `redirect` and `fixed-response`.
    pub(crate) actions: List<Action>,
}

/// What becomes of `%2F` in a path.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EncodedSlash {
    /// The request is answered 400: some servers take it for a slash, others do not.
    #[default]
    Refuse,
    /// It passes as it is.
    Keep,
}

/// One condition. Its values are alternatives: one of them must match. `*` stands for any characters, `?` for one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Condition {
    /// Hosts, without port and in any case: `[app.example.com, "*.example.com"]`.
    HostHeader(List<String>),
    /// Paths, decoded but for `%2F`, without parameters (`;…`) and without the query; case matters: `["/api/*"]`.
    PathPattern(List<String>),
    /// Methods: `[GET, HEAD]`.
    HttpRequestMethod(List<String>),
    /// Networks that the client is in: `[10.0.0.0/8]`.
    SourceIp(List<String>),
    /// A header and the values that it may have, in any case.
    HttpHeader(HttpHeader),
    /// Pairs of the query, in any case.
    QueryString(List<QueryPair>),
}

/// A header and its values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpHeader {
    /// The header's name, any but `Host` and those that a client may not set: `X-Forwarded-User` and its like, the names of
    /// `claims.headers`, and any with more than letters, digits and `-` are taken out of every request before rules are asked.
    pub(crate) name: String,
    /// Values that it may have.
    pub(crate) values: List<String>,
}

/// A pair of the query.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryPair {
    /// The name. Default: any.
    pub(crate) key: Option<String>,
    /// The value.
    pub(crate) value: String,
}
