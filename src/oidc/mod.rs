//! Relying-party client: the OpenID Connect authorization-code flow, over `openidconnect`.
//!
//! Knows no session, cookie or request of a user agent: it is given what came back, and answers what to keep. Its types
//! do not leave this room. Start at [`Client`].

mod caller;
mod discovery;
pub(crate) mod error;
mod flow;
mod id_token;
mod jwks;
mod logout;
mod provider;
mod remembered;
pub(crate) mod settings;
mod tokens;
mod userinfo;

use std::fmt;
use std::sync::Arc;

use crate::backchannel::Backchannel;
use crate::clock::{Clock, Timestamp};
use crate::identity::{Claims, Identity};
use crate::secret::Secret;
use crate::telemetry::metrics::Registry;
use caller::Operation;
use discovery::Metadata;
use error::{Error, IdTokenFault};
use id_token::{Expected, Verified};
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
}

/// What a session has, to be refreshed.
#[derive(Debug)]
pub(crate) struct RefreshRequest {
    pub(crate) refresh_token: Secret<String>,
    /// Whose session it is; it stays theirs.
    pub(crate) subject: String,
    /// Kept where the provider says nothing new.
    pub(crate) claims: Claims,
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

    /// Begins a login.
    ///
    /// # Errors
    ///
    /// [`Error::ProviderUnavailable`], [`Error::ReservedParameter`].
    pub(crate) async fn begin(&self, request: LoginRequest) -> Result<Begun, Error> {
        let metadata = self.provider.metadata().await?;
        flow::begin(self.client_id(), &metadata, &request)
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
        let metadata = self.provider.metadata().await?;
        flow::check_issuer(self.issuer(), &metadata, &callback)?;
        let grant = (&callback.code, &pending, redirect_uri);
        let tokens = tokens::redeem(settings, &metadata, caller, grant, clock.now()).await;
        let tokens = caller.counted(Operation::Token, tokens)?;
        let token = tokens.id_token.as_ref().ok_or(Error::IdToken(IdTokenFault::Missing))?;
        let Verified { subject, claims } =
            self.verify(&metadata, token, Some(&pending.nonce), &tokens.access_token).await?;
        let more = self.userinfo(&metadata, &tokens.access_token, &subject).await?;
        Ok(self.login(subject, userinfo::merge(claims, more.unwrap_or_default()), tokens))
    }

    /// Refreshes a session.
    ///
    /// Once the provider has issued new tokens, trouble on the way to its keys or to userinfo does not lose them: what
    /// could not be asked stays as it was (the old refresh token may be spent, pitfalls 37).
    ///
    /// # Errors
    ///
    /// [`Error::is_fatal_for_session`] says whether the session ends.
    pub(crate) async fn refresh(&self, session: RefreshRequest) -> Result<Login, Error> {
        let Provider { settings, caller, clock, .. } = &self.provider;
        let metadata = self.provider.metadata().await?;
        let tokens = tokens::refresh(settings, &metadata, caller, &session.refresh_token, clock.now()).await;
        let mut tokens = caller.counted(Operation::Refresh, tokens)?;
        let subject = session.subject;
        let verified = self.refreshed_id_token(&metadata, &tokens, &subject).await?;
        if verified.is_none() {
            tokens.id_token = None;
        }
        let more = unless_transient(self.userinfo(&metadata, &tokens.access_token, &subject).await)?;
        let claims = match verified {
            Some(verified) if more.is_some() => verified.claims,
            // What userinfo said at login is not forgotten because it could not be asked.
            Some(verified) => userinfo::merge(session.claims, verified.claims),
            None => session.claims,
        };
        tokens.refresh_token = tokens.refresh_token.or(Some(session.refresh_token));
        Ok(self.login(subject, userinfo::merge(claims, more.flatten().unwrap_or_default()), tokens))
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
    async fn refreshed_id_token(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        subject: &str,
    ) -> Result<Option<Verified>, Error> {
        let Some(token) = &tokens.id_token else { return Ok(None) };
        match unless_transient(self.verify(metadata, token, None, &tokens.access_token).await)? {
            Some(verified) if verified.subject != subject => Err(Error::SubjectMismatch),
            verified => Ok(verified),
        }
    }

    async fn verify(
        &self,
        metadata: &Metadata,
        token: &Secret<String>,
        nonce: Option<&str>,
        access_token: &Secret<String>,
    ) -> Result<Verified, Error> {
        let text = token.expose();
        let (issuer, client_id, access_token) = (self.issuer(), self.client_id(), access_token.expose().as_str());
        let expected = Expected { issuer, client_id, nonce, access_token };
        let now: Timestamp = self.provider.clock.now();
        self.provider
            .with_keys(metadata, text, |token, keys| id_token::verify(text, token, keys, &expected, now))
            .await?
            .map_err(Error::IdToken)
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
            userinfo::check_subject(&claims, subject)?;
            Ok(claims)
        };
        let result = ask.await;
        self.provider.caller.counted(Operation::Userinfo, result).map(Some)
    }

    async fn signed_userinfo(&self, metadata: &Metadata, text: &str) -> Result<Claims, Error> {
        self.provider
            .with_keys(metadata, text, |token, keys| userinfo::signed(token, keys, self.issuer(), self.client_id()))
            .await?
            .map_err(|_| Error::UserinfoInvalid("its signature, issuer or audience is not right"))
    }

    /// The place where a login has just been verified.
    fn login(&self, subject: String, claims: Claims, tokens: Tokens) -> Login {
        let access_token = Some(tokens.access_token.clone());
        let identity = Identity::assertion(self.issuer().to_owned(), subject, claims, access_token);
        Login { identity, tokens }
    }
}

/// `None` instead of an error that a session outlives.
fn unless_transient<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_transient() => {
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, "a session was refreshed without all that a login asks for");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;
