//! Authorization endpoint (RFC 6749 §3.1, OIDC Core §3.1.2): validates the request; answers with a code, an error, or
//! [`Decision::NeedsSignIn`] or [`Decision::NeedsConfirmation`].

use std::sync::{Arc, PoisonError};

use crate::clock::Timestamp;
use crate::database;
use crate::directory::client::Client;
use crate::federation;
use crate::message::form::Form;
use crate::oauth::claims_request;
use crate::oauth::error::{Error, PageError};
use crate::oauth::interaction::Interaction;
use crate::oauth::provider::Provider;
use crate::oauth::pushed::Pushed;
use crate::oauth::request::{self, Asked, AuthorizationRequest, OURSELVES, WantedLevel, one};
use crate::settings::Pkce;
use crate::signin::proof::Level;
use crate::signin::sso::Session;
use crate::signin::step::{Step, UnderWay};

/// Longer hints are ignored: they are part of the sign-in form.
const LOGIN_HINT_BYTES_MAX: usize = 256;

/// The decision of the endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Redirect to the relying party with a code.
    Code(String),
    /// Redirect to the relying party with an error.
    Refused(String),
    /// The user must sign in. `login_hint` prefills the user name.
    NeedsSignIn { request: Box<AuthorizationRequest>, login_hint: Option<String> },
    /// The user is signed in, and must confirm that the program that asks may act as this user (decision 91).
    NeedsConfirmation(Box<AuthorizationRequest>),
}

/// Who has sent the parameters of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    ByBrowser,
    /// Pushed (RFC 9126).
    ByClient,
}

/// The decision about a valid request.
enum Decided<'s> {
    /// The user is signed in, and is not asked.
    Silently(Box<AuthorizationRequest>, &'s Session),
    Asks(Decision),
}

impl Provider {
    /// Decides about an authorization request. `session` is the single-sign-on session of the browser, if its user exists.
    ///
    /// # Errors
    ///
    /// [`PageError`] if the client does not exist or the redirect URI is not registered: then no redirect is allowed.
    /// The outer error is that of the database.
    pub(crate) async fn authorize(
        &self,
        form: &Form<'_>,
        session: Option<&Session>,
    ) -> Result<Result<Decision, PageError>, database::Error> {
        match self.pushed_request(form).await? {
            Pushed::None => self.authorize_form(form, session, Sent::ByBrowser).await,
            Pushed::Unknown => Ok(Err(PageError::UnknownRequest)),
            Pushed::Request(text) => match Form::parse(text.as_bytes()) {
                Ok(form) => self.authorize_form(&form, session, Sent::ByClient).await,
                Err(_) => Ok(Err(PageError::Malformed)),
            },
        }
    }

    async fn authorize_form(
        &self,
        form: &Form<'_>,
        session: Option<&Session>,
        sent: Sent,
    ) -> Result<Result<Decision, PageError>, database::Error> {
        let (client, redirect_uri) = match self.registered(form) {
            Ok(registered) => registered,
            Err(error) => return Ok(Err(error)),
        };
        let read = self.read_sent(form, (client, sent), redirect_uri);
        let session = match (&read, session) {
            (Ok((request, _)), Some(session)) => self.reaching(session, request.wanted_level()).await?,
            _ => None,
        };
        let login_hint = login_hint(form);
        let decided = read.and_then(|read| self.decide(read, (client, redirect_uri), session, login_hint?));
        Ok(Ok(match decided {
            Ok(Decided::Silently(request, session)) => Decision::Code(self.code_location(&request, session).await?),
            Ok(Decided::Asks(decision)) => decision,
            Err(error) => {
                let state = form.one("state").unwrap_or_default();
                let mode = form.one("response_mode").ok().flatten().and_then(request::response_mode);
                Decision::Refused(self.error_location((redirect_uri, mode.unwrap_or_default()), state, error))
            }
        }))
    }

