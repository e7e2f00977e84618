//! The answer of a provider, brought by the browser.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use http::{HeaderMap, StatusCode, header};

use crate::crypto::{octets, uuid};
use crate::database;
use crate::directory::user::User;
use crate::events::event::{Challenge, Kind as EventKind, Reason, Response, Visit};
use crate::federation::Provider;
use crate::federation::arrival::{Arrival, Arrived, arrive};
use crate::federation::refusal::Refusal;
use crate::hosted_ui::csrf;
use crate::hosted_ui::provider::pending::{self, Pending};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::{self, Form};
use crate::oauth::error::PageError;
use crate::oauth::request::AuthorizationRequest;
use crate::oidc::{Callback, Login};
use crate::page::headers::Frames;
use crate::page::pages::Redirecting;
use crate::page::site::NO_FORM;
use crate::rate_limit::network;
use crate::secret::Secret;
use crate::signin::proof::{Proof, Proofs};
use crate::signin::step::UnderWay;
use crate::{reply, routes};

/// What the browser has brought.
struct Brought {
    state: String,
    code: Option<Secret<String>>,
    issuer: Option<String>,
    error: Option<String>,
}

impl Brought {
    /// Reads the query. A parameter that comes twice is an error (attacks C-06).
    fn read(form: &Form<'_>) -> Result<Self, form::Error> {
        let one = |name| Ok(form.one(name)?.filter(|value| !value.is_empty()).map(str::to_owned));
        let state = one("state")?.unwrap_or_default();
        Ok(Self { state, code: one("code")?.map(Secret::new), issuer: one("iss")?, error: one("error")? })
    }
}

/// Why nobody is signed in.
enum Failed {
    /// The user is known by this `sub`, if there is one.
    Refused(Refusal, Option<String>),
    Database(database::Error),
}

impl From<Refusal> for Failed {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal, None)
    }
}

impl From<database::Error> for Failed {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}

impl HostedUi {
    /// Answers the browser that comes from a provider to `path`. If the future is dropped, the code may be used up.
    ///
    /// # Errors
    ///
    /// If the database fails. Then nobody is signed in.
    pub(crate) async fn provider_answer(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        path: &str,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Ok(brought) = Brought::read(form) else { return Ok(self.page_error(headers, PageError::Malformed)) };
        let found = pending::find(&self.cookies.provider, &self.seal, &brought.state, headers);
        let found = found.and_then(|pending| {
            let provider = self.federation.named(&pending.provider)?;
            // RFC 9700 §4.4.2: an answer at the address of another provider may be that of another provider.
            (*provider.settings.callback_path == *path).then(|| (Arc::clone(provider), pending))
        });
        let Some((provider, pending)) = found else {
            return Ok(self.provider_refused(headers, Refusal::Foreign, routes::SIGN_IN));
        };
        if let Some(Err(error)) = pending.request.as_ref().map(|request| self.provider.check_again(request)) {
            return Ok(self.page_error(headers, error));
        }
        let done = pending::delete(&self.cookies.provider, &brought.state);
        let mut response = match self.returned(&provider, &pending, brought, client).await {
            Ok((user, asked_at)) => {
                let is_ignored = pending.is_ignored(asked_at);
                if is_ignored {
                    provider.outcomes.not_asked();
                }
                match &pending.request {
                    // OIDC Core §3.1.2.1: `prompt=login`, and the user was not asked.
                    Some(request) if is_ignored => reply::see_other(&self.provider.not_signed_in_location(request)),
                    request => {
                        provider.outcomes.signed_in();
                        let proof = Proof::Provider { is_trusted: provider.settings.asks_for_second_factor, asked_at };
                        let under_way = UnderWay::of(&user, Proofs::first(proof));
                        self.go_on(headers, under_way, request.clone(), client).await?
                    }
                }
            }
            Err(Failed::Database(error)) => return Err(error),
            Err(Failed::Refused(refusal, subject)) => {
                provider.outcomes.refused(refusal);
                self.log_refusal(refusal, subject.as_deref(), &visit(headers, client, pending.request.as_ref()));
                self.provider_refused(headers, refusal, &self.begin_again(pending.request.as_ref()))
            }
        };
        response.headers_mut().append(header::SET_COOKIE, done);
        Ok(self.gone_on(headers, response, pending.request.as_ref()))
    }

