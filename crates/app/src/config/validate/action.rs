//! Validates actions. The result is a chain: gates, then exactly one terminal (ALB §1.3).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::action::demand::Demand;
use crate::action::settings::{
    AuthenticateKind, AuthenticateSettings, AuthorizeSettings, ChainSettings, GateSettings, OnExpired,
    OnUnauthenticated, ProviderChoice, TerminalSettings,
};
use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::action as written;
use crate::config::raw::action::{
    Action, Actions, EXTRA_PARAMS_MAX, Login, OnExpiredSession, OnUnauthenticatedRequest, SessionOrBearer,
};
use crate::config::raw::value::List;
use crate::config::validate::authorize::Allowed;
use crate::config::validate::context::{ClientSpeaks, Context};
use crate::config::validate::cookie_owners::CookieOwners;
use crate::config::validate::{
    authorize, bearer, choice, fixed_response, forward, redirect, session, static_files, value,
};
use crate::message::cookie::SameSite;
use crate::oidc;

const SESSION_TIMEOUT_BOUNDS: (Duration, Duration) = (Duration::from_secs(1), written::SESSION_TIMEOUT_MAX);

/// Checks the actions of one rule.
pub(super) fn chain(
    raw: &Actions,
    client_speaks: ClientSpeaks,
    at: &Path,
    logins: &mut CookieOwners,
    context: &mut Context<'_>,
) -> Result<ChainSettings, Reported> {
    let complete = value::complete(raw, at, &mut context.found);
    let mut chain = Chain::default();
    for (index, action) in raw.iter() {
        let at = at.index(index);
        match action {
            Action::AuthenticateOidc(raw) => {
                let named = (raw.provider.as_ref(), raw.providers.as_ref());
                let providers = choice::providers(named, &logins.shown, &at, context).unwrap_or_else(|| {
                    let problem = context.found.problem(&at, "it is not said where users sign in");
                    problem.hint("set `provider`, or `providers` if users choose").fail()
                });
                needs_tls(name(action), client_speaks, &at, context);
                let gates = gates(providers, &raw.login, &at, logins, context);
                chain.authenticate(name(action), gates, &at, context);
            }
            Action::AuthenticateUserPool(raw) => {
                let kind = AuthenticateKind::UserPool(Arc::from(raw.user_pool.as_str()));
                let pool = choice::named(kind, &logins.shown, &at.key("user_pool"), context);
                needs_tls(name(action), client_speaks, &at, context);
                let gates = gates(pool.map(|pool| vec![pool]), &raw.login, &at, logins, context);
                chain.authenticate(name(action), gates, &at, context);
            }
            Action::Authorize(raw) => {
                chain.authorize(authorize::authorize(raw, &at, &mut context.found), &at, context);
            }
            Action::JwtValidation(raw) => {
                needs_tls(name(action), client_speaks, &at, context);
                let gate = bearer::bearer(raw, None, &at, context).map(|bearer| vec![GateSettings::Bearer(bearer)]);
                chain.authenticate(name(action), gate, &at, context);
            }
            Action::SessionOrBearer(raw) => {
                let gates = session_or_bearer(raw, client_speaks, &at, logins, context);
                chain.authenticate(name(action), gates, &at, context);
            }
            Action::Forward(raw) => {
                let forward = forward::forward(raw, &at, context).map(TerminalSettings::Forward);
                chain.end(name(action), forward, &at, context);
            }
            Action::Redirect(raw) => {
                let redirect = redirect::redirect(raw, client_speaks, &at, context).map(TerminalSettings::Redirect);
                chain.end(name(action), redirect, &at, context);
            }
            Action::FixedResponse(raw) => {
                let fixed = fixed_response::fixed_response(raw, &at, context).map(TerminalSettings::FixedResponse);
                chain.end(name(action), fixed, &at, context);
            }
            Action::Static(raw) => {
                let files = static_files::static_files(raw, &at, context);
                chain.end(name(action), files.map(Box::new).map(TerminalSettings::Static), &at, context);
            }
            Action::Allow(raw) => {
                let allow = TerminalSettings::Allow(Arc::from(raw.audience.as_deref().unwrap_or_default()));
                chain.end(name(action), Ok(allow), &at, context);
            }
        }
    }
    complete?;
    chain.finish(at, context)
}

