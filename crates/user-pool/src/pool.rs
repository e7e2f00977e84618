//! Passes each request for the pool's host to an endpoint or a page.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use http::{HeaderMap, Method, header};

use crate::account::Account;
use crate::backchannel::call::Backchannel;
use crate::brand::Brand;
use crate::clock::{Clock, Timestamp};
use crate::credential::webauthn::RelyingParty;
use crate::directory::{Directory, StoredUsers};
use crate::endings::reader::EndingReader;
use crate::events::log::EventLog;
use crate::factors::Factors;
use crate::failures::Failures;
use crate::federation::Federation;
use crate::hosted_ui::HostedUi;
use crate::hosted_ui::cookies::Cookies;
use crate::hosted_ui::entry;
use crate::memory::PoolMemory;
use crate::message::form::Form;
use crate::message::{WholeRequest, WholeResponse};
use crate::messages::outgoing::Outgoing;
use crate::metrics::Metrics;
use crate::oauth::client_auth::Caller;
use crate::oauth::error::{Error, PageError};
use crate::oauth::grant::Grants;
use crate::oauth::keys::Keys;
use crate::oauth::lifetimes::ClientLifetimes;
use crate::oauth::provider::{Parts, Provider};
use crate::oidc;
use crate::page::Pages;
use crate::passwords::Passwords;
use crate::place::{At, Place};
use crate::reply;
use crate::routes::{self, NoRoute, Route};
use crate::seal::Seal;
use crate::self_service::SelfService;
use crate::settings::Settings;
use crate::signin::second::Second;
use crate::signin::sso::Sessions;
use crate::signin::{self, SignIn};
use crate::telemetry::metrics::Registry;

/// How often the pool looks for logout tokens to send: also those of commands beside the process.
const LOGOUT_INTERVAL: Duration = Duration::from_secs(2);

/// An answer of a pool on its way.
pub type Answering<'p> = Pin<Box<dyn Future<Output = WholeResponse> + Send + 'p>>;

/// One pool, as one configuration has it. What it remembers is its [`PoolMemory`].
#[derive(Debug)]
pub struct UserPool {
    /// Each host with its pages. The first is that of the issuer.
    places: Vec<(Place, HostedUi)>,
    provider: Arc<Provider>,
    failures: Arc<Failures>,
    directory: Arc<Directory>,
    memory: PoolMemory,
    /// Publishes what has ended as long as a configuration has this pool. `None` without a database.
    _reader: Option<Arc<EndingReader>>,
}

