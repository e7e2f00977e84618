//! Creates sessions from verified sign-ins. Keeps only the values that are needed (DESIGN §5).

use std::sync::Arc;
use std::time::Duration;

use crate::action::authenticate::services::GenerationServices;
use crate::action::settings::AuthenticateSettings;
use crate::clock::{Clock, Timestamp};
use crate::identity::{ASKED_AT, Claims, Identity};
use crate::oidc;
use crate::secret::Secret;
use crate::session::Sessions;
use crate::session::record::{Session, SessionId};

/// Minimum time between new tokens and the next refresh. Otherwise very short lifetimes would make every request refresh.
const REFRESH_SOONEST: Duration = Duration::from_secs(1);

/// Creates the sessions of one action. Shared with the control runtime, where tokens are refreshed.
#[derive(Debug)]
pub(super) struct SessionFactory {
    pub(super) client: Arc<oidc::RelyingParty>,
    pub(super) sessions: Sessions,
    pub(super) clock: Clock,
    timeout: Duration,
    keeps_access_token: bool,
    keeps_id_token: bool,
}

impl SessionFactory {
    pub(super) fn new(
        settings: &AuthenticateSettings,
        client: Arc<oidc::RelyingParty>,
        logout: oidc::settings::Logout,
        sessions: Sessions,
        services: &GenerationServices,
    ) -> Self {
        Self {
            client,
            sessions,
            clock: services.clock.clone(),
            timeout: settings.session_timeout,
            keeps_access_token: services.claims.wants_access_token(),
            // Kept only as a hint for RP-initiated logout.
            keeps_id_token: logout == oidc::settings::Logout::Auto,
        }
    }

    /// Whether the session belongs to the provider of this action.
    pub(super) fn is_from_our_provider(&self, session: &Session) -> bool {
        session.provider == **self.client.name() && session.identity.issuer() == self.client.issuer()
    }

    /// Creates a session with a new ID (attacks S-09). `is_silent`: the provider was asked without the user.
    pub(super) fn begin(&self, login: oidc::Login, is_silent: bool, now: Timestamp) -> Session {
        let refresh_at = refresh_at(&login.tokens, login.tokens.refresh_token.is_some(), now);
        Session {
            id: SessionId::random(),
            generation: 0,
            provider: self.client.name().to_string(),
            identity: self.identity(
                login.identity.subject().to_owned(),
                login.identity.claims().clone(),
                &login.tokens,
            ),
            refresh_token: login.tokens.refresh_token,
            id_token: login.tokens.id_token.filter(|_| self.keeps_id_token),
            authenticated_at: now,
            expires_at: now + self.timeout,
            refresh_at,
            access_token_expires_at: login.tokens.access_token_expires_at,
            nonce_hash: Some(login.nonce_hash),
            is_asked_again: is_silent,
        }
    }

    /// The same session with new tokens, the same ID and the same end (attacks S-08). Tokens that the response omits are kept (attacks
    /// V-04). The claims are replaced completely or kept completely. `None` if the tokens belong to another user (attacks V-02).
    pub(super) fn renew(&self, before: &Session, refreshed: oidc::Refreshed, now: Timestamp) -> Option<Session> {
        let oidc::Refreshed { subject, claims, tokens } = refreshed;
        if !self.is_from_our_provider(before) || subject != before.identity.subject() {
            return None;
        }
        let claims = match claims {
            oidc::RefreshedClaims::New(claims) => with_sign_in_of(before.identity.claims(), claims),
            oidc::RefreshedClaims::NotKnown => before.identity.claims().clone(),
        };
        let refresh_at = refresh_at(&tokens, true, now);
        let keep = |new: Option<Secret<String>>, old: &Option<Secret<String>>| new.or_else(|| old.clone());
        Some(Session {
            id: before.id,
            generation: before.generation.wrapping_add(1),
            provider: before.provider.clone(),
            identity: self.identity(subject, claims, &tokens),
            refresh_token: keep(tokens.refresh_token, &before.refresh_token),
            id_token: keep(tokens.id_token.filter(|_| self.keeps_id_token), &before.id_token),
            authenticated_at: before.authenticated_at,
            expires_at: before.expires_at,
            refresh_at,
            access_token_expires_at: tokens.access_token_expires_at,
            nonce_hash: before.nonce_hash.clone(),
            is_asked_again: before.is_asked_again,
        })
    }

    /// The verified identity. Contains the access token only if the target receives it.
    fn identity(&self, subject: String, claims: Claims, tokens: &oidc::Tokens) -> Arc<Identity> {
        let token = self.keeps_access_token.then(|| tokens.access_token.clone());
        Arc::new(Identity::assertion(self.client.issuer().to_owned(), subject, claims, token))
    }
}

/// New claims with what the old ones say of the sign-in. A refresh is no sign-in: it makes none more recent (OIDC Core §12.2), and its
/// ID token may leave out how the user signed in. An `acr` that the provider does send counts, because it may be lower now.
fn with_sign_in_of(before: &Claims, mut claims: Claims) -> Claims {
    for name in ["auth_time", ASKED_AT] {
        if let Some(time) = before.get(name) {
            claims.insert(name.into(), time.clone());
        }
    }
    if let (Some(acr), false) = (before.get("acr"), claims.contains_key("acr")) {
        claims.insert("acr".into(), acr.clone());
    }
    claims
}

/// The time of the next refresh: four fifths of the lifetime of the access token (pitfalls 39). `None` without a refresh token.
fn refresh_at(tokens: &oidc::Tokens, has_refresh_token: bool, now: Timestamp) -> Option<Timestamp> {
    let expires_at = tokens.access_token_expires_at.filter(|_| has_refresh_token)?;
    Some(now + (expires_at.since(now) * 4 / 5).max(REFRESH_SOONEST))
}
