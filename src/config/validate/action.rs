//! Validates actions. The result is a chain: gates, then exactly one terminal (ALB §1.3).

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::action::settings::{
    AuthenticateKind, AuthenticateSettings, AuthorizeSettings, ChainSettings, FixedResponseSettings, ForwardSettings,
    GateSettings, OnExpired, OnUnauthenticated, TerminalSettings,
};
use crate::config::document::path::Path;
use crate::config::raw::action as written;
use crate::config::raw::action::{Action, Actions, FixedResponse, Forward, OnExpiredSession, OnUnauthenticatedRequest};
use crate::config::raw::value::{List, Period};
use crate::config::validate::authorize::{Allowed, Reported};
use crate::config::validate::context::Context;
use crate::config::validate::listener::ClientSpeaks;
use crate::config::validate::{authorize, redirect, session, value};
use crate::message::cookie::SameSite;
use crate::oidc;

/// The maximum is assumed: AWS documents only the default (ALB §13).
const SESSION_TIMEOUT: Duration = Duration::from_secs(604_800);
const SESSION_TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), SESSION_TIMEOUT);
/// ALB §1.1.
const EXTRA_PARAMS_MAX: usize = 10;
/// ALB §7.3.
const BODY_BYTES_MAX: usize = 1024;
const CONTENT_TYPES: [&str; 5] = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

/// State shared by all actions that authenticate in the whole file.
pub(super) struct Logins {
    default_cookie_name: Arc<str>,
    /// The provider of each session cookie name, and the place where the name is first used.
    by_cookie: HashMap<Arc<str>, (AuthenticateKind, Path)>,
    /// Each user pool that a rule references, and the place of the reference.
    pools: BTreeMap<Arc<str>, Path>,
}

impl Logins {
    pub(super) fn new(default_cookie_name: Arc<str>) -> Self {
        Self { default_cookie_name, by_cookie: HashMap::new(), pools: BTreeMap::new() }
    }

    /// Whether no rule authenticates.
    pub(super) fn is_empty(&self) -> bool {
        self.by_cookie.is_empty()
    }

    /// The place where a rule first references that user pool.
    pub(super) fn pool(&self, name: &str) -> Option<&Path> {
        self.pools.get(name)
    }

    /// A session of one provider must not be accepted as a session of another (ALB §1.3.6).
    fn add(&mut self, gate: &AuthenticateSettings, at: &Path, context: &mut Context<'_>) {
        if let AuthenticateKind::UserPool(name) = &gate.kind {
            self.pools.entry(Arc::clone(name)).or_insert_with(|| at.clone());
        }
        let name = &gate.session_cookie_name;
        let (first, first_at) =
            self.by_cookie.entry(Arc::clone(name)).or_insert_with(|| (gate.kind.clone(), at.clone()));
        // If a name does not resolve, that is already reported, and this check would only repeat it.
        if *first != gate.kind && !context.found.concern(at) && !context.found.concern(first_at) {
            let message = format!("the session cookie `{name}` is already used by {}", issuer(first));
            let hint = format!("first used at {first_at}; set a different `session_cookie_name` at one of the two");
            context.found.problem(at, message).hint(hint);
        }
    }
}

fn issuer(kind: &AuthenticateKind) -> String {
    match kind {
        AuthenticateKind::Oidc(name) => format!("the provider `{name}`"),
        AuthenticateKind::UserPool(name) => format!("the user pool `{name}`"),
    }
}

