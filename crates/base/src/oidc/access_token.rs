//! Bearer tokens that are JWTs, as a resource server verifies them (RFC 9068 §4, ALB §8.2).
//!
//! The signature and the registered claims are the business of [`jose`](crate::jose::verify). This file adds what tells an access token
//! from the other tokens of a provider, and reads the user.

use std::sync::Arc;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::identity::{Claims, Identity};
use crate::jose::compact::{self, Algorithm, Compact, Kind};
use crate::jose::standing::Standing;
use crate::jose::verify::{self, Audience, Expected, Expiry, Fault, LEEWAY, Presence, Verified};
use crate::oidc::cached_document::IsOld;
use crate::oidc::error::Error;
use crate::oidc::id_token;
use crate::oidc::relying_party::RelyingParty;
use crate::oidc::settings::TOKEN_BYTES_MAX;
use crate::oidc::userinfo;
use crate::secret::Secret;

/// What a bearer token must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// One of `aud` is one of these. Empty: `aud` is not looked at.
    pub audiences: Vec<String>,
    pub kind: TokenKind,
    /// The algorithms that are accepted. Empty: every algorithm with a public key.
    pub algorithms: Vec<Algorithm>,
}

/// Which kind of token is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenKind {
    /// A JWT that does not say that it is something else than an access token.
    #[default]
    Access,
    /// An access token with the type `at+jwt` (RFC 9068 §2.1).
    Rfc9068,
    /// An ID token (OIDC Core §2).
    Id,
}

/// A token that was verified.
#[derive(Debug)]
pub struct AccessToken {
    /// The user, or the client that acts for itself.
    pub identity: Identity,
    /// Everything that the token says.
    pub claims: Claims,
    /// Until when it is accepted. After `exp`, because two clocks may differ.
    pub accepted_until: Timestamp,
    /// The key that signed it. `None` if the provider was asked instead.
    pub key: Option<Arc<Standing>>,
}

