//! `authenticate-oidc` and `authenticate-user-pool`: session present, stale or absent → go on, refresh, sign in, let pass
//! as anonymous, or refuse (ALB §2.1).
//!
//! One [`Authenticate`] for each such action, shared by the workers; [`local::Local`] is what each worker has for itself,
//! [`memory::Memory`] what the process has. Knows no target and no rule. Start at [`Authenticate::run`]; a login leaves
//! through [`login`] and comes back through [`endpoints`] and [`callback`].

pub(crate) mod endpoints;
pub(crate) mod local;
pub(crate) mod memory;
pub(crate) mod paths;
pub(crate) mod signed_in;

mod answer;
mod callback;
mod decision;
mod failure;
mod finishing;
mod flights;
mod issuing;
mod login;
mod metrics;
mod redeemed;
mod refresh;
mod refusal;
mod sign_in;
mod sign_out;
mod ticket;
mod userinfo;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::action::settings::AuthenticateSettings;
use crate::claims::ClaimsHeaders;
use crate::clock::{Clock, Timestamp};
use crate::drain::Control;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::cookie::SameSite;
use crate::message::uri::CanonicalRequest;
use crate::message::{Response, media};
use crate::oidc;
use crate::session::opened::Key;
use crate::session::pending::PendingLogins;
use crate::session::record::Session;
use crate::session::rounds::Rounds;
use crate::session::shards::{self, Found, Shards};
use crate::session::{self, Sessions};
use crate::telemetry::metrics::Registry;
use decision::{Absence, Sends, Verdict, Wish, decide};
use flights::Renewal;
use issuing::Issuing;
use local::Local;
use login::Start;
use memory::Memory;
use metrics::Metrics;
use paths::Paths;
use refresh::Renewer;
use signed_in::SignedIn;
use ticket::Destination;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Logins on their way may fill this part of the largest head that the listener reads: what a session, the application's own
/// cookies and everything else need is left.
const PENDING_SHARE: usize = 2;

/// One `authenticate-*` action.
#[derive(Debug)]
pub(crate) struct Authenticate {
    /// No other action has it, of this generation of the configuration or an earlier one: what a worker has opened for
    /// one is not another's.
    id: u64,
    /// Names the action across restarts and replicas, in a pending login.
    key: String,
    /// The path that the provider sends browsers back to. An answer at another one is not this action's.
    callback: Box<str>,
    settings: AuthenticateSettings,
    issuing: Arc<Issuing>,
    pending: PendingLogins,
    rounds: Rounds,
    claims: Arc<ClaimsHeaders>,
    paths: Arc<Paths>,
    memory: Memory,
    control: Control,
    renewer: Arc<Renewer>,
    metrics: Metrics,
}

/// What every action is assembled from.
#[derive(Clone, Debug)]
pub(crate) struct Services {
    /// The keys that seal.
    pub(crate) session: session::settings::Settings,
    pub(crate) claims: Arc<ClaimsHeaders>,
    /// Where the endpoints are.
    pub(crate) paths: Arc<Paths>,
    /// Outlives the configuration: a session that was ended stays ended after a reload.
    pub(crate) memory: Memory,
    pub(crate) control: Control,
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
}

/// How the gate lets a request go on, or answers it. An error is never one of the first two.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// A user who is signed in.
    Identified(Rc<SignedIn>),
    /// Nobody, and the rule says `allow`.
    Anonymous(Anonymous),
    /// The gate has answered.
    Answered(Box<Response>),
}

/// Proof that a rule says `allow`: nothing else makes one.
#[derive(Debug)]
pub(crate) struct Anonymous(());

