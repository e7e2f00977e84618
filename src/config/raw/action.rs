//! `actions` and `default_actions`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period, TextOrNumber};

/// One action, by its `type`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Action {
    /// Lets signed-in users on, and signs in the others with an OpenID provider. On `https` listeners.
    AuthenticateOidc(AuthenticateOidc),
    /// The same, with a user pool of this process as the provider.
    AuthenticateUserPool(AuthenticateUserPool),
    /// Validates a bearer token. Not in this version.
    JwtValidation(#[expect(dead_code, reason = "accepted to be refused in one sentence")] JwtValidation),
    /// Sends the request to a target group.
    Forward(Forward),
    /// Sends the client elsewhere.
    Redirect(Redirect),
    /// Answers by itself.
    FixedResponse(FixedResponse),
}

/// `authenticate-oidc`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthenticateOidc {
    /// A name of `identity_providers`.
    pub(crate) provider: String,
    /// The scopes to ask for, separated by spaces. Default: `openid`.
    pub(crate) scope: Option<String>,
    /// The session cookie's base name; its parts are `-0` to `-3`. Applications that must not share their sessions need
    /// different names. Default: `session.cookie_name`.
    pub(crate) session_cookie_name: Option<String>,
    /// The longest life of a session, from its sign-in. Default: `7d`, which is also the maximum.
    pub(crate) session_timeout: Option<Period>,
    /// What to do with a request that has no session. Default: `authenticate`.
    #[serde(default)]
    pub(crate) on_unauthenticated_request: OnUnauthenticatedRequest,
    /// What `on_unauthenticated_request: deny` does when a session is over. Default: `deny`.
    pub(crate) on_expired_session: Option<OnExpiredSession>,
    /// Marks every answer to a signed-in user `Cache-Control: private`, so that no shared cache in front of this proxy stores
    /// it, also where the application says `public`. The browser's own cache is not affected. Default: false, except for
    /// answers that carry a cookie of this proxy, which are always private.
    #[serde(default)]
    pub(crate) private_responses: bool,
    /// `SameSite` of the session cookie: with which requests of other sites the browser sends it. `lax`: with links and other
    /// navigations by GET. `strict`: with none; a link from another site costs one more page. `none`: with all, for pages in
    /// frames of other sites and forms that other sites send here; the application must then protect itself against forged
    /// requests. Default: `lax`.
    #[serde(default)]
    pub(crate) session_cookie_same_site: SameSite,
    /// Other origins whose pages may open WebSockets as the signed-in user, as `https://app.example.com`. Default: none, only the
    /// request's own host.
    #[serde(default)]
    pub(crate) allowed_origins: List<String>,
    /// Added to the request to the provider, as `{ prompt: login }`. At most 10.
    #[serde(default)]
    pub(crate) authentication_request_extra_params: BTreeMap<String, String>,
}

/// `authenticate-user-pool`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AuthenticateUserPool {
    /// A name of `user_pools`.
    pub(crate) user_pool: String,
    /// The scopes to ask for, separated by spaces. Default: `openid`.
    pub(crate) scope: Option<String>,
    /// The session cookie's base name; its parts are `-0` to `-3`. Applications that must not share their sessions need
    /// different names. Default: `session.cookie_name`.
    pub(crate) session_cookie_name: Option<String>,
    /// The longest life of a session, from its sign-in. Default: `7d`, which is also the maximum.
    pub(crate) session_timeout: Option<Period>,
    /// What to do with a request that has no session. Default: `authenticate`.
    #[serde(default)]
    pub(crate) on_unauthenticated_request: OnUnauthenticatedRequest,
    /// What `on_unauthenticated_request: deny` does when a session is over. Default: `deny`.
    pub(crate) on_expired_session: Option<OnExpiredSession>,
    /// Marks every answer to a signed-in user `Cache-Control: private`, so that no shared cache in front of this proxy stores
    /// it, also where the application says `public`. The browser's own cache is not affected. Default: false, except for
    /// answers that carry a cookie of this proxy, which are always private.
    #[serde(default)]
    pub(crate) private_responses: bool,
    /// `SameSite` of the session cookie: with which requests of other sites the browser sends it. `lax`: with links and other
    /// navigations by GET. `strict`: with none; a link from another site costs one more page. `none`: with all, for pages in
    /// frames of other sites and forms that other sites send here; the application must then protect itself against forged
    /// requests. Default: `lax`.
    #[serde(default)]
    pub(crate) session_cookie_same_site: SameSite,
    /// Other origins whose pages may open WebSockets as the signed-in user, as `https://app.example.com`. Default: none, only the
    /// request's own host.
    #[serde(default)]
    pub(crate) allowed_origins: List<String>,
    /// Added to the request to the pool, as `{ prompt: login }`. At most 10.
    #[serde(default)]
    pub(crate) authentication_request_extra_params: BTreeMap<String, String>,
}

