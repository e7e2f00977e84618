//! Relying-party client: the OpenID Connect authorization-code flow, over `openidconnect`.
//!
//! Knows no session, cookie or request of a user agent: it is given what came back, and answers what to keep. Its types
//! do not leave this room. Start at [`Client`].

mod breaker;
mod cached_document;
mod caller;
mod discovery;
mod document;
pub(crate) mod error;
mod flow;
mod id_token;
mod logout;
mod provider;
pub(crate) mod settings;
pub(crate) mod survey;
mod tokens;
mod userinfo;
mod watch;

use std::fmt;
use std::sync::Arc;

use crate::backchannel::Backchannel;
use crate::clock::Clock;
use crate::identity::{Claims, Identity};
use crate::jose::compact::Compact;
use crate::jose::verify::{Expected, Presence};
use crate::secret::Secret;
use crate::telemetry::metrics::Registry;
use caller::Operation;
use discovery::Metadata;
use error::{Error, IdTokenFault, UserinfoFault};
use id_token::Nonce;
use provider::Provider;
use settings::{Settings, Userinfo};

pub(crate) use flow::{Begun, Callback, LoginRequest, Pending, is_reserved_parameter};
pub(crate) use logout::LogoutRequest;
pub(crate) use tokens::Tokens;

/// A user who has just been verified, and what the provider issued.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) identity: Identity,
    pub(crate) tokens: Tokens,
    /// What the session keeps to recognise its login in refreshed ID tokens.
    pub(crate) nonce_hash: String,
}

/// What a session has, to be refreshed. Its claims are not among it: what was said before is never mixed with what is said
/// now.
#[derive(Debug)]
pub(crate) struct RefreshRequest {
    pub(crate) refresh_token: Secret<String>,
    /// Whose session it is; it stays theirs.
    pub(crate) subject: String,
    /// The login's, from [`Login::nonce_hash`].
    pub(crate) nonce_hash: Option<String>,
}

/// New tokens for the user whose session it is, and what the provider says of them now.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub(crate) subject: String,
    pub(crate) claims: RefreshedClaims,
    pub(crate) tokens: Tokens,
}

/// What the provider says of the user after a refresh.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RefreshedClaims {
    /// All that it says now: of the ID token and of userinfo, as at a login. It takes the place of the session's claims as
    /// a whole, because a claim that is not in it was taken away.
    New(Claims),
    /// It said nothing, or a part of it could not be asked for: the session's claims stay as they are, as a whole.
    NotKnown,
}

/// A relying party of one provider. Remembers its last good metadata and keys; shared by all workers.
///
/// Its futures are `Send` and are dropped safely, except that a code or refresh token may then have been spent.
pub(crate) struct Client {
    provider: Provider,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("name", self.name()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client that has not spoken to its provider yet.
    pub(crate) fn new(
        settings: Settings,
        backchannel: Arc<dyn Backchannel>,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        Self { provider: Provider::new(settings, backchannel, clock, registry) }
    }

    /// The provider's name in the configuration.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.provider.settings.name
    }

    /// The provider's issuer identifier.
    pub(crate) fn issuer(&self) -> &str {
        &self.provider.settings.issuer
    }

    /// Who we are to the provider.
    pub(crate) fn client_id(&self) -> &str {
        &self.provider.settings.client_id
    }

    /// The path that this provider sends browsers back to, if it has one of its own.
    pub(crate) fn callback_path(&self) -> Option<&str> {
        self.provider.settings.callback_path.as_deref()
    }

    /// Begins a login.
    ///
    /// # Errors
    ///
    /// [`Error::ProviderUnavailable`], [`Error::ReservedParameter`].
    pub(crate) async fn begin(&self, request: LoginRequest) -> Result<Begun, Error> {
        let metadata = self.provider.metadata().await?;
        flow::begin(&self.provider.settings, &metadata, &request)
    }

