//! Authorization endpoint (RFC 6749 §3.1, OIDC Core §3.1.2): validates the request; answers with a code, an error, or
//! [`Decision::NeedsSignIn`] or [`Decision::NeedsConfirmation`].

use std::sync::{Arc, PoisonError};

use crate::clock::Timestamp;
use crate::database;
use crate::directory::client::Client;
use crate::federation;
use crate::message::form::{self, Form};
use crate::oauth::claims_request;
use crate::oauth::error::{Error, PageError};
use crate::oauth::grant::record::{Grant, Pending};
use crate::oauth::provider::Provider;
use crate::oauth::pushed::Pushed;
use crate::oauth::request::{self, Asked, AuthorizationRequest, OURSELVES, ResponseMode, WantedLevel, one};
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

/// The parameters that control whether the user is asked to sign in.
struct Interaction {
    never_ask: bool,
    always_ask: bool,
    max_age_seconds: Option<u64>,
    subject: Option<String>,
    prompt: Option<String>,
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
        let mut interaction = self.interaction(form)?;
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
        let session = session.filter(|session| Self::suffices(session, &interaction, now));
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
    fn count_silent(&self, subject: &str, client_id: &str, now: Timestamp) -> Result<(), Error> {
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

    fn interaction(&self, form: &Form<'_>) -> Result<Interaction, Error> {
        let prompts: Vec<&str> =
            one(form, "prompt")?.unwrap_or_default().split(' ').filter(|p| !p.is_empty()).collect();
        if prompts.iter().any(|prompt| !["none", "login", "consent", "select_account"].contains(prompt)) {
            return Err(Error::request("prompt has a value that is not known"));
        }
        if prompts.contains(&"none") && prompts.len() > 1 {
            return Err(Error::request("prompt=none stands alone"));
        }
        let max_age = one(form, "max_age")?.map(str::parse).transpose();
        let hint = one(form, "id_token_hint")?;
        let hint = hint.map(|token| {
            self.issuer
                .read_id_token_hint(token, self.clock.now())
                .ok_or(Error::request("id_token_hint is not an ID token of this issuer"))
        });
        Ok(Interaction {
            never_ask: prompts.contains(&"none"),
            always_ask: prompts.iter().any(|prompt| matches!(*prompt, "login" | "select_account")),
            prompt: Some(prompts.join(" ")).filter(|prompt| !prompt.is_empty()),
            max_age_seconds: max_age.map_err(|_| Error::request("max_age is not a number of seconds"))?,
            subject: hint.transpose()?.and_then(|hint| hint.get("sub")?.as_str().map(str::to_owned)),
        })
    }

    fn suffices(session: &Session, interaction: &Interaction, now: Timestamp) -> bool {
        let age = now.since(Timestamp::from_seconds(session.auth_time)).as_secs();
        // `max_age=0` is `prompt=login` (OIDC Core §3.1.2.1, errata 2).
        let is_younger = |max_age| max_age > 0 && age <= max_age && session.proofs.are_of_their_time();
        let is_young = interaction.max_age_seconds.is_none_or(is_younger);
        let is_wanted = interaction.subject.as_ref().is_none_or(|subject| *subject == session.subject);
        !interaction.always_ask && is_young && is_wanted
    }

    /// The redirect after the sign-in: with a code, or with an error if the request is for another user, or if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn code_location(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
    ) -> Result<String, database::Error> {
        if !request.is_for(&session.subject) {
            return Ok(self.not_signed_in_location(request));
        }
        if request.is_unmet_by(session.proofs.level()) {
            return Ok(self.error_location(request.destination(), request.state.as_deref(), Error::UNMET));
        }
        let pending = Pending {
            grant: Grant {
                client_id: request.client_id.clone(),
                subject: session.subject.clone(),
                scope: request.scope.clone(),
                resource: request.resource.clone(),
                auth_time: session.auth_time,
                proofs: session.proofs.clone(),
                session_id: session.id.clone(),
                fingerprint: session.fingerprint.clone(),
                claims: request.claims.clone(),
            },
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
        };
        let code = self.grants.issue(pending, self.clock.now()).await?;
        Ok(match code {
            Some(code) => self.location(request.destination(), &[("code", code.expose())], request.state.as_deref()),
            None => self.not_signed_in_location(request),
        })
    }

    /// The redirect after the user has confirmed the request.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn confirmed_location(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
    ) -> Result<String, database::Error> {
        match self.count_silent(&session.subject, &request.client_id, self.clock.now()) {
            Ok(()) => {
                self.metrics.signed_in_by_sso.increment();
                self.code_location(request, session).await
            }
            Err(error) => Ok(self.error_location(request.destination(), request.state.as_deref(), error)),
        }
    }

    /// The redirect that tells the relying party that the requested user has not signed in.
    pub(crate) fn not_signed_in_location(&self, request: &AuthorizationRequest) -> String {
        let error = Error::new("login_required", "the user has to sign in");
        self.error_location(request.destination(), request.state.as_deref(), error)
    }

    fn error_location(&self, to: Destination<'_>, state: Option<&str>, error: Error) -> String {
        let answer = [("error", error.code), ("error_description", error.description)];
        self.location(to, &answer, state)
    }

    /// Where the browser goes with the response parameters, `state` and `iss` (RFC 9207 §2): `redirect_uri` with them in its query, or the page that
    /// sends them by a form.
    fn location(&self, (redirect_uri, mode): Destination<'_>, answer: &[(&str, &str)], state: Option<&str>) -> String {
        let state = state.map(|state| ("state", state));
        let pairs = answer.iter().copied().chain(state).chain([("iss", self.issuer.url())]);
        match mode {
            ResponseMode::Query => {
                let separator = if redirect_uri.contains('?') { '&' } else { '?' };
                format!("{redirect_uri}{separator}{}", form::encode(pairs))
            }
            ResponseMode::FormPost => {
                let fields = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                self.form_location(redirect_uri, fields)
            }
        }
    }
}

/// A redirect URI, and how the answer reaches it.
pub(super) type Destination<'a> = (&'a str, ResponseMode);

/// The hint, if it is not too long to be part of a form.
fn login_hint<'f>(form: &'f Form<'_>) -> Result<Option<&'f str>, Error> {
    Ok(one(form, "login_hint")?.filter(|hint| hint.len() <= LOGIN_HINT_BYTES_MAX))
}

/// An address from a request, for the log: without its query, and shortened.
fn shown(redirect_uri: &str) -> String {
    let bare = redirect_uri.split(['?', '#']).next().unwrap_or_default();
    bare.chars().take(200).filter(|character| !character.is_control()).collect()
}
