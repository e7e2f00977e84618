//! `authenticate-oidc` and `authenticate-user-pool`: depending on the session, the request continues, or a refresh or sign-in is
//! started, or the request continues without a user, or it is refused (ALB §2.1).
//!
//! There is one [`Authenticate`] per action, shared by the workers. [`local::Local`] is the state of each worker, [`memory::Memory`]
//! the state of the process. This module does not depend on targets and rules. Start at [`Authenticate::run`]. A sign-in starts in
//! [`login`] and returns through [`endpoints`] and [`callback`].

pub(crate) mod endpoints;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod paths;

mod answer;
mod callback;
mod decision;
mod failure;
mod finishing;
mod flights;
mod issuing;
mod login;
mod metrics;
mod opening;
mod redeemed;
mod refresh;
mod refusal;
mod session_lease;
mod sign_in;
mod sign_out;
mod signed_in;
mod step_up;
mod ticket;
mod userinfo;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::action::demand::Demand;
use crate::action::settings::AuthenticateSettings;
use crate::action::visitor::Visitor;
use crate::claims::ClaimsHeaders;
use crate::clock::Clock;
use crate::drain::Control;
use crate::exchange::Exchange;
use crate::exchange::rejection::Rejection;
use crate::identity::{Claims, Identity};
use crate::message::cookie::SameSite;
use crate::message::uri::CanonicalRequest;
use crate::message::{Response, media};
use crate::oidc;
use crate::page::Pages;
use crate::session::pending::PendingLogins;
use crate::session::rounds::Rounds;
use crate::session::{self, Sessions};
use crate::telemetry::metrics::Registry;
use decision::{Absence, Sends, Verdict, Wish, decide};
use issuing::Issuing;
use local::Local;
use login::Start;
use memory::Memory;
use metrics::Metrics;
use paths::Paths;
use refresh::Renewer;
use ticket::Destination;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The part of the listener's maximum head size that the cookies of pending sign-ins may use. The rest is left for the session, the
/// cookies of the application and everything else.
const PENDING_SHARE: usize = 2;

/// One `authenticate-*` action.
#[derive(Debug)]
pub(crate) struct Authenticate {
    /// Unique among all actions of this and earlier configurations, so that a worker never uses a session that it cached for another
    /// action.
    id: u64,
    /// Identifies the action in a pending sign-in, across restarts and replicas.
    key: String,
    /// The callback path. A response at another path does not belong to this action.
    callback: Box<str>,
    settings: AuthenticateSettings,
    issuing: Arc<Issuing>,
    pending: PendingLogins,
    rounds: Rounds,
    claims: Arc<ClaimsHeaders>,
    paths: Arc<Paths>,
    pages: Arc<Pages>,
    memory: Memory,
    control: Control,
    renewer: Arc<Renewer>,
    metrics: Metrics,
}

/// The shared parts of all actions.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    /// The session keys.
    pub(crate) session: session::settings::Settings,
    pub(crate) claims: Arc<ClaimsHeaders>,
    /// The reserved paths.
    pub(crate) paths: Arc<Paths>,
    pub(crate) pages: Arc<Pages>,
    /// The state of the process. It outlives the configuration, so a session that was ended stays ended after a reload.
    pub(crate) memory: Memory,
    pub(crate) control: Control,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
}

/// The result of the gate. An error never becomes one of the first two variants.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The user is signed in.
    Identified(Rc<Visitor>),
    /// There is no user, and the rule says `allow`.
    Anonymous(Anonymous),
    /// The gate has answered the request.
    Answered(Box<Response>),
}

/// Proof that the rule says `allow`. Nothing else creates one.
#[derive(Debug)]
pub(crate) struct Anonymous(());

#[cfg(test)]
impl Anonymous {
    pub(in crate::action) fn in_a_test() -> Self {
        Self(())
    }
}