impl Authenticate {
    /// Binds an action to its provider. `logout` is the provider's setting: it says whether sessions keep the ID token.
    /// `head_bytes_max` is the listener's: logins on their way may fill a part of a request's head.
    pub(crate) fn new(
        settings: AuthenticateSettings,
        client: Arc<oidc::Client>,
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
            memory: services.memory.clone(),
            control: services.control.clone(),
            settings,
            metrics,
        }
    }

    /// Whether an action with these settings would do the same.
    pub(crate) fn is_of(&self, settings: &AuthenticateSettings) -> bool {
        self.settings == *settings
    }

    /// Lets the request go on, or answers it.
    ///
    /// # Errors
    ///
    /// The 401 of a request that is not let pass and cannot be redirected, or what went wrong in signing in.
    pub(crate) async fn run(
        &self,
        local: &Local,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<Outcome, Rejection> {
        let request = exchange.request.clone().ok_or(Reason::Internal)?;
        let mut opened = self.open(local, request.host(), headers, exchange.started_at);
        if let Ok(signed_in) = &opened
            && signed_in.is_refresh_due(exchange.started_at)
        {
            // Boxed, like the way without a session: most requests need neither and do not carry their room along.
            let came = (request.host(), headers);
            opened = Box::pin(self.refresh(local, came, signed_in, exchange.started_at)).await;
        }
        match opened {
            Ok(signed_in) => {
                exchange.subject = Some(Rc::clone(signed_in.subject()));
                exchange.cookies.extend_from_slice(signed_in.new_cookies());
                exchange.is_private = self.settings.private_responses;
                Ok(Outcome::Identified(signed_in))
            }
            Err(absence) => Box::pin(self.without_session(absence, exchange, &request, headers)).await,
        }
    }

    async fn without_session(
        &self,
        absence: Absence,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Result<Outcome, Rejection> {
        let intent = media::intent(&request.method, headers);
        let wish = Wish { intent, sends: Sends::of(&request.method, headers) };
        let verdict = decide(absence, &self.settings, wish);
        // What does not open never will. A session that is over is kept, because it says so; `allow` has no use for it.
        if absence == Absence::Invalid || (absence == Absence::Expired && matches!(verdict, Verdict::Anonymous)) {
            exchange.cookies.extend(self.issuing.sessions.clear(headers));
        }
        if self.settings.same_site == SameSite::Strict && absence == Absence::Nothing && verdict == Verdict::Login {
            // The browser keeps a `SameSite=Strict` cookie back when another site leads here, and sends it when we do.
            let is_led_here = |site: &HeaderValue| !matches!(site.as_bytes(), b"same-origin" | b"none");
            if headers.get(SEC_FETCH_SITE).is_some_and(is_led_here) {
                return Ok(Outcome::Answered(Box::new(answer::page_that_goes_to(request.target.as_str()))));
            }
        }
        match verdict {
            Verdict::Anonymous => Ok(Outcome::Anonymous(Anonymous(()))),
            Verdict::Login => {
                let to = Destination::of(request, |path| self.paths.is_reserved(path));
                let answer = self.begin_login(exchange, headers, Start::request(to)).await?;
                Ok(Outcome::Answered(Box::new(answer)))
            }
            Verdict::Refuse(reason) => Err(self.refusal(reason, intent, exchange, request)),
        }
    }

    /// The session that a request to `host` carries, opened by this worker before or now.
    fn open(&self, local: &Local, host: &str, headers: &HeaderMap, now: Timestamp) -> Result<Rc<SignedIn>, Absence> {
        let shards = match shards::find(headers, self.issuing.sessions.base()) {
            Found::Whole(shards) => shards,
            Found::Broken => return Err(local.count(Absence::Invalid)),
            Found::Nothing => return Err(Absence::Nothing),
        };
        let key = Key { scope: self.id, host, shards: &shards };
        let mut opened = local.opened.borrow_mut();
        let remembered = opened.find(&key);
        let signed_in = match &remembered {
            Some(signed_in) => Rc::clone(signed_in),
            None => Rc::new(self.open_anew(host, &shards, now).map_err(|absence| local.count(absence))?),
        };
        if signed_in.is_over(now) {
            opened.forget(&key);
            return Err(local.count(Absence::Expired));
        }
        if remembered.is_some() {
            local.cached.increment();
        } else {
            local.ok.increment();
            local.remember(&mut opened, &key, &signed_in);
        }
        Ok(signed_in)
    }

    fn open_anew(&self, host: &str, shards: &Shards<'_>, now: Timestamp) -> Result<SignedIn, Absence> {
        let session = self.issuing.sessions.open(host, shards).map_err(|error| match error {
            session::error::Error::Version => Absence::Nothing,
            session::error::Error::Invalid | session::error::Error::TooLarge => Absence::Invalid,
        })?;
        // Another rule's session under the same name: it is good, but not here (attacks S-03, pitfalls 29).
        if !self.issuing.is_from_our_provider(&session) {
            return Err(Absence::Nothing);
        }
        if session.generation > 0 {
            self.memory.flights.seen(&session.id, session.generation, now);
        }
        Ok(self.signed_in(host, session, None))
    }

    /// `renewal` is what a browser with an older cookie of the session is given.
    fn signed_in(&self, host: &str, session: Session, renewal: Option<Arc<Renewal>>) -> SignedIn {
        let prepared = self.claims.prepare(&session.identity, self.issuing.client.client_id());
        for header in prepared.inexpressible() {
            self.metrics.left_out.count(header, &self.memory.left_out);
        }
        SignedIn::new(signed_in::Parts {
            host: host.into(),
            timeout: self.settings.session_timeout,
            prepared,
            claims: Arc::clone(&self.claims),
            allowed_origins: Arc::clone(&self.settings.allowed_origins),
            renewer: Arc::clone(&self.renewer),
            session,
            renewal,
        })
    }
}

#[cfg(test)]
mod tests;