/// What to do with a request that has no session.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnUnauthenticatedRequest {
    /// A navigation goes to the provider; anything that cannot follow, as a script's request, is answered 401.
    #[default]
    Authenticate,
    /// Answers 401.
    Deny,
    /// Goes on without a user; headers that name one are never the client's own.
    Allow,
}

/// `SameSite` of a cookie.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SameSite {
    /// With navigations by GET.
    #[default]
    Lax,
    /// With no request of another site.
    Strict,
    /// With every request.
    None,
}

/// What `deny` does when a session is over.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnExpiredSession {
    /// To the provider, as the load balancer does.
    Authenticate,
    /// Answers 401.
    Deny,
}

/// `jwt-validation`. Not in this version.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct JwtValidation {
    /// The keys' URL. Not in this version.
    #[expect(dead_code, reason = "accepted to be refused in one sentence")]
    pub(crate) jwks_endpoint: Option<String>,
    /// The tokens' issuer. Not in this version.
    #[expect(dead_code, reason = "accepted to be refused in one sentence")]
    pub(crate) issuer: Option<String>,
}

/// `forward`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forward {
    /// A name of `target_groups`.
    pub(crate) target_group: String,
    /// Send the client's `Host` on exactly as it came. Default: false, which leaves out a default port.
    #[serde(default)]
    pub(crate) preserve_host_header: bool,
}

/// `redirect`. What is not given stays as the client sent it; at least one of protocol, host, port and path must change.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    /// `HTTP` or `HTTPS`. Default: `#{protocol}`, the request's. Never from HTTPS to HTTP.
    pub(crate) protocol: Option<String>,
    /// The host. Default: `#{host}`.
    pub(crate) host: Option<String>,
    /// The port, 1 to 65535. Default: `#{port}`.
    pub(crate) port: Option<TextOrNumber>,
    /// The path, with `#{host}`, `#{port}` and `#{path}` for the request's own. Default: `/#{path}`.
    pub(crate) path: Option<String>,
    /// The query without its question mark; all five placeholders. Default: `#{query}`.
    pub(crate) query: Option<String>,
    /// `HTTP_301` (for good) or `HTTP_302` (for now).
    pub(crate) status_code: RedirectStatus,
}

/// The two redirects of the load balancer.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum RedirectStatus {
    /// 301, for good: browsers remember it.
    #[serde(rename = "HTTP_301")]
    Http301,
    /// 302, for now.
    #[serde(rename = "HTTP_302")]
    Http302,
}

/// `fixed-response`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FixedResponse {
    /// 200 to 299, or 400 to 599.
    #[schemars(range(min = 200, max = 599))]
    pub(crate) status_code: u16,
    /// `text/plain`, `text/css`, `text/html`, `application/javascript` or `application/json`. Default: `text/plain`.
    pub(crate) content_type: Option<String>,
    /// At most 1024 bytes. Default: nothing.
    pub(crate) body: Option<String>,
    /// The load balancer's name for `body`.
    pub(crate) message_body: Option<String>,
}

/// Actions in order.
pub(crate) type Actions = List<Action>;
