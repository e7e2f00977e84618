//! `actions` and `default_actions`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::action::requirement::GROUPS;
use crate::clock::period_text;
use crate::config::raw::bearer::Bearer;
use crate::config::raw::forward::Forward;
use crate::config::raw::static_files::Static;
use crate::config::raw::value::{List, OneOrMany, Period, Scalar, TextOrNumber};

/// One action, by its `type`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
#[schemars(extend("x-hints" = {
    "authenticate-cognito": "use `authenticate-oidc` for Amazon Cognito, or `authenticate-user-pool` for a user pool of this process",
}))]
pub(crate) enum Action {
    /// Requires a signed-in user. Everyone else is sent to an OpenID provider to sign in. Needs an `https` listener,
    /// or an `http` listener whose `trusted_proxies` end TLS.
    AuthenticateOidc(AuthenticateOidc),
    /// Like `authenticate-oidc`, but the provider is one of the `user_pools` of this file.
    AuthenticateUserPool(AuthenticateUserPool),
    /// Lets in only users whose claims meet a requirement. Others are answered 403. Comes after the action that
    /// authenticates; there may be several, which must all let the user in. Exactly one of `any`, `all` and `not` is set, or
    /// none of them where `max_age` or `acr` is.
    /// The claims are those of the sign-in, or of the last refresh.
    Authorize(Authorize),
    /// Requires a bearer token: a signed JWT in `Authorization: Bearer …`. A request without a valid one is answered 401, and nobody is
    /// sent to sign in. Targets get the same identity headers as for a session if the file has `claims`, and `Authorization` as it
    /// came. The token must have `iss`, `exp` and `sub`. It is accepted until one minute after its `exp`, because clocks differ. Needs an `https`
    /// listener, or an `http` listener whose `trusted_proxies` end TLS.
    JwtValidation(Bearer),
    /// Requires a signed-in user or a bearer token: `authenticate-oidc` or `authenticate-user-pool` for browsers, and `jwt-validation`
    /// for programs, on the same rule. A request with a token is judged by the token. If it also has a session of another user, it is refused.
    SessionOrBearer(SessionOrBearer),
    /// Sends the request to a target group, or to one of several by weight. The path is sent as the client wrote it, except that several slashes at the
    /// beginning become one (some servers read `//host/path` as an address with a host), and that raw quotes and angle
    /// brackets, which are not allowed in an address, are percent-encoded.
    Forward(Forward),
    /// Answers with a redirect to another URL.
    Redirect(Redirect),
    /// Answers with a fixed status and body.
    FixedResponse(FixedResponse),
    /// Answers with the files of a directory. There are no listings. Symbolic links are followed as long as they stay below the directory.
    Static(Static),
    /// Lets the request pass at the proxy that asked about it, with the identity headers. Only in a listener with `forward_auth`, in
    /// place of `forward`.
    Allow(Allow),
}

/// `authenticate-oidc`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct AuthenticateOidc {
    /// The name of an entry in `identity_providers`. Exactly one of `provider` and `providers` is set.
    pub(crate) provider: Option<String>,
    /// Several providers, of which the user chooses one on a page: names of entries in `identity_providers` and `user_pools`, in the
    /// order of the page. `title`, `logo_file` and `email_domains` of a provider say how it is shown. The parameter `idp` with one of
    /// these names in the address of a page chooses without asking: `https://app.example.com/?idp=partner`; it is removed from the
    /// address to which the user returns. The provider that a browser signed in at last is shown first. Only sessions of these
    /// providers count here. Example: `[corp, partner]`.
    #[schemars(extend("x-bound" = format!("At most {PROVIDERS_MAX} providers.")))]
    pub(crate) providers: Option<List<String>>,
    #[serde(flatten)]
    pub(crate) login: Login,
}

/// `authenticate-user-pool`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct AuthenticateUserPool {
    /// The name of an entry in `user_pools`.
    pub(crate) user_pool: String,
    #[serde(flatten)]
    pub(crate) login: Login,
}

