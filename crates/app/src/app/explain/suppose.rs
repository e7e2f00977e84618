//! For `check --request` and `test`: what a chain does with a request whose user is only supposed.
//!
//! The gates and the terminal decide with the code that serves requests. Nobody is verified, so nothing here makes a
//! passage of a user. Start at [`suppose`].

use std::rc::Rc;
use std::sync::Arc;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, header};

use crate::action::authenticate::{Authenticate, SupposedAbsence};
use crate::action::bearer::Bearer;
use crate::action::decisions::Verdict;
use crate::action::requirement::{Asked, Explained};
use crate::action::supposed_user::Supposed;
use crate::action::{ActionChain, Gate, Terminal};
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Claims;
use crate::message::uri::CanonicalRequest;
use crate::message::{Request, Response};

/// The claims of whoever sends the request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Credentials<'c> {
    /// As in the ID token of a sign-in: the request has a session.
    pub(super) session: Option<&'c Claims>,
    /// As in an access token: the request has a bearer token.
    pub(super) token: Option<&'c Claims>,
}

/// What a chain does.
#[derive(Debug)]
pub(super) struct Supposition {
    /// The user, if a gate has identified one.
    pub(super) user: Option<Supposed>,
    pub(super) steps: Vec<Step>,
    pub(super) end: End,
}

/// What a gate says about the user. Gates behind the one that stops the request are asked, too.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) action: &'static str,
    pub(super) verdict: String,
    pub(super) parts: Vec<Explained>,
}

/// How the request ends.
#[derive(Debug)]
pub(super) enum End {
    /// The browser is sent to this provider.
    SignIn(String),
    Refused(Rejection),
    /// `redirect`, `fixed-response`, `static`.
    Answered(Box<Response>),
    /// The request is sent to this target group, with this path and query, and these headers. With several groups, all are named, and the
    /// headers are those for the first.
    Forward {
        group: Arc<str>,
        target: PathAndQuery,
        headers: HeaderMap,
    },
    /// `allow`: the other proxy lets the request pass with these headers.
    Allow(HeaderMap),
    /// No sign-in gives these claims.
    NobodyHas(&'static str),
}

/// What a gate that identifies users decides.
enum Sender {
    User(Supposed),
    Nobody,
    Stopped(End),
}

/// What the chain does with the request. `groups` are the names of the target groups.
pub(super) fn suppose(
    chain: &ActionChain,
    exchange: &mut Exchange,
    (canonical, request): (&CanonicalRequest, &mut Request),
    credentials: Credentials<'_>,
    groups: &[Arc<str>],
) -> Supposition {
    let (mut user, mut steps, mut end, mut is_token) = (None, Vec::new(), None, false);
    let connection = Rc::clone(&exchange.connection);
    // A client that sent a token cannot be sent to sign in.
    let authenticate = chain.gates.iter().find_map(Gate::authenticate).filter(|_| credentials.token.is_none());
    for gate in &chain.gates {
        if let Some(authorize) = gate.authorize() {
            // The sender was stopped.
            if user.is_none() && end.is_some() {
                continue;
            }
            let identity = user.as_ref().map(|user: &Supposed| &user.identity);
            let asked = Asked { identity, certificate: connection.client.verified() };
            let (verdict, parts) = match authorize.explain(asked, exchange.started_at) {
                Ok(explained) => explained,
                Err(reason) => {
                    end = Some(End::Refused(reason.into()));
                    continue;
                }
            };
            let again = || step_up(authenticate.map(|gate| &**gate), canonical, request.headers());
            let (verdict, stopped) = decided(verdict, is_token, again);
            steps.push(Step { action: "authorize", verdict, parts });
            end = end.or(stopped);
            continue;
        }
        if let Err(rejection) = exchange.require_https() {
            end = end.or(Some(End::Refused(rejection)));
        }
        is_token |= gate.bearer().is_some() && (gate.authenticate().is_none() || credentials.token.is_some());
        match sender(gate, canonical, request.headers(), credentials, &mut steps) {
            Sender::User(supposed) => user = Some(supposed),
            Sender::Nobody => {}
            Sender::Stopped(stopped) => end = end.or(Some(stopped)),
        }
    }
    let end = end.unwrap_or_else(|| {
        terminal(&chain.terminal, exchange, (canonical, request), user.as_ref(), groups).unwrap_or_else(End::Refused)
    });
    Supposition { user, steps, end }
}

/// Whether a gate identifies users.
pub(super) fn identifies(chain: &ActionChain) -> bool {
    chain.gates.iter().any(|gate| gate.authenticate().is_some() || gate.bearer().is_some())
}

/// The verdict of an `authorize` in words, and how it ends the request.
fn decided(verdict: Verdict, is_token: bool, step_up: impl FnOnce() -> End) -> (String, Option<End>) {
    let reason_of = |reason: Reason| if is_token { reason.of_token() } else { reason };
    match verdict {
        Verdict::LetIn => ("lets the user in".to_owned(), None),
        Verdict::Reported => ("lets the user in because of `mode: report` only".to_owned(), None),
        Verdict::Refused(reason) => {
            let reason = reason_of(reason);
            let verdict = format!("refuses with {} `{}`", reason.status().as_u16(), reason.code());
            (verdict, Some(End::Refused(reason.into())))
        }
        Verdict::StepUp(shortfall) if is_token => (
            format!("demands a token of another sign-in: {shortfall}"),
            Some(End::Refused(Reason::BearerStepUpRequired.into())),
        ),
        Verdict::StepUp(shortfall) => (format!("has the user sign in again: {shortfall}"), Some(step_up())),
    }
}

fn sender(
    gate: &Gate,
    canonical: &CanonicalRequest,
    headers: &HeaderMap,
    credentials: Credentials<'_>,
    steps: &mut Vec<Step>,
) -> Sender {
    match gate {
        Gate::Authenticate(authenticate) => session(authenticate, (canonical, headers), credentials.session),
        // The only credentials that this gate takes are those of a token.
        Gate::Bearer(bearer) => match credentials.token.or(credentials.session) {
            Some(claims) => token(bearer, "jwt-validation", canonical, claims, steps),
            None => Sender::Stopped(End::Refused(Reason::BearerMissing.into())),
        },
        Gate::SessionOrBearer(either) => {
            let Some(claims) = credentials.token else {
                return session(&either.session, (canonical, headers), credentials.session);
            };
            let sender = token(&either.bearer, "session-or-bearer", canonical, claims, steps);
            let of_session = credentials.session.and_then(|claims| either.session.supposed(claims.clone()));
            match (&sender, of_session) {
                (Sender::User(user), Some(other)) if !other.identity.is_same_user(&user.identity) => {
                    Sender::Stopped(End::Refused(Reason::BearerOtherUser.into()))
                }
                _ => sender,
            }
        }
        Gate::Authorize(_) => Sender::Nobody,
    }
}

fn session(
    authenticate: &Authenticate,
    (canonical, headers): (&CanonicalRequest, &HeaderMap),
    claims: Option<&Claims>,
) -> Sender {
    let Some(claims) = claims else {
        return match absence(authenticate, canonical, headers) {
            Ok(SupposedAbsence::Anonymous) => Sender::Nobody,
            Ok(SupposedAbsence::SignIn) => Sender::Stopped(End::SignIn(authenticate.provider_for(canonical))),
            Err(reason) => Sender::Stopped(End::Refused(reason.into())),
        };
    };
    authenticate.supposed(claims.clone()).map_or_else(
        || {
            Sender::Stopped(End::NobodyHas(match claims.get("sub") {
                None => "they have no `sub`",
                Some(_) => "`sub` must be text",
            }))
        },
        Sender::User,
    )
}

/// How a request ends that has to sign in again.
fn step_up(authenticate: Option<&Authenticate>, canonical: &CanonicalRequest, headers: &HeaderMap) -> End {
    match authenticate.map(|authenticate| (authenticate, absence(authenticate, canonical, headers))) {
        Some((authenticate, Ok(SupposedAbsence::SignIn))) => End::SignIn(authenticate.provider_for(canonical)),
        _ => End::Refused(Reason::AuthStepUpRequired.into()),
    }
}

/// A request that says nothing of what it accepts is taken for one of a browser that opens a page.
fn absence(
    authenticate: &Authenticate,
    canonical: &CanonicalRequest,
    headers: &HeaderMap,
) -> Result<SupposedAbsence, Reason> {
    let mut headers = headers.clone();
    headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("text/html"));
    authenticate.supposed_absence(&canonical.method, &headers)
}

