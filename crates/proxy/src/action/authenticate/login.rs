//! Starts a sign-in: stores the values for the callback in encrypted cookies, and redirects the browser to the provider.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method};
use serde::{Deserialize, Serialize};

use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::ticket::Destination;
use crate::action::authenticate::{answer, failure};
use crate::action::demand::Demand;
use crate::action::told;
use crate::exchange::rejection::{Reason, Rejection};
use crate::exchange::{Exchange, LoginNames};
use crate::message::Response;
use crate::message::media::{self, Intent};
use crate::message::uri::CanonicalRequest;
use crate::oidc;
use crate::session::rounds::ROUNDS_MAX;
use crate::session::shards::{self, Found};
use crate::telemetry::traces::scope;

pub(super) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The values that are kept, encrypted, from the redirect to the callback. The encryption binds them to the host and to the base name
/// of the cookie.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PendingLogin {
    /// The action that started the sign-in (attacks C-13, S-03).
    pub(super) gate: String,
    /// [`Authenticate::shape`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) shape: Option<String>,
    pub(super) redirect_uri: String,
    /// Never [`Destination::InCookie`].
    pub(super) to: Destination,
    /// How many times the sign-in was restarted automatically.
    pub(super) attempt: u8,
    /// How many sign-ins had just finished in this browser when it started.
    pub(super) rounds: u8,
    pub(super) protocol: oidc::Pending,
    /// The rule that started the sign-in, for the log. Absent in sign-ins that an older version started.
    pub(super) rule: Option<String>,
    /// What the sign-in has to meet. An older version started sign-ins without.
    #[serde(default)]
    pub(super) demand: Demand,
    /// Whether it was begun with [`Prompt::Silent`].
    #[serde(default)]
    pub(super) is_silent: bool,
}

/// How a sign-in is to start.
#[derive(Debug)]
pub(super) struct LoginStart {
    pub(super) to: Destination,
    pub(super) attempt: u8,
    pub(super) cause: Cause,
    pub(super) prompt: Prompt,
    /// What the rule demands of the sign-in.
    pub(super) demand: Demand,
    /// The address that the user typed on the page on which users choose a provider (`login_hint`, OIDC Core §3.1.2.1).
    pub(super) login_hint: Option<String>,
}

/// Why a sign-in starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// A request without a session, or a callback that failed. Stopped after a few rounds.
    Request,
    /// A request with a session whose sign-in does not meet the demand of its rule. Stopped after a few rounds, too.
    StepUp,
    /// The user followed a link to sign in.
    Person,
    /// The user chose a provider. Counted, so that [`Request`](Self::Request) notices that no choice helps.
    Choice,
}

/// How the `prompt` parameter of the configuration is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prompt {
    Configured,
    /// The provider has answered that it must ask the user.
    NotNone,
    /// The provider must ask for the account. Otherwise it would return the same account again.
    Login,
    /// The provider must not ask the user anything. If it has to, it answers with an error (OIDC Core §3.1.2.6).
    Silent,
}

impl LoginStart {
    /// A sign-in for a request. Returns to the requested address.
    pub(super) fn request(to: Destination, demand: Demand) -> Self {
        Self { to, attempt: 0, cause: Cause::Request, prompt: Prompt::Configured, demand, login_hint: None }
    }
}