/// The settings of both actions that authenticate.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Login {
    /// The scopes to request, separated by spaces.
    #[serde(default = "scope")]
    pub(crate) scope: String,
    /// Base name of the session cookie. The session is stored in cookies with the suffixes `-0` to `-3`. Applications that must
    /// not share sessions need different names. Without it, `session.cookie_name`.
    pub(crate) session_cookie_name: Option<String>,
    /// Maximum duration of a session, counted from the sign-in.
    #[serde(default = "session_timeout")]
    #[schemars(extend("x-bound" = format!("At most `{}`.", period_text(SESSION_TIMEOUT_MAX))))]
    pub(crate) session_timeout: Period,
    /// What to do with a request without a valid session.
    #[serde(default)]
    pub(crate) on_unauthenticated_request: OnUnauthenticatedRequest,
    /// What to do with a request whose session has expired. Allowed only with `on_unauthenticated_request: deny`.
    #[schemars(extend("default" = OnExpiredSession::default()))]
    pub(crate) on_expired_session: Option<OnExpiredSession>,
    /// Sets `Cache-Control: private` on every response to a signed-in user, even if the application sets `public`. Shared caches
    /// in front of this proxy then do not store the response. The browser cache is not affected. Responses that set a cookie of
    /// this proxy are always private.
    #[serde(default)]
    pub(crate) private_responses: bool,
    /// The `SameSite` attribute of the session cookie. It controls whether the browser sends the cookie with requests from other
    /// sites. `lax`: only with links and other GET navigations. `strict`: never; a link from another site then costs one extra
    /// page load. `none`: always, for pages framed by other sites and for forms on other sites; the application must then protect
    /// itself against forged requests (CSRF).
    #[serde(default)]
    pub(crate) session_cookie_same_site: SameSite,
    /// Other origins whose pages may open WebSockets as the signed-in user. Example: `https://app.example.com`. If empty, only
    /// pages of the same host may.
    #[serde(default)]
    pub(crate) allowed_origins: List<String>,
    /// Extra parameters of the authorization request. Example: `{ prompt: login }`. The request goes through the browser, and its user
    /// can change it. The response shows whether `max_age` was respected, and that is checked; nothing shows whether `prompt` was.
    #[serde(default)]
    #[schemars(extend("x-bound" = format!("At most {EXTRA_PARAMS_MAX} parameters.")))]
    pub(crate) authentication_request_extra_params: BTreeMap<String, String>,
    /// Lets in only users who are in one of these groups; others are answered 403. Short for an `authorize` with `{ claim:
    /// groups, contains: [...] }` behind this action. Together with `allowed_emails` or `allowed_email_domains`, both must hold.
    /// Without it, every user of the provider is let in.
    pub(crate) allowed_groups: Option<List<String>>,
    /// The claim that `allowed_groups` looks at, as in `claim` of `authorize`: `roles`, `realm_access.roles`, `cognito:groups`.
    #[schemars(extend("default" = GROUPS))]
    pub(crate) groups_claim: Option<OneOrMany>,
    /// Lets in only users whose verified e-mail address is one of these, or is of one of the `allowed_email_domains`; others
    /// are answered 403. Compared without case. Short for an `authorize` with `{ claim: email, address: [...] }` behind this action.
    pub(crate) allowed_emails: Option<List<String>>,
    /// Lets in only users whose verified e-mail address is of one of these domains, or is one of the `allowed_emails`; others
    /// are answered 403. A sub-domain is another domain. Short for an `authorize` with
    /// `{ claim: email, domain: [...] }` behind this action.
    pub(crate) allowed_email_domains: Option<List<String>>,
}