/// The actions of a rule that have been read so far.
#[derive(Default)]
struct Chain {
    gates: Vec<Result<GateSettings, Reported>>,
    /// The first action that authenticates.
    authenticates_at: Option<Path>,
    /// The first action that answers the request: its name, its place, its settings.
    terminal: Option<(&'static str, Path, Result<TerminalSettings, Reported>)>,
}

impl Chain {
    /// Reports an action that comes after the request has been answered.
    fn comes_too_late(&self, name: &str, hint: &str, at: &Path, context: &mut Context<'_>) -> bool {
        let Some((first, first_at, _)) = &self.terminal else { return false };
        let message = format!("`{name}` after `{first}`, which already answers the request");
        context.found.problem(at, message).label(first_at, "answers the request").hint(hint);
        true
    }

    fn authenticate(
        &mut self,
        name: &str,
        gates: Result<Vec<GateSettings>, Reported>,
        at: &Path,
        context: &mut Context<'_>,
    ) {
        if !self.comes_too_late(name, "put the action that authenticates first", at, context) {
            match &self.authenticates_at {
                None => self.authenticates_at = Some(at.clone()),
                Some(first) => {
                    let problem = context.found.problem(at, "a second action that authenticates");
                    let problem = problem.label(first, "the first one");
                    problem.hint("a rule has at most one; write two rules with different conditions");
                }
            }
        }
        match gates {
            Ok(gates) => self.gates.extend(gates.into_iter().map(Ok)),
            Err(reported) => self.gates.push(Err(reported)),
        }
    }

    /// `authorize` asks about a user: an action before it must identify one, always. If it asks only for the certificate of the client, the
    /// listener must verify certificates.
    fn authorize(&mut self, gate: Result<AuthorizeSettings, Reported>, at: &Path, context: &mut Context<'_>) {
        let needs_user = gate.as_ref().map_or(true, AuthorizeSettings::needs_user);
        let asks_for_certificate = gate.as_ref().is_ok_and(AuthorizeSettings::asks_for_certificate);
        if asks_for_certificate && !context.verifies_certificates {
            let message =
                "`client_certificate` on a listener that verifies no certificates of clients: nobody would be let in";
            let problem = context.found.problem(at, message);
            problem.hint("set `mutual_authentication: { mode: verify, trust_store: NAME }` at the listener");
        }
        let before: Result<Vec<_>, _> = self.gates.iter().map(Result::as_ref).collect();
        // A gate with a problem of its own has been reported.
        if !self.comes_too_late("authorize", "put it behind the action that authenticates", at, context)
            && needs_user
            && let Ok(before) = before
        {
            let takes_tokens = before.iter().any(|gate| gate.bearer().is_some());
            match before.into_iter().find_map(GateSettings::authenticate) {
                None if takes_tokens => {}
                None => {
                    let message = "`authorize` without an action before it that authenticates";
                    let problem = context.found.problem(at, message);
                    problem.hint(
                        "put `authenticate-oidc`, `authenticate-user-pool`, `session-or-bearer` or `jwt-validation` before it",
                    );
                }
                Some(gate) if gate.on_unauthenticated == OnUnauthenticated::Allow => {
                    let message = "`authorize` behind `on_unauthenticated_request: allow`, which lets requests pass \
                                   without a user";
                    context.found.problem(at, message).hint("remove `allow`, or write two rules");
                }
                Some(_) => {}
            }
        }
        if let Ok(gate) = &gate {
            self.demand(&gate.demand, at, context);
        }
        self.gates.push(gate.map(GateSettings::Authorize));
    }

    /// One sign-in must be able to meet what a rule demands of it.
    fn demand(&self, demand: &Demand, at: &Path, context: &mut Context<'_>) {
        if demand.is_empty() {
            return;
        }
        let before = || self.gates.iter().flatten();
        let demands = |gate: &GateSettings| matches!(gate, GateSettings::Authorize(gate) if !gate.demand.is_empty());
        if before().any(demands) {
            let problem = context.found.problem(at, "a second `authorize` with `max_age` or `acr`");
            problem.hint("a user signs in once for both: write `max_age` and `acr` into one of them");
        }
        let mut providers = before().filter_map(GateSettings::authenticate).flat_map(|gate| &gate.providers);
        if !demand.acr.is_empty() && providers.any(|one| matches!(one.kind, AuthenticateKind::UserPool(_))) {
            let message = "a user pool asks for no more because of `acr`, so others would never be let in";
            let hint = "say in `mfa` of the pool who needs a second factor; `max_age` works with a user pool";
            context.found.problem(&at.key("acr"), message).hint(hint);
        }
    }

    fn end(
        &mut self,
        name: &'static str,
        terminal: Result<TerminalSettings, Reported>,
        at: &Path,
        context: &mut Context<'_>,
    ) {
        let hint = "a rule must have exactly one of `forward`, `redirect`, `fixed-response`, `static`";
        if !self.comes_too_late(name, hint, at, context) {
            self.terminal = Some((name, at.clone(), terminal));
        }
    }