    /// Finishes a login whose `state` the caller has matched to `pending`. `redirect_uri` is the one it was begun with.
    ///
    /// # Errors
    ///
    /// Every [`Error`] but `ReservedParameter`.
    pub(crate) async fn finish(
        &self,
        callback: Callback,
        pending: Pending,
        redirect_uri: String,
    ) -> Result<Login, Error> {
        let Provider { settings, caller, clock, .. } = &self.provider;
        if !pending.fits(settings) {
            return Err(Error::SettingsChanged);
        }
        let metadata = self.provider.metadata().await?;
        flow::check_issuer(self.issuer(), &metadata, &callback)?;
        let grant = tokens::CodeGrant { code: &callback.code, pending: &pending, redirect_uri };
        let tokens = tokens::redeem(settings, &metadata, caller, grant, clock.now()).await;
        let tokens = caller.counted(Operation::Token, tokens)?;
        let token = tokens.id_token.as_ref().ok_or(Error::IdToken(IdTokenFault::Missing))?;
        let nonce = pending.nonce.as_deref().map_or(Nonce::NotSent, Nonce::Sent);
        let said = self.verify(&metadata, token, nonce, &tokens.access_token).await?;
        let more = self.userinfo(&metadata, &tokens.access_token, &said.subject).await?;
        let claims = userinfo::merge(said.claims, more.unwrap_or_default());
        // Empty where none was sent: then every nonce in a refreshed token is another login's.
        let nonce_hash = pending.nonce.as_deref().map(id_token::nonce_hash).unwrap_or_default();
        // The place where a user has just been verified.
        let access_token = Some(tokens.access_token.clone());
        let identity = Identity::assertion(self.issuer().to_owned(), said.subject, claims, access_token);
        Ok(Login { identity, tokens, nonce_hash })
    }

    /// Refreshes a session.
    ///
    /// Once the provider has issued new tokens, trouble on the way to its keys or to userinfo does not lose them (the old
    /// refresh token may be spent, pitfalls 37): [`Refreshed::claims`] says so.
    ///
    /// # Errors
    ///
    /// [`Error::blame`] says whose fault it is, and so whether the session ends.
    pub(crate) async fn refresh(&self, session: RefreshRequest) -> Result<Refreshed, Error> {
        let Provider { settings, caller, clock, .. } = &self.provider;
        let metadata = self.provider.metadata().await?;
        let tokens = tokens::refresh(settings, &metadata, caller, &session.refresh_token, clock.now()).await;
        let mut tokens = caller.counted(Operation::Refresh, tokens)?;
        let subject = session.subject;
        let from_token = self.refreshed_claims(&metadata, &tokens, &subject, session.nonce_hash.as_deref()).await?;
        if !matches!(from_token, Answered::Claims(_)) {
            // Nothing newer than what the session has, or not verified: it is not handed on.
            tokens.id_token = None;
        }
        let from_userinfo = answered(self.userinfo(&metadata, &tokens.access_token, &subject).await)?;
        tokens.refresh_token = tokens.refresh_token.or(Some(session.refresh_token));
        Ok(Refreshed { subject, claims: new_claims(from_token, from_userinfo), tokens })
    }

    /// Where a browser goes to end the provider's own session; `None` where the provider cannot, or cannot be asked.
    pub(crate) async fn logout_location(&self, request: LogoutRequest) -> Option<String> {
        if self.provider.settings.logout == settings::Logout::Never {
            return None;
        }
        let metadata = self
            .provider
            .metadata()
            .await
            .inspect_err(|error| {
                let error: &dyn std::error::Error = error;
                tracing::warn!(error, "a sign-out ends at ours, because the provider cannot be asked");
            })
            .ok()?;
        logout::location(&self.provider.settings, &metadata, &request)
    }

    /// OIDC Core §12.2: an ID token is optional in the answer to a refresh; one that comes is about the same user.
    async fn refreshed_claims(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        subject: &str,
        nonce_hash: Option<&str>,
    ) -> Result<Answered, Error> {
        let Some(token) = &tokens.id_token else { return Ok(Answered::Nothing) };
        let said = self.verify(metadata, token, Nonce::OfLogin(nonce_hash), &tokens.access_token).await;
        if said.as_ref().is_ok_and(|said| said.subject != subject) {
            return Err(Error::SubjectMismatch);
        }
        answered(said.map(|said| Some(said.claims)))
    }

