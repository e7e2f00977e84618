//! `listeners[].rules`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::config::raw::action::Action;
use crate::config::raw::cors::Cors;
use crate::config::raw::transforms::Transforms;
use crate::config::raw::value::List;

/// A rule: if all its conditions match, its actions run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    /// Name of the rule in the access log and metrics. Must be unique in its listener. Without it, `priority-` followed by the
    /// priority.
    pub(crate) name: Option<String>,
    /// 1 to 50000, unique in its listener. The rule with the lowest number is evaluated first.
    #[schemars(range(min = 1, max = 50_000))]
    pub(crate) priority: u32,
    /// Conditions; all must match. At least one is required. Use `default_actions` for requests that match no rule.
    pub(crate) conditions: List<Condition>,
    /// What to do with a request whose path contains `%2F`. With `keep`, `%2F` is three ordinary characters of a segment, both
    /// for `path_pattern` (written `%2F`) and for the target. The request is still refused if the decoded path would match
    /// another rule or contain a dot segment. Without it, `encoded_slash` of the listener.
    pub(crate) encoded_slash: Option<EncodedSlash>,
    /// Which other origins may read the responses of this rule. Without it, `cors` of the listener.
    pub(crate) cors: Option<Cors>,
    /// Changes what the target receives: another `Host`, another path.
    pub(crate) transforms: Option<Transforms>,
    /// Actions in order: at most one that signs users in or takes tokens, then any number of `authorize`, then
    /// exactly one of `forward`, `redirect`, `fixed-response` and `static`.
    pub(crate) actions: List<Action>,
}

/// What to do with `%2F` in a path.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum EncodedSlash {
    /// The request is answered 400, because servers disagree on whether `%2F` is a slash.
    #[default]
    Refuse,
    /// `%2F` is kept and forwarded.
    Keep,
}

/// One condition. It matches if one of its values matches. `*` matches any number of characters, `?` matches one.
///
/// A regular expression must match the whole text, also without `^` and `$`. It has up to 128 characters, and no look-ahead, look-behind, `\p{…}`
/// or references to its own groups. It works on bytes: `\d`, `\w`, `\s` and `\b` know ASCII only, and `.` is one byte.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Condition {
    /// Host names without port, case-insensitive: `[app.example.com, "*.example.com"]`. Or regular expressions for the whole
    /// host: `{ regex_values: ["app[0-9]+\\.example\\.com"] }`.
    HostHeader(Patterns),
    /// Paths, case-sensitive: `["/api/*"]`. The path is decoded except for `%2F`, and has no parameters (`;…`) and no
    /// query. Several slashes in a row count as one. Or regular expressions for the whole path: `{ regex_values: ["^/users/[0-9]+$"] }`.
    PathPattern(Patterns),
    /// Methods: `[GET, HEAD]`. A WebSocket is a GET, also over HTTP/2.
    HttpRequestMethod(List<String>),
    /// Networks of the client address: `[10.0.0.0/8]`.
    SourceIp(List<String>),
    /// A request header and its allowed values, case-insensitive. The client chooses its headers: a request that must be
    /// refused or signed in needs a rule by host or path.
    HttpHeader(HttpHeader),
    /// Query parameters, case-insensitive, separated by `&`. The client chooses them, and a target may read a query in
    /// another way (`;`, `key[]`): a request that must be refused or signed in needs a rule by host or path.
    QueryString(List<QueryPair>),
}

/// The values of a condition: texts with wildcards as a list, or regular expressions below `regex_values`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Patterns {
    Values(List<String>),
    Regex(RegexValues),
}

/// Regular expressions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RegexValues {
    pub(crate) regex_values: List<String>,
}

impl JsonSchema for Patterns {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("Patterns")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["array", "object"],
            "items": { "type": "string" },
            "properties": {
                "regex_values": {
                    "description": "Regular expressions for the whole text.",
                    "type": "array",
                    "items": { "type": "string" },
                },
            },
            "required": ["regex_values"],
            "additionalProperties": false,
        })
    }
}

/// A header and its values: exactly one of `values` and `regex_values`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HttpHeader {
    /// Name of the header. `Host` is not allowed; use `host_header`. Headers that clients may not set are not allowed
    /// either, because they are removed before rules are evaluated: `X-Forwarded-User` and similar headers, the names
    /// in `claims.headers`, and names with characters other than letters, digits and `-`.
    pub(crate) name: String,
    /// Allowed values.
    pub(crate) values: Option<List<String>>,
    /// Regular expressions for the whole value of the header, case-insensitive.
    pub(crate) regex_values: Option<List<String>>,
}

/// A query parameter.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryPair {
    /// Name of the parameter. Without it, any name.
    pub(crate) key: Option<String>,
    /// Value of the parameter.
    pub(crate) value: String,
}