impl UserPool {
    /// Creates a pool. `memory` is that of the pool with this name and this issuer, from all configurations of this process. `stored` are the
    /// users of its database, if it has one, with the clients of the other providers at which its users sign in. `keys` sign its tokens.
    pub fn new(
        settings: Settings,
        pages: Arc<Pages>,
        memory: &PoolMemory,
        (stored, clients): (Option<StoredUsers>, &[Arc<oidc::RelyingParty>]),
        keys: Keys,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        // The pool's URLs are built from the configured issuer, never from the `Host` of a request (attacks U-03).
        let places: Vec<Place> = settings.origins().map(Place::new).collect();
        let origin = Arc::clone(&places[0].origin);
        let metrics = Metrics::new(&settings.name, registry);
        let seal = Seal::new(Arc::clone(&settings.seal_keys), Arc::clone(&origin));
        let federation = Arc::new(Federation::new(&settings, clients, stored.as_ref(), &clock, registry));
        let lifetimes = ClientLifetimes::new(&settings);
        let sso_lifetimes = (settings.sso_lifetime, lifetimes.longest());
        let ended = (Arc::clone(&memory.ended), Arc::clone(&memory.endings));
        let sessions = Arc::new(Sessions::new(seal.clone(), sso_lifetimes, ended, stored.as_ref()));
        let failures = Arc::new(Failures::new(&settings.name, clock.clone(), registry));
        let grants = memory.grants.clone();
        let grants = Grants::new(seal.clone(), lifetimes.clone(), grants, stored.as_ref());
        let second = second(&settings, memory, stored.as_ref());
        let events = EventLog::new(stored.is_some().then(|| Arc::clone(&memory.events)), clock.clone());
        let service = SelfService::new(&settings, memory, stored.as_ref(), &events);
        let directory = Directory::new(settings.users.clone(), settings.clients.clone(), stored.clone());
        let directory = Arc::new(directory.with_rules(Arc::clone(&settings.directory)));
        let hasher = signin::hasher(&directory, settings.hashing_max, memory.hashing.clone());
        let policy = settings.password_policy.clone();
        let passwords = stored.clone().map(|stored| Passwords::new(stored, policy, hasher.clone()));
        let risk = Arc::clone(&memory.risk);
        let sign_in = Arc::new(SignIn::new(
            Arc::clone(&directory),
            hasher,
            passwords,
            risk,
            second,
            (events.clone(), clock.clone()),
        ));
        let account =
            Account::new(&settings, memory, stored.as_ref(), (&sign_in, &federation), (events.clone(), clock.clone()));
        let parts = Parts {
            failures: Arc::clone(&failures),
            url: Arc::clone(&origin),
            pages_url: settings.pages_url().origin().ascii_serialization().into(),
            seal: seal.clone(),
            directory: Arc::clone(&directory),
            sessions: Arc::clone(&sessions),
            sign_in: Arc::clone(&sign_in),
            keys,
            lifetimes,
            grants,
            stored,
            federation: Arc::clone(&federation),
            clock: clock.clone(),
            metrics: metrics.clone(),
        };
        let provider = Arc::new(Provider::new(memory, parts));
        let ui = HostedUi {
            title: settings.title,
            brand: Arc::new(Brand::new(settings.brand, pages)),
            used: Arc::clone(&memory.used),
            failures: Arc::clone(&failures),
            cookies: Arc::new(Cookies::new(&settings.issuer)),
            origin,
            provider: Arc::clone(&provider),
            sign_in,
            service,
            account,
            federation,
            provider_attempts: Arc::clone(&memory.provider_attempts),
            sessions,
            seal,
            clock,
            events,
            metrics,
        };
        let at = |place: Place| {
            let ui = ui.clone();
            let service = ui.service.map(|service| service.at(Arc::clone(&place.origin)));
            let ui = HostedUi { origin: Arc::clone(&place.origin), service, ..ui };
            (place, ui)
        };
        let places = places.into_iter().map(at).collect();
        Self { places, provider, failures, directory, memory: memory.clone(), _reader: None }
    }

    /// The same, with what publishes the endings of its database.
    pub fn with_reader(self, reader: Option<Arc<EndingReader>>) -> Self {
        Self { _reader: reader, ..self }
    }

    /// Call it when the configuration of this pool is in force. Users of the configuration who are not in it as before lose their sessions.
    pub fn is_in_force(&self, now: Timestamp) {
        let users = self.directory.declared().map(|user| (user.subject(), user.fingerprint()));
        self.memory.declared.replace(users, &self.memory.endings, now);
    }

    /// Which host of this pool a request with this authority (`host[:port]`) is for. `None` if it is for none.
    pub fn place(&self, scheme_https: bool, authority: &str) -> Option<At> {
        self.places.iter().position(|(place, _)| place.answers(scheme_https, authority)).map(At)
    }

    /// Whether the host is one of this pool, whatever the scheme and the port are.
    pub fn has_host(&self, host: &str) -> bool {
        self.places.iter().any(|(place, _)| place.has_host(host))
    }