    async fn verify(
        &self,
        metadata: &Metadata,
        token: &Secret<String>,
        nonce: Nonce<'_>,
        access_token: &Secret<String>,
    ) -> Result<id_token::Said, Error> {
        let token = Compact::parse(token.expose()).map_err(|error| Error::IdToken(error.into()))?;
        let verified = self.provider.verify(metadata, &token, &self.expected(Presence::Required)).await?;
        let client_id = self.client_id();
        let context = id_token::Context { client_id, nonce, access_token: access_token.expose() };
        let said = verified.map_err(IdTokenFault::Token).and_then(|token| id_token::check(token, &context));
        said.map_err(Error::IdToken)
    }

    fn expected(&self, registered_claims: Presence) -> Expected<'_> {
        let now = self.provider.clock.now();
        Expected { issuer: self.issuer(), audience: self.client_id(), registered_claims, now }
    }

    /// What userinfo says of `subject`; `None` where it is not asked.
    async fn userinfo(
        &self,
        metadata: &Metadata,
        access_token: &Secret<String>,
        subject: &str,
    ) -> Result<Option<Claims>, Error> {
        let endpoint = match (&metadata.userinfo_endpoint, self.provider.settings.userinfo) {
            (Some(endpoint), Userinfo::Auto) => endpoint,
            _ => return Ok(None),
        };
        let ask = async {
            let claims = match userinfo::ask(&self.provider.caller, endpoint, access_token).await? {
                userinfo::Answer::Plain(claims) => claims,
                userinfo::Answer::Signed(text) => self.signed_userinfo(metadata, &text).await?,
            };
            userinfo::check_subject(claims, subject)
        };
        let result = ask.await;
        self.provider.caller.counted(Operation::Userinfo, result).map(Some)
    }

    /// A signed answer should name its issuer and audience (OIDC Core §5.3.2). What it does not name is not missed: it came
    /// from the provider's own endpoint, and the subject is compared in any case.
    async fn signed_userinfo(&self, metadata: &Metadata, text: &str) -> Result<Claims, Error> {
        let token = Compact::parse(text).map_err(|error| Error::UserinfoInvalid(error.into()))?;
        let verified = self.provider.verify(metadata, &token, &self.expected(Presence::Optional)).await?;
        verified.map(|token| token.claims.clone()).map_err(|fault| Error::UserinfoInvalid(UserinfoFault::Token(fault)))
    }
}

/// What one source of claims said after a refresh.
#[derive(Debug)]
enum Answered {
    Claims(Claims),
    /// It says nothing: there is no ID token in the answer, or userinfo is not asked.
    Nothing,
    /// It would say something, but not now.
    NotNow,
}

/// `NotNow` instead of an error that a session outlives.
fn answered(result: Result<Option<Claims>, Error>) -> Result<Answered, Error> {
    match result {
        Ok(Some(claims)) => Ok(Answered::Claims(claims)),
        Ok(None) => Ok(Answered::Nothing),
        Err(error) if error.is_transient() => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(
                error,
                "a session has new tokens, but its claims could not be asked for and stay as they were"
            );
            Ok(Answered::NotNow)
        }
        Err(error) => Err(error),
    }
}

/// The user's claims after a refresh: all that the provider says now, and nothing that it said before.
fn new_claims(from_token: Answered, from_userinfo: Answered) -> RefreshedClaims {
    match (from_token, from_userinfo) {
        (Answered::NotNow, _) | (_, Answered::NotNow) | (Answered::Nothing, Answered::Nothing) => {
            RefreshedClaims::NotKnown
        }
        (Answered::Claims(claims), Answered::Nothing) | (Answered::Nothing, Answered::Claims(claims)) => {
            RefreshedClaims::New(userinfo::merge(claims, Claims::new()))
        }
        (Answered::Claims(claims), Answered::Claims(more)) => RefreshedClaims::New(userinfo::merge(claims, more)),
    }
}

#[cfg(test)]
mod tests;