/// The longest session. The load balancer has the same default, and documents no maximum (ALB §13).
pub(crate) const SESSION_TIMEOUT_MAX: Duration = Duration::from_secs(7 * 86_400);
/// A page with more to choose from helps nobody.
pub(crate) const PROVIDERS_MAX: usize = 10;
/// ALB §1.1.
pub(crate) const EXTRA_PARAMS_MAX: usize = 10;
/// ALB §7.3.
pub(crate) const BODY_BYTES_MAX: usize = 1024;
/// A shorter `max_age` could be over before the browser is back.
pub(crate) const MAX_AGE_BOUNDS: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(365 * 86_400));

defaults! {
    scope: String = "openid";
    session_timeout: Period = SESSION_TIMEOUT_MAX;
    redirect_protocol: String = "#{protocol}";
    redirect_host: String = "#{host}";
    redirect_port: TextOrNumber = TextOrNumber("#{port}".to_owned());
    redirect_path: String = "/#{path}";
    redirect_query: String = "#{query}";
    content_type: String = "text/plain";
}

/// For a test of a claim directly in `authorize`.
const BELOW_ALL: &str = "put the test below `all`: `all: [{ claim: groups, contains: [staff] }]`";

/// `authorize`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "claim": BELOW_ALL, "contains": BELOW_ALL, "equals": BELOW_ALL, "domain": BELOW_ALL, "address": BELOW_ALL,
    "client_certificate": "put it below `all`: `all: [{ client_certificate: { subject: ['CN=ada,O=Example'] } }]`",
}))]
pub(crate) struct Authorize {
    /// One of these requirements must hold. Example: `[{ claim: groups, contains: [platform, sre] }]`.
    pub(crate) any: Option<List<Requirement>>,
    /// All of these requirements must hold.
    pub(crate) all: Option<List<Requirement>>,
    /// This requirement must not hold. A user of whom one of its claims is not known is refused, too.
    pub(crate) not: Option<Box<Requirement>>,
    /// How long ago the user may have signed in at the provider. Who signed in earlier is sent there to sign in again, and comes
    /// back to the same address; a form or a script is answered 401 `auth.step_up_required`. Asked when a request begins: a
    /// download or a WebSocket that is open is not ended by it. The provider must send `auth_time` in the ID token. There is
    /// a leeway of one minute for clocks. Without it, any time will do.
    #[schemars(extend("x-bound" = format!("From `{}` to `{}`.", period_text(MAX_AGE_BOUNDS.0), period_text(MAX_AGE_BOUNDS.1))))]
    pub(crate) max_age: Option<Period>,
    /// The kinds of sign-in that are accepted (authentication context class references): the `acr` of the ID token must be one
    /// of these, compared exactly. Any other user is sent to the provider, which is asked for these with `acr_values`, in this
    /// order. Example: `[phr, phrh]`. The values are the provider's own. For a user pool, say in `mfa` of the pool who
    /// needs a second factor: it takes no `acr_values`. Without it, any kind will do.
    pub(crate) acr: Option<List<String>>,
    /// What happens to a user who does not meet the requirement. `enforce`: 403, or another sign-in for `max_age` and `acr`.
    /// `report`: the request goes on, a warning is logged once for each session, and
    /// `vestibule_authorization_decisions_total` counts it.
    #[serde(default)]
    pub(crate) mode: AuthorizeMode,
    /// Whether the answers `auth.not_allowed`, `auth.groups_overage`, `bearer.not_allowed` and `bearer.groups_overage` say what is required.
    #[serde(default)]
    pub(crate) reveal: bool,
    /// Whom to ask for access, for the answers `auth.not_allowed`, `auth.groups_overage`, `auth.step_up_failed`, `bearer.not_allowed` and
    /// `bearer.groups_overage`. An e-mail address or an `https` address becomes a link. Example: `it@example.com`. Without it, nothing is said.
    pub(crate) contact: Option<String>,
}