    /// Answers a request from `client` to one of the hosts. If the future is dropped, a sign-in attempt stays counted as failed.
    ///
    /// Boxed here: otherwise the crate that polls it has a second copy of the whole pool, which is a megabyte.
    pub fn handle(&self, request: WholeRequest, at: At, client: IpAddr) -> Answering<'_> {
        Box::pin(self.answer(request, at, Caller::Network(client)))
    }

    /// Answers a request of our own rules, which came over no network.
    pub(crate) fn handle_ours(&self, request: WholeRequest) -> Answering<'_> {
        Box::pin(self.answer(request, At::default(), Caller::Ourselves))
    }

    /// Tells clients that sessions have ended, as long as the pool is served.
    pub async fn send_logout_tokens(this: Weak<Self>, network: Option<Arc<dyn Backchannel>>) {
        loop {
            tokio::time::sleep(LOGOUT_INTERVAL).await;
            let Some(pool) = this.upgrade() else { return };
            loop {
                match pool.provider.send_logout_tokens(network.as_deref()).await {
                    Ok(true) => {}
                    Ok(false) => break,
                    Err(error) => {
                        pool.failures.report(&error);
                        break;
                    }
                }
            }
        }
    }

    async fn answer(&self, request: WholeRequest, at: At, caller: Caller) -> WholeResponse {
        let (_, ui) = &self.places[at.0];
        let route = match routes::find(request.method(), request.uri().path()) {
            Ok(route) => route,
            Err(NoRoute::Path) => return ui.not_found(request.headers()),
            Err(NoRoute::Method(allow)) => return ui.method_not_allowed(request.headers(), allow),
        };
        if matches!(route, Route::Revoke | Route::Introspect | Route::PushedRequest) && !self.provider.is_stored() {
            return ui.not_found(request.headers());
        }
        if matches!(route, Route::ProviderAnswer | Route::ProviderForm | Route::ProviderPage) && !ui.has_providers() {
            return ui.not_found(request.headers());
        }
        let Some(form) = parameters(&request, route) else { return Self::malformed(ui, request.headers(), route) };
        let headers = request.headers();
        let answered = match route {
            Route::Preflight => Ok(reply::preflight()),
            Route::OwnPagePreflight => Ok(ui.own_page_preflight(headers)),
            Route::OwnPageJson => Ok(ui.own_page_json(&request, caller.address()).await),
            Route::Proceed => ui.proceed(headers, &form, caller.address()).await,
            Route::Discovery => Ok(self.provider.discovery()),
            Route::Jwks => Ok(self.provider.jwks()),
            Route::Token => Ok(self.provider.token(headers, &form, caller).await),
            Route::Userinfo => self.provider.userinfo(headers, &form).await,
            Route::Revoke => Ok(self.provider.revoke(headers, &form, caller).await),
            Route::PushedRequest => Ok(self.provider.push(headers, &form, caller).await),
            Route::PostBack => Ok(ui.post_back(headers, &form)),
            Route::Introspect => Ok(self.provider.introspect(headers, &form, caller).await),
            Route::Authorize | Route::Logout if let Some(navigation) = ui.as_navigation(&request) => Ok(navigation),
            Route::Authorize => ui.authorize(headers, &form).await,
            Route::Logout => ui.logout(headers, &form, caller.address()).await,
            Route::Stylesheet => Ok(ui.stylesheet(headers, request.uri().path())),
            Route::Root => ui.root(headers).await,
            Route::SignUpPage | Route::ForgotPasswordPage if entry::is_of_client(&form) => {
                ui.enter(headers, &form, request.uri().path()).await
            }
            Route::LoginPage => ui.login(headers, &form).await,
            Route::SignInPage => ui.home(headers, &form).await,
            Route::SignInForm => ui.sign_in(headers, &form, caller.address()).await,
            Route::StepPage => ui.step_page(headers, &form).await,
            Route::StepForm => ui.step_form(headers, &form, caller.address()).await,
            Route::PasskeyForm => ui.sign_in_with_passkey(headers, &form, caller.address()).await,
            Route::EmailCodePage => Ok(ui.email_code_page(headers, &form)),
            Route::EmailCodeForm => ui.email_code(headers, &form, caller.address()).await,
            Route::EmailCodeAnswerPage => Ok(ui.email_code_answer_page(headers, &form)),
            Route::EmailCodeAnswerForm => ui.answer_email_code(headers, &form, caller.address()).await,
            Route::AddPasskeyPage => Ok(ui.add_passkey_page(headers)),
            Route::PasskeyScript => Ok(ui.passkey_script()),
            Route::ConfirmForm => ui.confirm(headers, &form).await,
            Route::SignUpPage => Ok(ui.sign_up_page(headers, &form)),
            Route::SignUpForm => ui.sign_up(headers, &form, caller.address()).await,
            Route::VerifyPage => Ok(ui.verify_page(headers, &form)),
            Route::VerifyForm => ui.verify(headers, &form, caller.address()).await,
            Route::ResendForm => ui.resend(headers, &form, caller.address()).await,
            Route::ConfirmUserPage => Ok(ui.confirm_user_page(headers, &form)),
            Route::ConfirmUserForm => ui.confirm_user(headers, &form, caller.address()).await,
            Route::ForgotPasswordPage => Ok(ui.forgot_password_page(headers, &form)),
            Route::ForgotPasswordForm => ui.forgot_password(headers, &form, caller.address()).await,
            Route::ResetPasswordPage => Ok(ui.reset_password_page(headers, &form)),
            Route::ResetPasswordForm => ui.reset_password(headers, &form, caller.address()).await,
            Route::NewPasswordPage => Ok(ui.new_password_page(headers, &form)),
            Route::NewPasswordForm => ui.new_password(headers, &form, caller.address()).await,
            Route::AccountPage(section) => ui.account_page(headers, &form, section, caller.address()).await,
            Route::AccountForm(section) => ui.account_form(headers, &form, section, caller.address()).await,
            Route::ProviderForm => Ok(ui.provider_form(headers, &form).await),
            Route::ProviderPage => Ok(ui.provider_page(headers, &form)),
            Route::ProviderAnswer => ui.provider_answer(headers, &form, request.uri().path(), caller.address()).await,
            Route::SignOutForm => ui.sign_out(headers, &form, caller.address()).await,
        };
        answered.unwrap_or_else(|error| {
            self.failures.report(&error);
            match route {
                Route::Userinfo => Error::unavailable().answer(),
                _ => ui.unavailable(headers),
            }
        })
    }
}