    /// Checks a request that is about to be pushed.
    ///
    /// # Errors
    ///
    /// What a browser would be sent back with.
    pub(super) fn check_request(&self, form: &Form<'_>, client: &Client, redirect_uri: &str) -> Result<(), Error> {
        self.read_request(form, client, redirect_uri).map(drop)
    }

    fn read_request(
        &self,
        form: &Form<'_>,
        client: &Client,
        redirect_uri: &str,
    ) -> Result<(AuthorizationRequest, Interaction), Error> {
        if !client.options().grant_types.has_code() {
            return Err(Error::new("unauthorized_client", "the client may not sign users in"));
        }
        let mut interaction = Interaction::read(form, &self.issuer, self.clock.now())?;
        let claims = one(form, "claims")?.filter(|_| self.is_stored());
        let asked = claims_request::read(claims, client)?;
        interaction.subject = match (interaction.subject.take(), asked.subject) {
            (Some(hinted), Some(asked)) if hinted != asked => {
                return Err(Error::request("id_token_hint and claims name two users"));
            }
            (hinted, asked) => hinted.or(asked),
        };
        let level = asked.level.map(|(least, is_essential)| WantedLevel { least, is_essential });
        let said = (interaction.subject.clone(), asked.claims, level);
        let mut request = request::read(form, client, redirect_uri, said)?;
        request.asked = Asked {
            provider: self.asked_provider(form)?,
            prompt: interaction.prompt.clone(),
            max_age: interaction.max_age_seconds,
            login_hint: login_hint(form)?.map(str::to_owned),
        };
        self.check_binding(client, &request)?;
        Ok((request, interaction))
    }

    /// The client of a request, and where its answer goes.
    fn registered<'p, 'f>(&'p self, form: &'f Form<'_>) -> Result<(&'p Client, &'f str), PageError> {
        let field = |name| form.one(name).map_err(|_| PageError::Malformed);
        let client_id = field("client_id")?.ok_or(PageError::UnknownClient)?;
        let client = self.directory.client(client_id).ok_or(PageError::UnknownClient)?;
        let redirect_uri = field("redirect_uri")?.ok_or(PageError::UnknownRedirect)?;
        if !client.allows_redirect(redirect_uri) {
            let shown = shown(redirect_uri);
            // Logged once per address, because anybody can send such a request.
            if self.logged.is_first(&format!("{client_id} {shown}")) {
                tracing::warn!(
                    app_client.id = client_id,
                    redirect_uri = shown,
                    "an application asks to be sent back to an address that is not registered: \
                     `redirect_uris` of the client, or for our own rules `applications` of the pool"
                );
            }
            return Err(PageError::UnknownRedirect);
        }
        Ok((client, redirect_uri))
    }

    fn read_sent(
        &self,
        form: &Form<'_>,
        (client, sent): (&Client, Sent),
        redirect_uri: &str,
    ) -> Result<(AuthorizationRequest, Interaction), Error> {
        if client.options().requires_par && sent == Sent::ByBrowser {
            return Err(Error::request("the client must push its requests"));
        }
        self.read_request(form, client, redirect_uri)
    }