/// Why a token is refused. None of them quotes it.
#[derive(Debug, thiserror::Error)]
pub enum AccessTokenFault {
    /// It is not a signed JWT of the wanted kind.
    #[error("the token cannot be read as a JWT of the kind that is accepted")]
    Form(#[from] compact::Error),
    /// `algorithms` of the action does not have its algorithm.
    #[error("the token is signed with an algorithm that `algorithms` does not have")]
    Algorithm,
    /// The signature or a registered claim is wrong.
    #[error("the token is not valid")]
    Token(#[from] Fault),
    /// It is another token of the provider (attacks B-06).
    #[error("the token is no access token: {0}")]
    OtherKind(&'static str),
    /// `cnf` binds it to a key that only its owner has (RFC 9449 §7.1, RFC 8705 §3). As a bearer token, it may be stolen.
    #[error("the token is bound to a key (`cnf`), and was sent without a proof of it")]
    Bound,
    /// `sub` is missing, empty, longer than 255 characters or not printable.
    #[error("its `sub` is missing, empty, too long or not printable")]
    Subject,
    /// The provider does not say `"active": true` (RFC 7662 §2.2).
    #[error("the provider does not say that the token is active")]
    Inactive,
    /// The provider is not asked about so long a token.
    #[error("the token is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
}

/// What the keys that are known say about a token.
#[derive(Debug)]
pub struct Decided {
    pub answer: Result<AccessToken, AccessTokenFault>,
    /// The keys should be fetched again. No request has to wait for that.
    pub are_keys_old: bool,
}

impl RelyingParty {
    /// Verifies a token with the keys that are known, without a call. `None` if no keys are known, or none of them verifies the token: newer
    /// ones may.
    pub fn verify_with_known_keys(&self, token: &str, wanted: &Wanted) -> Option<Decided> {
        let compact = match read(token, wanted) {
            Ok(compact) => compact,
            // No key makes it readable.
            Err(fault) => return Some(Decided { answer: Err(fault), are_keys_old: false }),
        };
        let (keys, IsOld(are_keys_old)) = self.provider.known_keys()?;
        match verify::verify(&compact, &keys, &self.wanted(wanted)) {
            Err(Fault::NoKey | Fault::Signature) => None,
            verified => Some(Decided { answer: self.accepted(token, verified, wanted), are_keys_old }),
        }
    }

    /// Verifies a token. Fetches keys where that may help, which is limited.
    ///
    /// # Errors
    ///
    /// [`Error::KeysUnavailable`], [`Error::ProviderUnavailable`]. Otherwise the inner result tells whether the token is valid.
    pub async fn verify_access_token(
        &self,
        token: &str,
        wanted: &Wanted,
    ) -> Result<Result<AccessToken, AccessTokenFault>, Error> {
        let compact = match read(token, wanted) {
            Ok(compact) => compact,
            Err(fault) => return Ok(Err(fault)),
        };
        let jwks_uri = self.provider.jwks_uri().await?;
        let verified = self.provider.verify(&jwks_uri, &compact, &self.wanted(wanted)).await?;
        Ok(self.accepted(token, verified, wanted))
    }

    /// Fetches the keys again if they are old. If that fails, the old ones stay in use.
    pub async fn renew_keys(&self) {
        // A failure is logged where it happens.
        if let Ok(jwks_uri) = self.provider.jwks_uri().await {
            let _ = self.provider.keys(&jwks_uri).await;
        }
    }

    /// The user whom a token with these claims would give, and the claims. Without `iss` or `exp`, a token of this issuer that has not expired
    /// is supposed. Nothing is verified: for `check` only.
    ///
    /// # Errors
    ///
    /// Why a token with these claims would be refused, whoever signed it.
    pub fn supposed_token(&self, mut claims: Claims, wanted: &Wanted) -> Result<(Identity, Claims), AccessTokenFault> {
        claims.entry("iss").or_insert_with(|| self.issuer().into());
        let soon = self.provider.clock.now() + LEEWAY;
        claims.entry("exp").or_insert_with(|| (soon.millis() / 1000).into());
        verify::check(&claims, &self.wanted(wanted))?;
        let subject = check_user(&claims, wanted)?.to_owned();
        let of_user = userinfo::merge(claims.clone(), Claims::new());
        Ok((Identity::supposed(self.issuer().to_owned(), subject, of_user), claims))
    }

    fn wanted<'e>(&'e self, wanted: &'e Wanted) -> Expected<'e> {
        let audience = if wanted.audiences.is_empty() { Audience::Any } else { Audience::OneOf(&wanted.audiences) };
        Expected {
            issuer: self.issuer(),
            audience,
            registered_claims: Presence::IssuerAndExpiry,
            expiry: Expiry::WithLeeway,
            now: self.provider.clock.now(),
        }
    }

    /// The user of a token whose signature and registered claims have been verified.
    fn accepted(
        &self,
        token: &str,
        verified: Result<Verified, Fault>,
        wanted: &Wanted,
    ) -> Result<AccessToken, AccessTokenFault> {
        let verified = verified?;
        let key = Some(Arc::clone(verified.key()));
        let claims = verified.into_claims();
        let subject = check_user(&claims, wanted)?.to_owned();
        // `jose` has checked that it is a sensible number.
        let expires = claims.get("exp").and_then(Value::as_f64).ok_or(Fault::Claim("exp"))?;
        let accepted_until = Timestamp::from_millis((expires * 1000.0) as u64) + LEEWAY;
        let of_user = userinfo::merge(claims.clone(), Claims::new());
        let token = Some(Secret::new(token.to_owned()));
        // Here the token has just been verified.
        let identity = Identity::assertion(self.issuer().to_owned(), subject, of_user, token);
        Ok(AccessToken { identity, claims, accepted_until, key })
    }
}

/// What must hold beside the signature and the registered claims. Returns the subject.
pub(super) fn check_user<'c>(claims: &'c Claims, wanted: &Wanted) -> Result<&'c str, AccessTokenFault> {
    check_kind(claims, wanted.kind)?;
    if claims.contains_key("cnf") {
        return Err(AccessTokenFault::Bound);
    }
    id_token::subject(claims).map_err(|_| AccessTokenFault::Subject)
}

fn read<'t>(token: &'t str, wanted: &Wanted) -> Result<Compact<'t>, AccessTokenFault> {
    let kind = match wanted.kind {
        TokenKind::Access => Kind::AnyAccessToken,
        TokenKind::Rfc9068 => Kind::AccessToken,
        TokenKind::Id => Kind::Jwt,
    };
    let compact = Compact::parse(token, kind)?;
    let is_accepted = wanted.algorithms.is_empty() || wanted.algorithms.contains(&compact.algorithm());
    if is_accepted { Ok(compact) } else { Err(AccessTokenFault::Algorithm) }
}

/// Tells access tokens from ID tokens and others of the same issuer and keys. Providers that do not follow RFC 9068 say it in claims of
/// their own: Cognito in `token_use`, Keycloak in `typ`. Only ID tokens have `nonce` and hashes of what came with them (OIDC Core §3.1.3.6).
fn check_kind(claims: &Claims, wanted: TokenKind) -> Result<(), AccessTokenFault> {
    let is = |name: &str, value: &str| claims.get(name).and_then(Value::as_str).is_some_and(|said| said == value);
    let is_id_token = is("token_use", "id")
        || is("typ", "ID")
        || ["nonce", "at_hash", "c_hash"].iter().any(|name| claims.contains_key(*name));
    let is_other = ["Refresh", "Offline", "Logout"].iter().any(|typ| is("typ", typ))
        || is("token_use", "refresh")
        || is("token_use", "refresh_token");
    // RFC 8417 §2.2: a token about an event, such as a logout token.
    if is_other || claims.contains_key("events") {
        return Err(AccessTokenFault::OtherKind("it is a refresh token or tells of an event"));
    }
    match wanted {
        TokenKind::Access | TokenKind::Rfc9068 if is_id_token => Err(AccessTokenFault::OtherKind("it is an ID token")),
        TokenKind::Id if is("token_use", "access") || is("typ", "Bearer") => {
            Err(AccessTokenFault::OtherKind("it is an access token, and `token_type: id` wants an ID token"))
        }
        TokenKind::Access | TokenKind::Rfc9068 | TokenKind::Id => Ok(()),
    }
}