impl UserPool {
    fn malformed(ui: &HostedUi, headers: &HeaderMap, route: Route) -> WholeResponse {
        match route {
            Route::Token | Route::Userinfo | Route::Revoke | Route::Introspect | Route::PushedRequest => {
                Error::request("the body must be application/x-www-form-urlencoded, with at most 100 fields").answer()
            }
            _ => ui.page_error(headers, PageError::Malformed),
        }
    }
}

/// Second factors. `None` without a database.
fn second(settings: &Settings, memory: &PoolMemory, stored: Option<&StoredUsers>) -> Option<Second> {
    Some(Second {
        database: Arc::clone(&stored?.database),
        factors: Factors::new(Arc::clone(&settings.name), settings.store.as_ref()?.vault.clone()),
        settings: settings.mfa.clone(),
        outgoing: Outgoing::new(settings, memory)?,
        records: stored?.records.clone(),
        relying_party: relying_party(settings),
    })
}

/// The pool as a relying party of WebAuthn. `None` if users have no passkeys.
fn relying_party(settings: &Settings) -> Option<Arc<RelyingParty>> {
    let host = settings.issuer.host_str()?;
    let id = settings.mfa.relying_party_id.as_deref().unwrap_or(host);
    let name = settings.title.as_deref().unwrap_or(host);
    // `check` says why it is not usable, so a pool that serves has one.
    settings.mfa.has_passkeys().then(|| RelyingParty::new(id, settings.origins(), name).ok().map(Arc::new)).flatten()
}

#[cfg(test)]
impl UserPool {
    /// The pages on the host of the issuer.
    fn ui(&self) -> &HostedUi {
        &self.places[0].1
    }
}

/// The parameters of the request: from the query for `GET`, from the body for `POST`, never from both.
fn parameters(request: &WholeRequest, route: Route) -> Option<Form<'_>> {
    if request.method() != Method::POST {
        // A token in a query would appear in logs and browser histories (RFC 9700 §4.3.2).
        let query = request.uri().query().filter(|_| route != Route::Userinfo).unwrap_or_default();
        return Form::parse(query.as_bytes()).ok();
    }
    // The only endpoint that takes JSON.
    if request.body().is_empty() || request.uri().path() == routes::OWN_PAGE_JSON {
        return Some(Form::default());
    }
    // Attacks D-13: a body without a content type, or with another one, is refused.
    is_form(request.headers()).then(|| Form::parse(request.body()).ok()).flatten()
}

fn is_form(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests;