    fn finish(self, at: &Path, context: &mut Context<'_>) -> Result<ChainSettings, Reported> {
        let gates: Vec<GateSettings> = self.gates.into_iter().collect::<Result<_, _>>()?;
        let Some((_, terminal_at, terminal)) = self.terminal else {
            let problem = context.found.problem(at, "none of the actions answers the request");
            let hint = "the last action must be one of `forward`, `redirect`, `fixed-response`, `static`";
            return problem.hint(hint).fail();
        };
        let mut terminal = terminal?;
        if let TerminalSettings::Static(files) = &mut terminal {
            static_files::keep_private(files, &gates, &terminal_at, context)?;
        }
        Ok(ChainSettings { gates, terminal })
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::AuthenticateOidc(_) => "authenticate-oidc",
        Action::AuthenticateUserPool(_) => "authenticate-user-pool",
        Action::Authorize(_) => "authorize",
        Action::JwtValidation(_) => "jwt-validation",
        Action::SessionOrBearer(_) => "session-or-bearer",
        Action::Forward(_) => "forward",
        Action::Redirect(_) => "redirect",
        Action::FixedResponse(_) => "fixed-response",
        Action::Static(_) => "static",
        Action::Allow(_) => "allow",
    }
}

/// Reports an action whose evidence anybody on the network could read and use.
fn needs_tls(name: &str, client_speaks: ClientSpeaks, at: &Path, context: &mut Context<'_>) {
    if client_speaks == ClientSpeaks::Http {
        let what = if name == "jwt-validation" { "tokens" } else { "session cookies" };
        let problem = context.found.problem(at, format!("`{name}` on an `http` listener"));
        problem.hint(format!(
            "{what} need TLS: use an `https` listener and `redirect` to it here, or list the proxy that ends TLS in \
             `trusted_proxies`"
        ));
    }
}

/// The gate of `session-or-bearer`, and the `authorize` behind it that its `allowed_*` are short for. It is one gate with two halves.
fn session_or_bearer(
    raw: &SessionOrBearer,
    client_speaks: ClientSpeaks,
    at: &Path,
    logins: &mut CookieOwners,
    context: &mut Context<'_>,
) -> Result<Vec<GateSettings>, Reported> {
    needs_tls("session-or-bearer", client_speaks, at, context);
    let named = choice::providers((raw.provider.as_ref(), raw.providers.as_ref()), &logins.shown, at, context);
    let providers = match (named, &raw.user_pool) {
        (Some(named), None) => named,
        (None, Some(name)) => {
            let kind = AuthenticateKind::UserPool(Arc::from(name.as_str()));
            choice::named(kind, &logins.shown, &at.key("user_pool"), context).map(|pool| vec![pool])
        }
        (None, None) => {
            let problem = context.found.problem(at, "it is not said where browsers sign in");
            problem.hint("set `provider` or `user_pool`; for tokens alone, use `jwt-validation`").fail()
        }
        (Some(_), Some(_)) => {
            let key = if raw.provider.is_some() { "provider" } else { "providers" };
            let message = format!("both `{key}` and `user_pool` are set");
            let problem = context.found.problem(&at.key("user_pool"), message);
            problem.label(&at.key(key), "the other one").hint("keep one of them").fail()
        }
    };
    let issuers = providers.clone().map(|providers| providers.into_iter().map(|one| one.kind).collect());
    let bearer = bearer::bearer(&raw.bearer, Some(issuers), &at.key("bearer"), context);
    let mut gates = gates(providers, &raw.login, at, logins, context)?;
    let bearer = bearer?;
    if let Some(first) = gates.first_mut()
        && let GateSettings::Authenticate(session) = first.clone()
    {
        *first = GateSettings::SessionOrBearer(session, bearer);
    }
    Ok(gates)
}

/// The gate of an action that authenticates, and the `authorize` behind it that its `allowed_*` are short for.
fn gates(
    providers: Result<Vec<ProviderChoice>, Reported>,
    login: &Login,
    at: &Path,
    logins: &mut CookieOwners,
    context: &mut Context<'_>,
) -> Result<Vec<GateSettings>, Reported> {
    let cookie_name = match &login.session_cookie_name {
        Some(name) => session::cookie_name(name, &at.key("session_cookie_name"), &mut context.found),
        None => Ok(Arc::clone(&logins.default_cookie_name)),
    };
    // Also if no provider can be found: then a rule authenticates.
    if let Ok(cookie_name) = &cookie_name {
        logins.add(providers.as_deref().unwrap_or_default(), cookie_name, at, context);
    }
    let timeout_at = at.key("session_timeout");
    let session_timeout =
        value::period(&login.session_timeout, SESSION_TIMEOUT_BOUNDS, &timeout_at, &mut context.found);
    let scope = scope(&login.scope, &at.key("scope"), context);
    let params_at = at.key("authentication_request_extra_params");
    let extra_params = extra_params(&login.authentication_request_extra_params, &params_at, context);
    let on_unauthenticated = match login.on_unauthenticated_request {
        OnUnauthenticatedRequest::Authenticate => OnUnauthenticated::Authenticate,
        OnUnauthenticatedRequest::Deny => OnUnauthenticated::Deny,
        OnUnauthenticatedRequest::Allow => OnUnauthenticated::Allow,
    };
    if login.on_expired_session.is_some() && on_unauthenticated != OnUnauthenticated::Deny {
        let message = "`on_expired_session` is allowed only with `on_unauthenticated_request: deny`";
        context.found.problem(&at.key("on_expired_session"), message).hint("remove it");
    }
    let allowed_origins = origins(&login.allowed_origins, &at.key("allowed_origins"), context);
    let authorize = allowed(login, at, context);
    let settings = AuthenticateSettings {
        providers: providers?,
        session_cookie_name: cookie_name?,
        scope: scope?,
        session_timeout: session_timeout?,
        extra_params: extra_params?,
        on_unauthenticated,
        on_expired: match login.on_expired_session.unwrap_or_default() {
            OnExpiredSession::Authenticate => OnExpired::Authenticate,
            OnExpiredSession::Deny => OnExpired::Deny,
        },
        private_responses: login.private_responses,
        same_site: same_site(login.session_cookie_same_site, &at.key("session_cookie_same_site"), context),
        allowed_origins: allowed_origins?,
    };
    let authorize = authorize?.map(GateSettings::Authorize);
    Ok([GateSettings::Authenticate(settings)].into_iter().chain(authorize).collect())
}

/// The `authorize` that `allowed_*` of an action that authenticates are short for.
fn allowed(login: &Login, at: &Path, context: &mut Context<'_>) -> Result<Option<AuthorizeSettings>, Reported> {
    let allowed = Allowed::of(login);
    match (login.on_unauthenticated_request, allowed.given().first()) {
        (OnUnauthenticatedRequest::Allow, Some(name)) => {
            let message =
                format!("`{name}` with `on_unauthenticated_request: allow`, which lets requests pass without a user");
            context.found.problem(&at.key(name), message).hint("remove `allow`, or write two rules").fail()
        }
        _ => allowed.authorize(at, &mut context.found),
    }
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
fn origins(written: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Arc<[String]>, Reported> {
    let origins = value::each(written, at, &mut context.found, |text, at, found| {
        let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"));
        let origin = url.map(|url| url.origin().ascii_serialization());
        origin.filter(|origin| origin.eq_ignore_ascii_case(text.trim_end_matches('/'))).ok_or_else(|| {
            let problem = found.problem(at, format!("`{text}` is not an origin"));
            problem.hint("write scheme, host and port without a path: `https://app.example.com`").reported()
        })
    });
    Ok(origins?.into())
}

pub(super) fn scope(scope: &str, at: &Path, context: &mut Context<'_>) -> Result<String, Reported> {
    if let Some(bad) = scope.split(' ').find(|one| !value::is_scope(one)) {
        let problem = context.found.problem(at, format!("`{bad}` is not a scope"));
        return problem.hint("separate scopes by one space").fail();
    }
    if !scope.split(' ').any(|one| one == "openid") {
        let problem = context.found.problem(at, "`openid` is not among the scopes");
        return problem.hint("without `openid` the provider sends no ID token, and every sign-in fails").fail();
    }
    Ok(scope.to_owned())
}

fn extra_params(
    params: &BTreeMap<String, String>,
    at: &Path,
    context: &mut Context<'_>,
) -> Result<BTreeMap<String, String>, Reported> {
    let mut sound = Ok(params.clone());
    if params.len() > EXTRA_PARAMS_MAX {
        let message = format!("{} parameters; at most {EXTRA_PARAMS_MAX} are allowed", params.len());
        sound = context.found.problem(at, message).fail();
    }
    for name in params.keys() {
        if oidc::is_reserved_parameter(name) {
            let problem =
                context.found.problem_at_key(&at.key(name), format!("`{name}` is reserved: the sign-in sets it"));
            let hint = (name == "scope").then(|| "use the `scope` setting of the action".to_owned());
            sound = problem.maybe_hint(hint).fail();
        } else if name.is_empty() {
            sound = context.found.problem_at_key(&at.key(name), "the name of the parameter is empty").fail();
        }
    }
    sound
}
