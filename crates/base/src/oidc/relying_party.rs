//! The relying party of one provider: signs users in, refreshes their sessions, signs them out.

use std::fmt;
use std::sync::Arc;

use crate::backchannel::call::{Backchannel, Error as CallError};
use crate::clock::Clock;
use crate::identity::{Claims, Identity, has_groups_overage};
use crate::jose::compact::{Compact, Kind};
use crate::jose::verify::{Audience, Expected, Expiry, Presence, Verified};
use crate::oidc::caller::Operation;
use crate::oidc::discovery::Metadata;
use crate::oidc::error::{Error, IdTokenFault, UserinfoFault};
use crate::oidc::flow::{Begun, Callback, LoginRequest, Pending};
use crate::oidc::id_token::Nonce;
use crate::oidc::logout::LogoutRequest;
use crate::oidc::provider::Provider;
use crate::oidc::refreshed::{RefreshRequest, Refreshed, RefreshedClaims, SourceClaims, new_claims, source_claims};
use crate::oidc::settings::{Settings, Userinfo};
use crate::oidc::tokens::Tokens;
use crate::oidc::{flow, graph, id_token, logout, settings, tokens, userinfo};
use crate::secret::Secret;
use crate::telemetry::metrics::Registry;

/// The result of a sign-in: a verified user and the tokens.
#[derive(Debug)]
pub struct Login {
    pub identity: Identity,
    pub tokens: Tokens,
    /// The hash of the nonce, which the session stores to check refreshed ID tokens.
    pub nonce_hash: String,
}

/// A relying party of one provider. Caches the last valid metadata and keys. Shared by all workers.
///
/// Its futures are `Send`. They can be dropped, but a code or refresh token may then be used up.
pub struct RelyingParty {
    pub(super) provider: Provider,
}

impl fmt::Debug for RelyingParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RelyingParty").field("name", self.name()).finish_non_exhaustive()
    }
}

impl RelyingParty {
    /// Creates it. Does not call the provider yet.
    pub fn new(settings: Settings, backchannel: Arc<dyn Backchannel>, clock: Clock, registry: &Registry) -> Self {
        Self { provider: Provider::new(settings, backchannel, clock, registry) }
    }

    /// The name of the provider in the configuration.
    pub fn name(&self) -> &Arc<str> {
        &self.provider.settings.name
    }

    /// The issuer identifier of the provider.
    pub fn issuer(&self) -> &str {
        &self.provider.settings.issuer
    }

    /// The client ID.
    pub fn client_id(&self) -> &str {
        &self.provider.settings.client_id
    }

    /// `callback_path` of the provider, if it is set.
    pub fn callback_path(&self) -> Option<&str> {
        self.provider.settings.callback_path.as_deref()
    }

    /// Whether Microsoft Graph is asked for groups that a token does not have.
    pub fn has_graph(&self) -> bool {
        self.provider.settings.graph.is_some()
    }

    /// Starts a sign-in.
    ///
    /// # Errors
    ///
    /// [`Error::ProviderUnavailable`], [`Error::ReservedParameter`].
    pub async fn begin(&self, request: LoginRequest) -> Result<Begun, Error> {
        let metadata = self.provider.metadata().await?;
        flow::begin(&self.provider.settings, &metadata, &request)
    }

    /// Finishes a sign-in. The caller has matched `state` to `pending`. `redirect_uri` must be that of the authorization request.
    ///
    /// # Errors
    ///
    /// Every [`Error`] but `ReservedParameter`.
    pub async fn finish(&self, callback: Callback, pending: Pending, redirect_uri: String) -> Result<Login, Error> {
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
        let said = self.verify(&metadata, token, (nonce, pending.max_age), &tokens.access_token).await?;
        let more = self.userinfo(&metadata, &tokens.access_token, &said.subject).await?;
        let claims = userinfo::merge(said.claims, more.unwrap_or_default());
        let claims = self.with_groups(claims, &tokens.access_token).await?;
        // Empty if no nonce was sent. Then a refreshed token with a nonce belongs to another sign-in.
        let nonce_hash = pending.nonce.as_deref().map(id_token::nonce_hash).unwrap_or_default();
        // Here the user has just been verified.
        let access_token = Some(tokens.access_token.clone());
        let identity = Identity::assertion(self.issuer().to_owned(), said.subject, claims, access_token);
        Ok(Login { identity, tokens, nonce_hash })
    }

    /// The user that a sign-in with these claims in the ID token would give, and no claims in userinfo. Nothing is verified: for
    /// `check` only. `None` without a `sub`.
    pub fn supposed(&self, payload: Claims) -> Option<Identity> {
        let subject = payload.get("sub")?.as_str()?.to_owned();
        Some(Identity::supposed(self.issuer().to_owned(), subject, userinfo::merge(payload, Claims::new())))
    }