    /// The same answer for a browser whose way began with a form at the provider: a page that goes on, not a redirect. Chromium applies `form-action` of
    /// the page at the provider to every redirect after its form, and that page lists the pool at most, not the applications behind it.
    fn gone_on(
        &self,
        headers: &HeaderMap,
        response: WholeResponse,
        request: Option<&AuthorizationRequest>,
    ) -> WholeResponse {
        let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
        let Some(location) = location.filter(|_| csrf::is_navigation(headers)) else { return response };
        let view = self.view(headers, request).without_forms();
        let page = Redirecting { view, location };
        let mut page = view.respond(StatusCode::OK, &page, NO_FORM, Frames::Nobody);
        for cookie in response.headers().get_all(header::SET_COOKIE) {
            page.headers_mut().append(header::SET_COOKIE, cookie.clone());
        }
        page
    }

    /// The user, if the provider says who it is, and when the provider has asked, in seconds.
    async fn returned(
        &self,
        provider: &Provider,
        pending: &Pending,
        brought: Brought,
        client: IpAddr,
    ) -> Result<(User, Option<u64>), Failed> {
        if pending.expires_at() <= self.clock.now() {
            return Err(Refusal::Expired.into());
        }
        let code = match (brought.code, &brought.error) {
            (_, Some(error)) => return Err(Refusal::answered(error).into()),
            (None, None) => return Err(Refusal::Invalid.into()),
            (Some(code), None) => code,
        };
        let place = self.take_attempt(client)?;
        let callback = Callback { code, issuer: brought.issuer };
        let address = self.provider_answer_address(provider);
        let login = provider.client.finish(callback, pending.protocol.clone(), address).await;
        let login = login.map_err(|error| provider.outcomes.failed(&error))?;
        let (auth_time, is_believed) = (login.identity.claims().get("auth_time"), provider.settings.is_believed_to_ask);
        let asked_at = pending.asked_at(auth_time, is_believed, self.clock.now());
        let user = self.arrived(provider, pending, login).await?;
        self.provider_attempts.lock().unwrap_or_else(PoisonError::into_inner).give_back(place);
        Ok((user, asked_at))
    }

    /// Writes to the sign-in log what has failed after the provider was asked. Anybody can have the other failures, and nobody is known by them.
    fn log_refusal(&self, refusal: Refusal, subject: Option<&str>, visit: &Visit) {
        let event = self.events.event(subject, (EventKind::SignIn, Response::Fail), visit);
        match refusal {
            Refusal::Disabled => {
                self.metrics.disabled.increment();
                self.events.put(event.because(Reason::Disabled).after(vec![(Challenge::Provider, true)]));
            }
            Refusal::Incomplete | Refusal::Invalid => self.events.put(event.after(vec![(Challenge::Provider, false)])),
            Refusal::Foreign
            | Refusal::Expired
            | Refusal::Used
            | Refusal::TooLong
            | Refusal::TooMany(_)
            | Refusal::Denied
            | Refusal::ProviderError
            | Refusal::Unavailable => {}
        }
    }

    /// Counts an attempt of this address, before the provider is asked.
    fn take_attempt(&self, client: IpAddr) -> Result<u64, Refusal> {
        let mut attempts = self.provider_attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, now) = (attempts.key(&network(client)), self.clock.now());
        let wait = attempts.wait(key, now);
        if !wait.is_zero() {
            return Err(Refusal::TooMany(wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)));
        }
        attempts.take(key, now);
        Ok(key)
    }

    /// The user of the pool.
    async fn arrived(&self, provider: &Provider, pending: &Pending, login: Login) -> Result<User, Failed> {
        let arrival = Arrival {
            rules: Arc::clone(&provider.rules),
            settings: provider.settings.clone(),
            identity: login.identity,
            new_subject: uuid::random(),
            state: (octets::sha256(pending.protocol.state.as_bytes()), pending.expires_at()),
            now: self.clock.now(),
        };
        let records = provider.stored.records.clone();
        let arrived = provider.stored.database.write(move |on| arrive(on, &records, &arrival)).await?;
        match arrived {
            Arrived::User(record) => User::stored(*record).ok_or(Failed::Refused(Refusal::Invalid, None)),
            Arrived::Replayed => Err(Refusal::Used.into()),
            Arrived::Disabled(subject) => Err(Failed::Refused(Refusal::Disabled, Some(subject))),
            Arrived::Incomplete => Err(Refusal::Incomplete.into()),
        }
    }
}