fn token(
    bearer: &Bearer,
    action: &'static str,
    canonical: &CanonicalRequest,
    claims: &Claims,
    steps: &mut Vec<Step>,
) -> Sender {
    let (verdict, sender) = match bearer.supposed(claims.clone(), canonical) {
        Ok(user) => ("accepts a token with these claims".to_owned(), Sender::User(user)),
        Err(rejection) => {
            let (status, code) = (rejection.reason.status().as_u16(), rejection.reason.code());
            (
                format!("refuses a token with these claims with {status} `{code}`"),
                Sender::Stopped(End::Refused(rejection)),
            )
        }
    };
    steps.push(Step { action, verdict, parts: Vec::new() });
    sender
}

fn terminal(
    terminal: &Terminal,
    exchange: &mut Exchange,
    (canonical, request): (&CanonicalRequest, &mut Request),
    user: Option<&Supposed>,
    groups: &[Arc<str>],
) -> Result<End, Rejection> {
    let now = exchange.started_at;
    let about_user = |audience: &Arc<str>, headers: &mut HeaderMap| -> Result<(), Rejection> {
        if let Some(user) = user {
            user.headers(audience, now)?.write_into(headers);
        }
        Ok(())
    };
    match terminal {
        Terminal::Forward(forward) => {
            let group = groups.get(forward.group).cloned().unwrap_or_default();
            let headers = request.headers_mut();
            forward.suppose(exchange, canonical, headers)?.write_into(headers);
            about_user(&group, headers)?;
            let named = forward.weighted().map(|settings| {
                let shares = settings.shares.iter().filter(|share| share.weight > 0);
                shares.map(|share| &*share.name).collect::<Vec<_>>().join(" or ")
            });
            Ok(End::Forward {
                group: named.map_or(group, Arc::from),
                target: exchange.target_of(canonical).clone(),
                headers: std::mem::take(headers),
            })
        }
        Terminal::Redirect(redirect) => redirect.run(exchange, canonical).map(Box::new).map(End::Answered),
        Terminal::FixedResponse(fixed) => Ok(End::Answered(Box::new(fixed.run()))),
        Terminal::Static(files) => {
            files.suppose(exchange, canonical, request.headers()).map(Box::new).map(End::Answered)
        }
        Terminal::Allow(allow) => {
            let mut headers = allow.suppose(exchange, canonical, request.headers())?;
            about_user(&allow.audience, &mut headers)?;
            Ok(End::Allow(headers))
        }
    }
}
