//! Actions to a chain: gates, then exactly one terminal (spec §1.3).

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use crate::action::settings::{
    AuthenticateKind, AuthenticateSettings, ChainSettings, FixedResponseSettings, ForwardSettings, GateSettings,
    OnExpired, OnUnauthenticated, TerminalSettings,
};
use crate::config::path::Path;
use crate::config::raw::action as written;
use crate::config::raw::action::{Action, Actions, FixedResponse, Forward, OnExpiredSession, OnUnauthenticatedRequest};
use crate::config::raw::value::{List, Period};
use crate::config::validate::listener::ClientSpeaks;
use crate::config::validate::{Context, redirect, session, value};
use crate::message::cookie::SameSite;
use crate::oidc;

/// The maximum is assumed: the ALB documents the default only (spec §13).
const SESSION_TIMEOUT: Duration = Duration::from_secs(604_800);
const SESSION_TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), SESSION_TIMEOUT);
/// Spec §1.1.
const EXTRA_PARAMS_MAX: usize = 10;
/// Spec §7.3.
const BODY_BYTES_MAX: usize = 1024;
const CONTENT_TYPES: [&str; 5] = ["text/plain", "text/css", "text/html", "application/javascript", "application/json"];

/// What actions that authenticate have in common over the whole file.
pub(super) struct Logins {
    default_cookie_name: Arc<str>,
    /// Who signs in to sessions under that cookie name, and where the file says so first.
    by_cookie: HashMap<Arc<str>, (AuthenticateKind, Path)>,
    /// Each pool that a rule names, and where.
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

    /// Where a rule first names that pool.
    pub(super) fn pool(&self, name: &str) -> Option<&Path> {
        self.pools.get(name)
    }

    /// A session of one provider must not pass for one of another (spec §1.3.6).
    fn add(&mut self, gate: &AuthenticateSettings, at: &Path, context: &mut Context<'_>) {
        if let AuthenticateKind::UserPool(name) = &gate.kind {
            self.pools.entry(Arc::clone(name)).or_insert_with(|| at.clone());
        }
        let name = &gate.session_cookie_name;
        let (first, first_at) =
            self.by_cookie.entry(Arc::clone(name)).or_insert_with(|| (gate.kind.clone(), at.clone()));
        // A name that does not resolve is a slip, and what it would lead to need not be said.
        if *first != gate.kind && !context.found.concern(at) && !context.found.concern(first_at) {
            let message = format!("the session cookie `{name}` already belongs to {}", issuer(first));
            let hint = format!("it does at {first_at}; give one of the two another `session_cookie_name`");
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
                    let message = format!("`{}` after `{first}`, which answers", name(action));
                    context
                        .found
                        .problem(&at, message)
                        .hint("an action that authenticates stands before the one that answers");
                } else if !gates.is_empty() {
                    let problem = context.found.problem(&at, "a second action that authenticates");
                    problem.hint("a rule has at most one; write two rules with different conditions");
                }
                let gate = gate(action, client_speaks, &at, logins, context);
                sound &= gate.is_some();
                gates.push(gate);
                continue;
            }
            Action::JwtValidation(_) => {
                let problem = context.found.problem(&at, "`jwt-validation` is not in this version");
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
            let message = format!("`{}` after `{first}`, which already answers", name(action));
            context
                .found
                .problem(&at, message)
                .hint("a rule has exactly one of `forward`, `redirect`, `fixed-response`");
        }
        terminals.push((name(action), terminal));
    }
    if terminals.is_empty() && sound {
        let problem = context.found.problem(at, "no action answers the request");
        problem.hint("end with one of `forward`, `redirect`, `fixed-response`");
    }
    let (_, terminal) = terminals.pop()?;
    Some(ChainSettings { gates: gates.into_iter().collect::<Option<_>>()?, terminal: terminal? })
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::AuthenticateOidc(_) => "authenticate-oidc",
        Action::AuthenticateUserPool(_) => "authenticate-user-pool",
        Action::JwtValidation(_) => "jwt-validation",
        Action::Forward(_) => "forward",
        Action::Redirect(_) => "redirect",
        Action::FixedResponse(_) => "fixed-response",
    }
}