impl Authenticate {
    /// Creates an action. `logout` is the setting of the provider, which determines whether sessions keep the ID token. `head_bytes_max` is
    /// the limit of the listener, which limits the cookies of pending sign-ins.
    pub(crate) fn new(
        settings: AuthenticateSettings,
        client: Arc<oidc::RelyingParty>,
        logout: oidc::settings::Logout,
        services: &Services,
        head_bytes_max: usize,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let base = &settings.session_cookie_name;
        let sessions = Sessions::new(&services.session, Arc::clone(base)).for_requests_of(settings.same_site);
        let metrics = Metrics::new(&services.registry, client.name(), services.claims.owned_names());
        let issuing = Arc::new(Issuing::new(&settings, Arc::clone(&client), logout, sessions, services));
        let renewer = Renewer {
            issuing: Arc::clone(&issuing),
            control: services.control.clone(),
            refreshes: metrics.refreshes.clone(),
            memory: services.memory.clone(),
        };
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            key: login::gate_key(&settings, client.name()),
            callback: client.callback_path().unwrap_or(&services.paths.callback).into(),
            pending: PendingLogins::new(&services.session, Arc::clone(base), head_bytes_max / PENDING_SHARE),
            rounds: Rounds::new(Arc::clone(base), settings.session_timeout),
            issuing,
            renewer: Arc::new(renewer),
            claims: Arc::clone(&services.claims),
            paths: Arc::clone(&services.paths),
            pages: Arc::clone(&services.pages),
            memory: services.memory.clone(),
            control: services.control.clone(),
            settings,
            metrics,
        }
    }

    /// The user whom a sign-in with these claims would give. Nothing is verified: for `check` only. `None` without a `sub`.
    pub(crate) fn supposed(&self, payload: Claims) -> Option<Identity> {
        self.issuing.client.supposed(payload)
    }

    /// Whether an action with these settings would behave the same.
    pub(crate) fn is_of(&self, settings: &AuthenticateSettings) -> bool {
        self.settings == *settings
    }

    /// Runs the gate. `demand` is what a later gate of the chain will demand of the sign-in, so that a new sign-in meets it at once.
    ///
    /// # Errors
    ///
    /// 401 for a request that may not continue and cannot be redirected, or the error of the sign-in.
    pub(crate) async fn run(
        self: &Arc<Self>,
        local: &Local,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        demand: &Demand,
    ) -> Result<Outcome, Rejection> {
        let mut opened = self.open(local, request.host(), headers, exchange.started_at).await;
        if let Ok(signed_in) = &opened
            && signed_in.lease.is_refresh_due(exchange.started_at)
        {
            // Boxed, because most requests need no refresh. Otherwise every request would reserve the memory for it.
            let came = (request.host(), headers);
            opened = Box::pin(self.refresh(local, came, signed_in, exchange.started_at)).await;
        }
        match opened {
            Ok(signed_in) => {
                exchange.subject = Some(Rc::clone(signed_in.visitor.subject()));
                exchange.cookies.extend_from_slice(signed_in.new_cookies());
                exchange.is_private = self.settings.private_responses;
                Ok(Outcome::Identified(Rc::clone(&signed_in.visitor)))
            }
            Err(absence) => Box::pin(self.without_session(absence, exchange, request, headers, demand)).await,
        }
    }

    async fn without_session(
        &self,
        absence: Absence,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        demand: &Demand,
    ) -> Result<Outcome, Rejection> {
        let intent = media::intent(&request.method, headers);
        let wish = Wish { intent, sends: Sends::of(&request.method, headers) };
        let verdict = decide(absence, &self.settings, wish);
        // A cookie that cannot be decrypted is deleted. An expired session is kept, because it shows that it has expired, except with `allow`.
        if absence == Absence::Invalid || (absence == Absence::Expired && matches!(verdict, Verdict::Anonymous)) {
            exchange.cookies.extend(self.issuing.sessions.clear(headers));
        }
        if self.settings.same_site == SameSite::Strict && absence == Absence::Nothing && verdict == Verdict::Login {
            // Browsers do not send `SameSite=Strict` cookies if another site links here, but they do if our own page links.
            let is_led_here = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
            if headers.get(SEC_FETCH_SITE).is_some_and(is_led_here) {
                let page = answer::page_that_goes_to(self.pages.view_for(headers), request.target.as_str());
                return Ok(Outcome::Answered(Box::new(page)));
            }
        }
        match verdict {
            Verdict::Anonymous => Ok(Outcome::Anonymous(Anonymous(()))),
            Verdict::Login => {
                let to = Destination::of(request, |path| self.paths.is_reserved(path));
                let answer = self.begin_login(exchange, request, headers, Start::request(to, demand.clone())).await?;
                Ok(Outcome::Answered(Box::new(answer)))
            }
            Verdict::Refuse(reason) => Err(self.refusal(reason, intent, exchange, request, headers)),
        }
    }
}

#[cfg(test)]
mod tests;
