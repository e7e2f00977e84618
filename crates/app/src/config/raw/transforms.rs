//! `listeners[].rules[].transforms`.

use schemars::JsonSchema;
use serde::Deserialize;

/// What a target receives in place of what the client has sent. The rule has a `forward`. Transforms change neither the rule that is chosen, nor sign-in,
/// redirects and cookies, which use what the client sent. If the expression does not match, that part of the request stays as it is. If it
/// matches and the result cannot be sent, the request is answered 500.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Transforms {
    /// Changes the `Host` header. The expression is compared with the host without port, case-insensitive. The result may have a port.
    pub(crate) host_header_rewrite: Option<Rewrite>,
    /// Changes the path and the query. The expression is compared with the path as rules see it, but percent-encoded (`/my%20docs/`) and
    /// with its parameters (`/docs;v=1`), and with the query as the client sent it: `/path?query`. The result begins with a slash, and must be a path that a client could send.
    pub(crate) url_rewrite: Option<Rewrite>,
}

/// A regular expression, and what takes the place of its first match. What is around the match stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rewrite {
    /// The regular expression, up to 1024 characters, in the flavour of `regex_values`. It may match a part of the text: write `^` and `$` where it must
    /// not. Example: `^/api/(.*)$`.
    pub(crate) regex: String,
    /// The replacement, up to 1024 characters. `$1` to `$9` and `${10}` are groups of the expression, `$0` is the whole match, `$$` a dollar. What comes
    /// from the path and is written into the query, or the other way round, is percent-encoded where it would mean something else there
    /// (`&`, `;`, `+`, `?`). Example: `/$1`.
    pub(crate) replace: String,
}

/// ALB §7.3.
pub(crate) const LENGTH_MAX: usize = 1024;