    /// Refreshes a session.
    ///
    /// After the provider has issued new tokens, a failure to fetch its keys or userinfo does not discard them, because the old
    /// refresh token may be used up (pitfalls 37). [`Refreshed::claims`] reports it.
    ///
    /// # Errors
    ///
    /// [`Error::blame`] tells whose fault it is, and therefore whether the session ends.
    pub async fn refresh(&self, session: RefreshRequest) -> Result<Refreshed, Error> {
        let Provider { settings, caller, clock, .. } = &self.provider;
        let metadata = self.provider.metadata().await?;
        let tokens = tokens::refresh(settings, &metadata, caller, &session.refresh_token, clock.now()).await;
        let mut tokens = caller.counted(Operation::Refresh, tokens)?;
        let subject = session.subject;
        let from_token = self.refreshed_claims(&metadata, &tokens, &subject, session.nonce_hash.as_deref()).await?;
        if !matches!(from_token, SourceClaims::Claims(_)) {
            // Not newer than the ID token of the session, or not verified: not returned.
            tokens.id_token = None;
        }
        let from_userinfo = source_claims(self.userinfo(&metadata, &tokens.access_token, &subject).await)?;
        let claims = match new_claims(from_token, from_userinfo) {
            RefreshedClaims::New(claims) => {
                source_claims(self.with_groups(claims, &tokens.access_token).await.map(Some))?.into()
            }
            RefreshedClaims::NotKnown => RefreshedClaims::NotKnown,
        };
        tokens.refresh_token = tokens.refresh_token.or(Some(session.refresh_token));
        Ok(Refreshed { subject, claims, tokens })
    }

    /// The URL at which the browser signs out at the provider. `None` if the provider has none, or its metadata is not available.
    pub async fn logout_location(&self, request: LogoutRequest) -> Option<String> {
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

    /// OIDC Core §12.2: the response to a refresh may omit the ID token. If it has one, it must be for the same user.
    async fn refreshed_claims(
        &self,
        metadata: &Metadata,
        tokens: &Tokens,
        subject: &str,
        nonce_hash: Option<&str>,
    ) -> Result<SourceClaims, Error> {
        let Some(token) = &tokens.id_token else { return Ok(SourceClaims::None) };
        let said = self.verify(metadata, token, (Nonce::OfLogin(nonce_hash), None), &tokens.access_token).await;
        if said.as_ref().is_ok_and(|said| said.subject != subject) {
            return Err(Error::SubjectMismatch);
        }
        source_claims(said.map(|said| Some(said.claims)))
    }

    async fn verify(
        &self,
        metadata: &Metadata,
        token: &Secret<String>,
        (nonce, max_age): (Nonce<'_>, Option<u64>),
        access_token: &Secret<String>,
    ) -> Result<id_token::Said, Error> {
        let token = Compact::parse(token.expose(), Kind::Jwt).map_err(|error| Error::IdToken(error.into()))?;
        let verified = self.provider.verify(&metadata.jwks_uri, &token, &self.expected(Presence::Required)).await?;
        let client_id = self.client_id();
        let (access_token, now) = (access_token.expose(), self.provider.clock.now());
        let context = id_token::Context { client_id, nonce, access_token, max_age, now };
        let said = verified.map_err(IdTokenFault::Token).and_then(|token| id_token::check(token, &context));
        said.map_err(Error::IdToken)
    }

    fn expected(&self, registered_claims: Presence) -> Expected<'_> {
        Expected {
            issuer: self.issuer(),
            audience: Audience::Us(self.client_id()),
            registered_claims,
            expiry: Expiry::WithLeeway,
            now: self.provider.clock.now(),
        }
    }

    /// The userinfo claims of `subject`. `None` if userinfo is not used.
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
        self.provider.caller.counted(Operation::Userinfo, result).map(userinfo::without_sign_in).map(Some)
    }

    /// The same claims, with the groups that Microsoft Graph knows if the token could not have them (`docs/decisions/0054`). All pages
    /// together have the time of one call.
    async fn with_groups(&self, claims: Claims, access_token: &Secret<String>) -> Result<Claims, Error> {
        let Provider { settings, caller, .. } = &self.provider;
        let graph = settings.graph.as_ref().filter(|graph| !graph.wanted.is_empty() && has_groups_overage(&claims));
        let Some(graph) = graph else { return Ok(claims) };
        let asked = tokio::time::timeout(settings.timeout, graph::groups(caller, graph, access_token)).await;
        let groups = asked.unwrap_or(Err(Error::GroupsUnreachable(CallError::Timeout)));
        Ok(graph::put(claims, caller.counted(Operation::Groups, groups)?, graph))
    }

    /// A signed response should contain issuer and audience (OIDC Core §5.3.2). They may be missing, because the response came from the
    /// endpoint of the provider, and the subject is always compared.
    async fn signed_userinfo(&self, metadata: &Metadata, text: &str) -> Result<Claims, Error> {
        let token = Compact::parse(text, Kind::Jwt).map_err(|error| Error::UserinfoInvalid(error.into()))?;
        let verified = self.provider.verify(&metadata.jwks_uri, &token, &self.expected(Presence::Optional)).await?;
        verified.map(Verified::into_claims).map_err(|fault| Error::UserinfoInvalid(UserinfoFault::Token(fault)))
    }
}