/// Checks the actions of one rule.
pub(super) fn chain(
    raw: &Actions,
    client_speaks: ClientSpeaks,
    at: &Path,
    logins: &mut Logins,
    context: &mut Context<'_>,
) -> Option<ChainSettings> {
    let mut gates = Vec::new();
    let mut terminals = Vec::new();
    let mut sound = raw.is_complete();
    for (index, action) in raw.iter() {
        let at = at.index(index);
        let terminal = match action {
            Action::AuthenticateOidc(_) | Action::AuthenticateUserPool(_) => {
                if let Some((first, _)) = terminals.first() {
                    let message = format!("`{}` after `{first}`, which already answers the request", name(action));
                    context.found.problem(&at, message).hint("put the action that authenticates first");
                } else if raw.iter().take_while(|(other, _)| *other < index).any(|(_, other)| authenticates(other)) {
                    let problem = context.found.problem(&at, "a second action that authenticates");
                    problem.hint("a rule has at most one; write two rules with different conditions");
                }
                let gate = gate(action, client_speaks, &at, logins, context);
                sound &= gate.is_some();
                match gate {
                    Some((authenticate, authorize)) => {
                        gates.push(Some(GateSettings::Authenticate(authenticate)));
                        gates.extend(authorize.map(|authorize| Some(GateSettings::Authorize(authorize))));
                    }
                    None => gates.push(None),
                }
                continue;
            }
            Action::Authorize(raw) => {
                if let Some((first, _)) = terminals.first() {
                    let message = format!("`authorize` after `{first}`, which already answers the request");
                    context.found.problem(&at, message).hint("put it behind the action that authenticates");
                } else {
                    authorize_has_a_user(&gates, &at, context);
                }
                let gate = authorize::authorize(raw, &at, &mut context.found).map(GateSettings::Authorize);
                sound &= gate.is_some();
                gates.push(gate);
                continue;
            }
            Action::JwtValidation(_) => {
                let problem = context.found.problem(&at, "`jwt-validation` is not available in this version");
                problem
                    .hint("`authenticate-oidc` with `on_unauthenticated_request: deny` answers 401 without a session");
                sound = false;
                continue;
            }
            Action::Forward(raw) => Some(TerminalSettings::Forward(forward(raw, &at, context))),
            Action::Redirect(raw) => {
                redirect::redirect(raw, client_speaks, &at, context).map(TerminalSettings::Redirect)
            }
            Action::FixedResponse(raw) => fixed_response(raw, &at, context).map(TerminalSettings::FixedResponse),
        };
        if let Some((first, _)) = terminals.first() {
            let message = format!("`{}` after `{first}`, which already answers the request", name(action));
            context
                .found
                .problem(&at, message)
                .hint("a rule must have exactly one of `forward`, `redirect`, `fixed-response`");
        }
        terminals.push((name(action), terminal));
    }
    if terminals.is_empty() && sound {
        let problem = context.found.problem(at, "none of the actions answers the request");
        problem.hint("the last action must be one of `forward`, `redirect`, `fixed-response`");
    }
    let (_, terminal) = terminals.pop()?;
    Some(ChainSettings { gates: gates.into_iter().collect::<Option<_>>()?, terminal: terminal? })
}

fn authenticates(action: &Action) -> bool {
    matches!(action, Action::AuthenticateOidc(_) | Action::AuthenticateUserPool(_))
}

/// `authorize` asks about a user: an action before it must identify one, always.
fn authorize_has_a_user(gates: &[Option<GateSettings>], at: &Path, context: &mut Context<'_>) {
    let mut before = gates.iter().map(|gate| gate.as_ref().map(GateSettings::authenticate));
    // A gate with a problem of its own has been reported.
    if before.clone().any(|gate| gate.is_none()) {
        return;
    }
    match before.find_map(Option::flatten) {
        None => {
            let problem = context.found.problem(at, "`authorize` without an action before it that authenticates");
            problem.hint("put `authenticate-oidc` or `authenticate-user-pool` before it");
        }
        Some(gate) if gate.on_unauthenticated == OnUnauthenticated::Allow => {
            let message =
                "`authorize` behind `on_unauthenticated_request: allow`, which lets requests pass without a user";
            context.found.problem(at, message).hint("remove `allow`, or write two rules");
        }
        Some(_) => {}
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::AuthenticateOidc(_) => "authenticate-oidc",
        Action::AuthenticateUserPool(_) => "authenticate-user-pool",
        Action::Authorize(_) => "authorize",
        Action::JwtValidation(_) => "jwt-validation",
        Action::Forward(_) => "forward",
        Action::Redirect(_) => "redirect",
        Action::FixedResponse(_) => "fixed-response",
    }
}

/// The settings common to both actions that authenticate.
struct Login<'r> {
    kind: AuthenticateKind,
    scope: Option<&'r str>,
    cookie_name: Option<&'r str>,
    timeout: Option<&'r Period>,
    on_unauthenticated: OnUnauthenticatedRequest,
    on_expired: Option<OnExpiredSession>,
    private_responses: bool,
    same_site: written::SameSite,
    allowed_origins: &'r List<String>,
    extra_params: &'r BTreeMap<String, String>,
    allowed: Allowed<'r>,
}