/// A requirement on the claims of a user or the certificate of a client: one claim with one of `contains`, `equals`, `domain` and
/// `address`, or exactly one of `client_certificate`, `any`, `all` and `not`. A claim that is absent or of another type never meets it, also not below `not`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "in": "use `equals`: the claim is one of its values",
    "matches": "values are compared exactly: use `contains` or `equals`",
    "regex": "values are compared exactly: use `contains` or `equals`",
    "value": "use `equals` or `contains`, with a list",
    "values": "use `equals` or `contains`, with a list",
}))]
pub(crate) struct Requirement {
    /// The claim. A dot selects a member of an object: `realm_access.roles`. For claim names that contain dots, write a
    /// list: `["a.b", c]`. The claim `email` counts only if `email_verified` is true, or the text `true`. A user pool sends
    /// no `email_verified` unless the user has `claims: { email_verified: true }`.
    pub(crate) claim: Option<OneOrMany>,
    /// The claim is a list that has one of these elements, or a single value that is one of them. Values are compared as in
    /// `equals`. Texts are not split at commas.
    pub(crate) contains: Option<List<Scalar>>,
    /// The claim is one of these values: texts, whole numbers, `true` or `false`. Values are compared exactly, with their type:
    /// the text `"1"` is not the number `1`, and a claim `1.0` is neither. Texts are compared with case.
    pub(crate) equals: Option<List<Scalar>>,
    /// Only for the claim `email`: the address is of one of these domains. A sub-domain is another domain. An
    /// internationalised domain is compared in its ASCII form.
    pub(crate) domain: Option<List<String>>,
    /// Only for the claim `email`: the address is one of these. Compared without the case of ASCII letters, because no
    /// provider has two users whose addresses differ in case only.
    pub(crate) address: Option<List<String>>,
    /// What the certificate of the client must be, on a listener with `mutual_authentication` and `mode: verify`. If an `authorize` asks for nothing
    /// else, no action that authenticates is needed before it.
    pub(crate) client_certificate: Option<ClientCertificate>,
    /// One of these requirements must hold.
    pub(crate) any: Option<List<Requirement>>,
    /// All of these requirements must hold.
    pub(crate) all: Option<List<Requirement>>,
    /// This requirement must not hold.
    pub(crate) not: Option<Box<Requirement>>,
}

/// What the certificate of a client must be. Of each key that is given, one value must be that of the certificate. A certificate that has no
/// name of the kind never meets it, also not below `not`. A client that has opened its connection without a verified certificate
/// never does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "san": "write `dns_name`, `email` or `uri`",
    "common_name": "write the whole `subject`: `CN=ada,O=Example`",
    "sha256": "write `fingerprint`",
    "serial": "write `serial_number`",
}))]
pub(crate) struct ClientCertificate {
    /// The whole subject, as RFC 4514 writes it: `CN=ada,OU=Staff,O=Example,C=DE`, the last part of the certificate first. `openssl x509
    /// -nameopt RFC2253 -subject` prints it; without `-nameopt`, `openssl` prints the parts in the other order. Blanks around `=` and `,` and the case
    /// of `CN` do not matter. Values are compared with case. Every part counts.
    pub(crate) subject: Option<List<String>>,
    /// The whole issuer, in the same form: the authority that has signed the certificate.
    pub(crate) issuer: Option<List<String>>,
    /// A DNS name among the subject alternative names. A wildcard is compared as text.
    pub(crate) dns_name: Option<List<String>>,
    /// An e-mail address among the subject alternative names. Compared without the case of ASCII letters.
    pub(crate) email: Option<List<String>>,
    /// A URI among the subject alternative names, for example a SPIFFE ID. Compared exactly.
    pub(crate) uri: Option<List<String>>,
    /// The SHA-256 fingerprint of the certificate: 64 hexadecimal digits, with or without colons.
    pub(crate) fingerprint: Option<List<String>>,
    /// The serial number in hexadecimal digits. `issuer` is required with it.
    pub(crate) serial_number: Option<List<String>>,
}

/// What happens to a user who does not meet the requirement of `authorize`.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AuthorizeMode {
    /// The user is answered 403.
    #[default]
    Enforce,
    /// The request goes on.
    Report,
}