    /// The session, unless its user can prove a level that was not proved for it (pool §8.8).
    async fn reaching<'s>(
        &self,
        session: &'s Session,
        wanted: Option<Level>,
    ) -> Result<Option<&'s Session>, database::Error> {
        if wanted.is_none_or(|wanted| session.proofs.level() >= wanted) {
            return Ok(Some(session));
        }
        let next = self.sign_in.next(&UnderWay::of_session(session).wanting(wanted)).await?;
        Ok(matches!(next, Some((_, Step::Done))).then_some(session))
    }

    fn decide<'s>(
        &self,
        (request, interaction): (AuthorizationRequest, Interaction),
        (client, redirect_uri): (&Client, &str),
        session: Option<&'s Session>,
        login_hint: Option<&str>,
    ) -> Result<Decided<'s>, Error> {
        let now = self.clock.now();
        let session = session.filter(|session| interaction.is_met_by(session, now));
        match session {
            // OIDC Core §3.1.2.6.
            Some(_) if client.is_unproven(redirect_uri) && interaction.never_ask => {
                Err(Error::new("consent_required", "the user has to confirm"))
            }
            Some(_) if client.is_unproven(redirect_uri) => {
                Ok(Decided::Asks(Decision::NeedsConfirmation(Box::new(request))))
            }
            Some(session) => {
                self.count_silent(&session.subject, client.id(), now)?;
                self.metrics.signed_in_by_sso.increment();
                Ok(Decided::Silently(Box::new(request), session))
            }
            None if interaction.never_ask => Err(Error::new("login_required", "the user has to sign in")),
            None => Ok(Decided::Asks(Decision::NeedsSignIn {
                request: Box::new(request),
                login_hint: login_hint.map(str::to_owned),
            })),
        }
    }

    /// Checks the request of a sign-in form again. The configuration may have changed since the form was shown.
    ///
    /// # Errors
    ///
    /// [`PageError`] if no redirect is allowed any more.
    pub(crate) fn check_again(&self, request: &AuthorizationRequest) -> Result<(), PageError> {
        let client = self.directory.client(&request.client_id).ok_or(PageError::UnknownClient)?;
        if client.allows_redirect(&request.redirect_uri) { Ok(()) } else { Err(PageError::UnknownRedirect) }
    }

    /// Checks that the request contains PKCE or a nonce as the client requires.
    fn check_binding(&self, client: &Client, request: &AuthorizationRequest) -> Result<(), Error> {
        match client.pkce() {
            Pkce::Required if request.code_challenge.is_none() => {
                Err(Error::request("code_challenge is missing: PKCE is required"))
            }
            Pkce::OrNonce if request.code_challenge.is_none() && request.nonce.is_none() => {
                if self.logged.is_first(client.id()) {
                    tracing::warn!(
                        app_client.id = client.id(),
                        "sign-in requests of this client have neither PKCE nor a nonce and are refused: make the client \
                         send one of them, or set `pkce: optional`"
                    );
                }
                Err(Error::request("neither code_challenge nor nonce is there: one of them is needed"))
            }
            _ => Ok(()),
        }
    }

    /// The provider that the request names: by its name, by a domain of its users, or the pool itself (pool §9.3).
    fn asked_provider(&self, form: &Form<'_>) -> Result<Option<String>, Error> {
        let unknown = Error::request("the pool has no provider of this name");
        let known = |provider: Option<&Arc<federation::Provider>>| {
            provider.map(|provider| provider.settings.name.to_string()).ok_or(unknown)
        };
        match (one(form, "identity_provider")?, one(form, "idp_identifier")?) {
            (Some(OURSELVES), _) => Ok(Some(OURSELVES.to_owned())),
            (Some(name), _) => known(self.federation.named(name)).map(Some),
            (None, Some(identifier)) => known(self.federation.identified(identifier)).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// Counts a sign-in of this user at this client without a password.
    pub(super) fn count_silent(&self, subject: &str, client_id: &str, now: Timestamp) -> Result<(), Error> {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let key = silent.key(&(subject, client_id));
        if !silent.wait(key, now).is_zero() {
            self.metrics.rate_limited.increment();
            // RFC 6749 §4.1.2.1: a redirect cannot have the status 429.
            return Err(Error::new("temporarily_unavailable", "too many sign-ins of this user; try again in a moment"));
        }
        silent.take(key, now);
        Ok(())
    }
}

/// The hint, if it is not too long to be part of a form.
fn login_hint<'f>(form: &'f Form<'_>) -> Result<Option<&'f str>, Error> {
    Ok(one(form, "login_hint")?.filter(|hint| hint.len() <= LOGIN_HINT_BYTES_MAX))
}

/// An address from a request, for the log: without its query, and shortened.
fn shown(redirect_uri: &str) -> String {
    let bare = redirect_uri.split(['?', '#']).next().unwrap_or_default();
    bare.chars().take(200).filter(|character| !character.is_control()).collect()
}