impl<'r> Login<'r> {
    fn read(action: &'r Action, at: &Path, context: &mut Context<'_>) -> Option<Self> {
        match action {
            Action::AuthenticateOidc(raw) => {
                context.refer(&raw.provider, "identity_providers", "provider", &at.key("provider"));
                Some(Self {
                    kind: AuthenticateKind::Oidc(Arc::from(raw.provider.as_str())),
                    scope: raw.scope.as_deref(),
                    cookie_name: raw.session_cookie_name.as_deref(),
                    timeout: raw.session_timeout.as_ref(),
                    on_unauthenticated: raw.on_unauthenticated_request,
                    on_expired: raw.on_expired_session,
                    private_responses: raw.private_responses,
                    same_site: raw.session_cookie_same_site,
                    allowed_origins: &raw.allowed_origins,
                    extra_params: &raw.authentication_request_extra_params,
                    allowed: Allowed {
                        groups: raw.allowed_groups.as_ref(),
                        groups_claim: raw.groups_claim.as_ref(),
                        emails: raw.allowed_emails.as_ref(),
                        domains: raw.allowed_email_domains.as_ref(),
                    },
                })
            }
            Action::AuthenticateUserPool(raw) => {
                context.refer(&raw.user_pool, "user_pools", "user pool", &at.key("user_pool"));
                Some(Self {
                    kind: AuthenticateKind::UserPool(Arc::from(raw.user_pool.as_str())),
                    scope: raw.scope.as_deref(),
                    cookie_name: raw.session_cookie_name.as_deref(),
                    timeout: raw.session_timeout.as_ref(),
                    on_unauthenticated: raw.on_unauthenticated_request,
                    on_expired: raw.on_expired_session,
                    private_responses: raw.private_responses,
                    same_site: raw.session_cookie_same_site,
                    allowed_origins: &raw.allowed_origins,
                    extra_params: &raw.authentication_request_extra_params,
                    allowed: Allowed {
                        groups: raw.allowed_groups.as_ref(),
                        groups_claim: raw.groups_claim.as_ref(),
                        emails: raw.allowed_emails.as_ref(),
                        domains: raw.allowed_email_domains.as_ref(),
                    },
                })
            }
            _ => None,
        }
    }
}

/// An action that authenticates, and the `authorize` behind it that its `allowed_*` are short for.
fn gate(
    action: &Action,
    client_speaks: ClientSpeaks,
    at: &Path,
    logins: &mut Logins,
    context: &mut Context<'_>,
) -> Option<(AuthenticateSettings, Option<AuthorizeSettings>)> {
    let login = Login::read(action, at, context)?;
    if client_speaks == ClientSpeaks::Http {
        let problem = context.found.problem(at, format!("`{}` on an `http` listener", name(action)));
        problem.hint(
            "session cookies need TLS: use an `https` listener and `redirect` to it here, or list the proxy that ends TLS \
             in `trusted_proxies`",
        );
    }
    let cookie_name = match login.cookie_name {
        Some(name) => session::cookie_name(name, &at.key("session_cookie_name"), &mut context.found),
        None => Some(Arc::clone(&logins.default_cookie_name)),
    };
    let session_timeout = value::period(
        login.timeout,
        SESSION_TIMEOUT,
        SESSION_TIMEOUT_BOUNDS,
        &at.key("session_timeout"),
        &mut context.found,
    );
    let scope = scope(login.scope, &at.key("scope"), context);
    extra_params(login.extra_params, &at.key("authentication_request_extra_params"), context);
    let on_unauthenticated = match login.on_unauthenticated {
        OnUnauthenticatedRequest::Authenticate => OnUnauthenticated::Authenticate,
        OnUnauthenticatedRequest::Deny => OnUnauthenticated::Deny,
        OnUnauthenticatedRequest::Allow => OnUnauthenticated::Allow,
    };
    if login.on_expired.is_some() && on_unauthenticated != OnUnauthenticated::Deny {
        let message = "`on_expired_session` is allowed only with `on_unauthenticated_request: deny`";
        context.found.problem(&at.key("on_expired_session"), message).hint("remove it");
    }
    let allowed_origins = origins(login.allowed_origins, &at.key("allowed_origins"), context);
    let authorize = allowed(&login, at, context);
    let settings = AuthenticateSettings {
        kind: login.kind,
        session_cookie_name: cookie_name?,
        scope: scope?,
        session_timeout: session_timeout?,
        extra_params: login.extra_params.clone(),
        on_unauthenticated,
        on_expired: match login.on_expired {
            Some(OnExpiredSession::Authenticate) => OnExpired::Authenticate,
            Some(OnExpiredSession::Deny) | None => OnExpired::Deny,
        },
        private_responses: login.private_responses,
        same_site: same_site(login.same_site, &at.key("session_cookie_same_site"), context),
        allowed_origins,
    };
    logins.add(&settings, at, context);
    Some((settings, authorize.ok()?))
}

/// The `authorize` that `allowed_*` of an action that authenticates are short for.
fn allowed(login: &Login<'_>, at: &Path, context: &mut Context<'_>) -> Result<Option<AuthorizeSettings>, Reported> {
    let Login { allowed, on_unauthenticated, .. } = login;
    if let (OnUnauthenticatedRequest::Allow, Some(name)) = (on_unauthenticated, allowed.given().first()) {
        let message =
            format!("`{name}` with `on_unauthenticated_request: allow`, which lets requests pass without a user");
        context.found.problem(&at.key(name), message).hint("remove `allow`, or write two rules");
        return Err(Reported);
    }
    allowed.authorize(at, &mut context.found)
}