/// What both actions that authenticate say.
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
                })
            }
            _ => None,
        }
    }
}

fn gate(
    action: &Action,
    client_speaks: ClientSpeaks,
    at: &Path,
    logins: &mut Logins,
    context: &mut Context<'_>,
) -> Option<GateSettings> {
    let login = Login::read(action, at, context)?;
    if client_speaks == ClientSpeaks::Http {
        let problem = context.found.problem(at, format!("`{}` on an `http` listener", name(action)));
        problem.hint(
            "sessions travel over TLS only: use an `https` listener and `redirect` to it here, or list the proxy that ends \
             TLS in `trusted_proxies`",
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
        let message = "`on_expired_session` has a meaning with `on_unauthenticated_request: deny` only";
        context.found.problem(&at.key("on_expired_session"), message).hint("take it out");
    }
    let allowed_origins = origins(login.allowed_origins, &at.key("allowed_origins"), context);
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
    Some(GateSettings::Authenticate(settings))
}

fn same_site(written: written::SameSite, at: &Path, context: &mut Context<'_>) -> SameSite {
    match written {
        written::SameSite::Lax => SameSite::Lax,
        written::SameSite::Strict => SameSite::Strict,
        written::SameSite::None => {
            let warning = context.found.warning(at, "other sites can send requests as the signed-in user");
            warning.hint("the application must protect itself against forged requests (CSRF); `lax` does without");
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
                problem
                    .hint("scheme, host and port as a browser shows them, without a path: `https://app.example.com`");
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
        problem.hint("without it a provider gives no ID token, and no sign-in would succeed");
        return None;
    }
    Some(scope.to_owned())
}

fn extra_params(params: &BTreeMap<String, String>, at: &Path, context: &mut Context<'_>) {
    if params.len() > EXTRA_PARAMS_MAX {
        let message = format!("{} parameters; at most {EXTRA_PARAMS_MAX} may be added", params.len());
        context.found.problem(at, message);
    }
    for name in params.keys() {
        if oidc::is_reserved_parameter(name) {
            let problem = context.found.problem_at_key(&at.key(name), format!("`{name}` is set by the sign-in itself"));
            problem.maybe_hint((name == "scope").then(|| "the action has a `scope` of its own".to_owned()));
        } else if name.is_empty() {
            context.found.problem_at_key(&at.key(name), "a parameter needs a name");
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
        let message = format!("{} cannot be a fixed response: 200 to 299, or 400 to 599", raw.status_code);
        let hint = (300..400).contains(&raw.status_code).then(|| "`redirect` sends the client elsewhere".to_owned());
        context.found.problem(&at.key("status_code"), message).maybe_hint(hint);
    }
    let content_type = raw.content_type.as_deref().unwrap_or(CONTENT_TYPES[0]);
    let known = CONTENT_TYPES.contains(&content_type);
    if !known {
        let hint = crate::config::suggest::hint(content_type, CONTENT_TYPES);
        let message = format!("`{content_type}` cannot be a fixed response's content type");
        context.found.problem(&at.key("content_type"), message).maybe_hint(hint);
    }
    let (body, key) = match (&raw.body, &raw.message_body) {
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("message_body"), "both `body` and `message_body` are given");
            problem.hint("they are one thing; keep one");
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
        context.found.problem(&at.key(key), format!("an answer with status {} has no body", raw.status_code));
        return None;
    }
    Some(FixedResponseSettings {
        status: status?,
        content_type: known.then(|| HeaderValue::from_str(content_type).ok()).flatten()?,
        body: Bytes::copy_from_slice(body.as_bytes()),
    })
}