/// What to do with a request without a valid session.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnUnauthenticatedRequest {
    /// A navigation is redirected to the provider. Any other request, for example one made by a script, is answered
    /// 401.
    #[default]
    Authenticate,
    /// Answers 401.
    Deny,
    /// Forwards the request without a user. Identity headers sent by the client are removed.
    Allow,
}

/// `SameSite` of a cookie.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SameSite {
    /// Sent with same-site requests and with GET navigations from other sites.
    #[default]
    Lax,
    /// Never sent with requests from other sites.
    Strict,
    /// Sent with every request.
    None,
}

/// What to do with a request whose session has expired.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum OnExpiredSession {
    /// Redirects to the provider, as the AWS load balancer does.
    Authenticate,
    /// Answers 401.
    #[default]
    Deny,
}

/// `session-or-bearer`.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct SessionOrBearer {
    /// The name of an entry in `identity_providers`, where browsers sign in. Exactly one of `provider`, `providers` and `user_pool` is set.
    pub(crate) provider: Option<String>,
    /// Several providers, of which the user of a browser chooses one, as in `authenticate-oidc`.
    #[schemars(extend("x-bound" = format!("At most {PROVIDERS_MAX} providers.")))]
    pub(crate) providers: Option<List<String>>,
    /// The name of an entry in `user_pools`, where browsers sign in.
    pub(crate) user_pool: Option<String>,
    /// The bearer tokens that are accepted. If it names no issuer, tokens of the same provider, providers or user pool are.
    #[serde(default)]
    pub(crate) bearer: Box<Bearer>,
    #[serde(flatten)]
    pub(crate) login: Login,
}

/// `allow`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Allow {
    /// The application behind the proxy that asks: `aud` of its signed claims, as the name of the target group is with `forward`. Required
    /// behind an action that authenticates.
    pub(crate) audience: Option<String>,
}

/// `redirect`. Parts that are not set are copied from the request. At least one of `protocol`, `host`, `port` and
/// `path` must differ from the request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Redirect {
    /// `HTTP` or `HTTPS`. A redirect from HTTPS to HTTP is not allowed. `#{protocol}` is the protocol of the request.
    #[serde(default = "redirect_protocol")]
    pub(crate) protocol: String,
    /// The host.
    #[serde(default = "redirect_host")]
    pub(crate) host: String,
    /// The port, 1 to 65535.
    #[serde(default = "redirect_port")]
    pub(crate) port: TextOrNumber,
    /// The path. May contain the placeholders `#{host}`, `#{port}` and `#{path}`.
    #[serde(default = "redirect_path")]
    pub(crate) path: String,
    /// The query, without the question mark. May contain the placeholders `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and
    /// `#{query}`.
    #[serde(default = "redirect_query")]
    pub(crate) query: String,
    /// `HTTP_301` (permanent) or `HTTP_302` (temporary).
    pub(crate) status_code: RedirectStatus,
}

/// The status codes of `redirect`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
pub(crate) enum RedirectStatus {
    /// 301 (permanent). Browsers cache this redirect.
    #[serde(rename = "HTTP_301")]
    Http301,
    /// 302 (temporary).
    #[serde(rename = "HTTP_302")]
    Http302,
}

/// `fixed-response`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FixedResponse {
    /// The status code: 200 to 299, or 400 to 599.
    #[schemars(range(min = 200, max = 599))]
    pub(crate) status_code: u16,
    /// The `Content-Type`: `text/plain`, `text/css`, `text/html`, `application/javascript` or `application/json`.
    #[serde(default = "content_type")]
    pub(crate) content_type: String,
    /// The response body. Without it, the body is empty.
    #[schemars(extend("x-bound" = format!("At most {BODY_BYTES_MAX} bytes.")))]
    pub(crate) body: Option<String>,
    /// Alias of `body`, for configurations copied from the AWS load balancer.
    pub(crate) message_body: Option<String>,
}

/// Actions in order.
pub(crate) type Actions = List<Action>;