impl Authenticate {
    /// Redirects a navigation to the provider.
    ///
    /// # Errors
    ///
    /// If the metadata of the provider is not available, if there were too many sign-ins in a row, or if the address is too long for
    /// the cookies.
    pub(super) async fn begin_login(
        &self,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
        start: LoginStart,
    ) -> Result<Response, Rejection> {
        // A sign-in that a callback restarts keeps its rule.
        let rule = exchange.rule_name().cloned().or_else(|| exchange.login.as_ref()?.rule.clone());
        exchange.login = Some(self.names(rule.as_deref()));
        let rounds = match start.cause {
            Cause::Request | Cause::StepUp => self.rounds.read(headers),
            Cause::Person => 0,
            Cause::Choice => Some(self.rounds.read(headers)).filter(|rounds| *rounds < ROUNDS_MAX).unwrap_or_default(),
        };
        let link = |to: &Destination| self.sign_in_link(request.host(), to, None);
        if rounds >= ROUNDS_MAX {
            let reason = match start.cause {
                Cause::StepUp => Reason::AuthStepUpFailed,
                Cause::Request | Cause::Person | Cause::Choice => self.why_lost(request.host(), headers).await,
            };
            self.metrics.failures.count(reason);
            let asked = start.demand.contact.as_deref().filter(|_| reason == Reason::AuthStepUpFailed);
            return Err(told::contact(Rejection::from(reason), asked).offer(link(&start.to)));
        }
        if !exchange.connection.logins.begin(exchange.client, exchange.started_at) {
            self.metrics.failures.count(Reason::AuthTooManyLogins);
            return Err(Reason::AuthTooManyLogins.into());
        }
        // Including the port, if the client sent one, because another port is another origin.
        let redirect_uri = format!("https://{}{}", request.authority.as_str(), self.callback);
        let state = self.seal_ticket(request.host(), &start.to, start.attempt);
        let begun = self.ask_provider(redirect_uri.clone(), state.clone(), &start).await;
        let begun = begun.inspect_err(|rejection| self.metrics.failures.count(rejection.reason))?;
        let login = PendingLogin {
            gate: self.key.clone(),
            shape: self.shape.clone(),
            redirect_uri,
            to: start.to,
            attempt: start.attempt,
            rounds,
            protocol: begun.pending,
            rule: rule.as_deref().map(str::to_owned),
            demand: start.demand,
            is_silent: start.prompt == Prompt::Silent,
        };
        let saved = self.pending.save(request.host(), &state, login, headers, exchange.started_at);
        // Only the address can be too large for the cookies. The address bar still has it.
        let lines = saved.map_err(|error| {
            let link = link(&Destination::Landing).in_a_new_tab();
            Rejection::new(Reason::AuthAddressTooLong, error).offer(link)
        })?;
        exchange.cookies.extend(lines);
        self.metrics.started.increment();
        if start.login_hint.is_some() {
            // Browsers apply `form-action` of the page with the form to redirects of its answer, too (CSP 3 §6.4.1).
            return Ok(answer::page_that_goes_to(self.pages.view_for(headers), &begun.location));
        }
        answer::go(&self.pages, &begun.location, headers)
    }

    /// The provider and the rule, for the log.
    pub(super) fn names(&self, rule: Option<&str>) -> LoginNames {
        LoginNames { provider: Arc::clone(self.factory.client.name()), rule: rule.map(Rc::from) }
    }

    async fn ask_provider(
        &self,
        redirect_uri: String,
        state: String,
        start: &LoginStart,
    ) -> Result<oidc::Begun, Rejection> {
        let client = Arc::clone(&self.factory.client);
        let mut extra_params = self.settings.extra_params.clone();
        if let Some(max_age) = start.demand.max_age.map(|max_age| max_age.as_secs()) {
            // What cannot be read demands most.
            let configured = extra_params.get("max_age").map(|seconds| seconds.parse().unwrap_or(0));
            extra_params.insert("max_age".into(), configured.map_or(max_age, |own: u64| own.min(max_age)).to_string());
        }
        if !start.demand.acr.is_empty() {
            extra_params.insert("acr_values".into(), start.demand.acr.join(" "));
        }
        if let Some(address) = &start.login_hint {
            extra_params.insert("login_hint".into(), address.clone());
        }
        match start.prompt {
            Prompt::Configured => {}
            Prompt::NotNone => drop(extra_params.remove("prompt")),
            Prompt::Login => drop(extra_params.insert("prompt".into(), "login".into())),
            Prompt::Silent => drop(extra_params.insert("prompt".into(), "none".into())),
        }
        let asked = oidc::LoginRequest { redirect_uri, scope: self.settings.scope.clone(), state, extra_params };
        let begun = self.control.run(scope::carried(async move { client.begin(asked).await })).await;
        begun.map_err(failure::abandoned)?.map_err(failure::rejection)
    }

    /// Why a request has no session although a sign-in has just finished, as far as the request shows it.
    async fn why_lost(&self, host: &str, headers: &HeaderMap) -> Reason {
        match shards::find(headers, self.factory.sessions.base()) {
            Found::Nothing => Reason::AuthCookieNotReturned,
            Found::Broken if shards::has_twins(headers, self.factory.sessions.base()) => Reason::AuthCookieTwice,
            Found::Broken => Reason::AuthCookieUnreadable,
            // It can be decrypted, so it has expired, or the provider has ended it.
            Found::Whole(shards) => match self.factory.sessions.load(host, &shards).await {
                Ok(_) => Reason::AuthClock,
                Err(_) => Reason::AuthCookieUnreadable,
            },
        }
    }
}

/// Whether a request to a reserved path may start a sign-in: it loads a page, or a script of this origin sent it, for example a service
/// worker that fetches the address of a navigation. Other requests must not, because each sign-in counts against the address of the
/// client, and a page of another site can make its visitors load images and frames from here (attacks D-16).
pub(super) fn may_begin(method: &Method, headers: &HeaderMap) -> bool {
    let is_of_this_origin = || headers.get(SEC_FETCH_SITE).is_some_and(|site| site.as_bytes() == b"same-origin");
    match media::intent(method, headers) {
        Intent::Navigation => true,
        Intent::Other => is_of_this_origin(),
        Intent::Frame | Intent::Prefetch => false,
    }
}