fn same_site(written: written::SameSite, at: &Path, context: &mut Context<'_>) -> SameSite {
    match written {
        written::SameSite::Lax => SameSite::Lax,
        written::SameSite::Strict => SameSite::Strict,
        written::SameSite::None => {
            let warning = context.found.warning(at, "other sites can send requests as the signed-in user");
            warning.hint("the application must protect itself against forged requests (CSRF); with `lax` browsers do");
            SameSite::None
        }
    }
}

/// Origins, as browsers write them (RFC 6454 §6.2).
fn origins(written: &List<String>, at: &Path, context: &mut Context<'_>) -> Arc<[String]> {
    let mut origins = Vec::new();
    for (index, text) in written.iter() {
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        let origin = url.map(|url| url.origin().ascii_serialization());
        match origin.filter(|origin| origin.eq_ignore_ascii_case(text.trim_end_matches('/'))) {
            Some(origin) => origins.push(origin),
            None => {
                let problem = context.found.problem(&at.index(index), format!("`{text}` is not an origin"));
                problem.hint("write scheme, host and port without a path: `https://app.example.com`");
            }
        }
    }
    origins.into()
}

fn scope(written: Option<&str>, at: &Path, context: &mut Context<'_>) -> Option<String> {
    let Some(scope) = written else { return Some("openid".to_owned()) };
    // RFC 6749 §3.3.
    let token = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if let Some(bad) = scope.split(' ').find(|one| one.is_empty() || !one.bytes().all(token)) {
        context.found.problem(at, format!("`{bad}` is not a scope")).hint("separate scopes by one space");
        return None;
    }
    if !scope.split(' ').any(|one| one == "openid") {
        let problem = context.found.problem(at, "`openid` is not among the scopes");
        problem.hint("without `openid` the provider sends no ID token, and every sign-in fails");
        return None;
    }
    Some(scope.to_owned())
}

fn extra_params(params: &BTreeMap<String, String>, at: &Path, context: &mut Context<'_>) {
    if params.len() > EXTRA_PARAMS_MAX {
        let message = format!("{} parameters; at most {EXTRA_PARAMS_MAX} are allowed", params.len());
        context.found.problem(at, message);
    }
    for name in params.keys() {
        if oidc::is_reserved_parameter(name) {
            let problem =
                context.found.problem_at_key(&at.key(name), format!("`{name}` is reserved: the sign-in sets it"));
            problem.maybe_hint((name == "scope").then(|| "use the `scope` setting of the action".to_owned()));
        } else if name.is_empty() {
            context.found.problem_at_key(&at.key(name), "the name of the parameter is empty");
        }
    }
}

fn forward(raw: &Forward, at: &Path, context: &mut Context<'_>) -> ForwardSettings {
    context.refer(&raw.target_group, "target_groups", "target group", &at.key("target_group"));
    ForwardSettings { target_group: Arc::from(raw.target_group.as_str()), preserve_host: raw.preserve_host_header }
}

fn fixed_response(raw: &FixedResponse, at: &Path, context: &mut Context<'_>) -> Option<FixedResponseSettings> {
    let status = StatusCode::from_u16(raw.status_code).ok();
    let status = status.filter(|status| status.is_success() || status.is_client_error() || status.is_server_error());
    if status.is_none() {
        let message = format!(
            "status code {} is not allowed in a fixed response: use 200 to 299, or 400 to 599",
            raw.status_code
        );
        let hint = (300..400).contains(&raw.status_code).then(|| "use `redirect` for a redirect".to_owned());
        context.found.problem(&at.key("status_code"), message).maybe_hint(hint);
    }
    let content_type = raw.content_type.as_deref().unwrap_or(CONTENT_TYPES[0]);
    let known = CONTENT_TYPES.contains(&content_type);
    if !known {
        let hint = crate::config::document::suggest::hint(content_type, CONTENT_TYPES);
        let message = format!("content type `{content_type}` is not allowed in a fixed response");
        context.found.problem(&at.key("content_type"), message).maybe_hint(hint);
    }
    let (body, key) = match (&raw.body, &raw.message_body) {
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("message_body"), "both `body` and `message_body` are set");
            problem.hint("they are the same setting; keep one");
            return None;
        }
        (Some(body), None) => (body.as_str(), "body"),
        (None, Some(body)) => (body.as_str(), "message_body"),
        (None, None) => ("", "body"),
    };
    if body.len() > BODY_BYTES_MAX {
        let message = format!("the body has {} bytes; at most {BODY_BYTES_MAX} are allowed", body.len());
        context.found.problem(&at.key(key), message);
        return None;
    }
    // RFC 9110 §15.3.5, §15.3.6: neither has content.
    if matches!(raw.status_code, 204 | 205) && !body.is_empty() {
        context.found.problem(&at.key(key), format!("a response with status {} cannot have a body", raw.status_code));
        return None;
    }
    Some(FixedResponseSettings {
        status: status?,
        content_type: known.then(|| HeaderValue::from_str(content_type).ok()).flatten()?,
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}
