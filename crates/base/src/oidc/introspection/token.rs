//! What a token must be that the provider calls active: the same as for a JWT, as far as the answer says it.

use serde_json::Value;

use crate::clock::Timestamp;
use crate::identity::{Claims, Identity};
use crate::jose::verify::{self, Audience, Expected, Expiry, Presence};
use crate::oidc::access_token::{AccessToken, AccessTokenFault, Wanted, check_user};
use crate::oidc::introspection::outcome::Active;
use crate::oidc::relying_party::RelyingParty;
use crate::oidc::userinfo;
use crate::secret::Secret;

impl RelyingParty {
    /// The user of a token that the provider calls active. `keep_token`: the user gets the token, for the targets.
    ///
    /// # Errors
    ///
    /// Why the token is not accepted here.
    pub fn accept_introspected(
        &self,
        active: &Active,
        keep_token: Option<&str>,
        wanted: &Wanted,
    ) -> Result<AccessToken, AccessTokenFault> {
        let subject = self.check_introspected(&active.claims, wanted)?.to_owned();
        let of_user = userinfo::merge(active.claims.clone(), Claims::new());
        let token = keep_token.map(|token| Secret::new(token.to_owned()));
        // Here the provider has just vouched for the token, or did within `introspection_cache` (RFC 7662 §2.2, §4).
        let identity = Identity::assertion(self.issuer().to_owned(), subject, of_user, token);
        let expires = active.claims.get("exp").and_then(Value::as_f64);
        let accepted_until =
            expires.map_or(Timestamp::MAX, |seconds| Timestamp::from_millis((seconds * 1000.0) as u64));
        Ok(AccessToken { identity, claims: active.claims.clone(), accepted_until, key: None })
    }

    /// The user whom an answer with these members would give, and the members. Without `active` or `token_type`, an access token that is active
    /// is supposed. Nothing is asked: for `check` only.
    ///
    /// # Errors
    ///
    /// Why a token with this answer would be refused.
    pub fn supposed_introspected(
        &self,
        mut claims: Claims,
        wanted: &Wanted,
    ) -> Result<(Identity, Claims), AccessTokenFault> {
        if claims.remove("active").is_some_and(|active| active != true) {
            return Err(AccessTokenFault::Inactive);
        }
        claims.retain(|_, value| !value.is_null());
        if !KINDS.iter().any(|name| claims.contains_key(*name)) {
            claims.insert("token_type".to_owned(), "Bearer".into());
        }
        let subject = self.check_introspected(&claims, wanted)?.to_owned();
        let of_user = userinfo::merge(claims.clone(), Claims::new());
        Ok((Identity::supposed(self.issuer().to_owned(), subject, of_user), claims))
    }

    /// Returns the subject.
    fn check_introspected<'c>(&self, claims: &'c Claims, wanted: &Wanted) -> Result<&'c str, AccessTokenFault> {
        let audience = if wanted.audiences.is_empty() { Audience::Any } else { Audience::OneOf(&wanted.audiences) };
        let expected = Expected {
            issuer: self.issuer(),
            audience,
            // `exp` and `iss` are optional (RFC 7662 §2.2): the provider itself says that the token is active, and is asked again soon.
            registered_claims: Presence::Optional,
            expiry: Expiry::Exact,
            now: self.provider.clock.now(),
        };
        verify::check(claims, &expected)?;
        check_is_access_token(claims)?;
        check_user(claims, wanted)
    }
}

/// The members that say what kind of token it is: that of the standard, that of Ory Hydra, and that of Keycloak.
const KINDS: [&str; 3] = ["token_type", "token_use", "typ"];

/// A provider calls refresh tokens active, too, and some also ID tokens. Neither is for an API (attacks B-06), so one of the members must say that it
/// is an access token, and none may say that it is something else.
fn check_is_access_token(claims: &Claims) -> Result<(), AccessTokenFault> {
    let mut said = KINDS.iter().filter_map(|name| claims.get(*name)).peekable();
    if said.peek().is_none() {
        return Err(AccessTokenFault::OtherKind(
            "the answer has no `token_type`, so it may be a refresh token (RFC 7662 §2.2)",
        ));
    }
    let is_access = |kind: &Value| {
        let accepted = ["bearer", "access_token", "access", "at+jwt"];
        kind.as_str().is_some_and(|kind| accepted.iter().any(|accepted| kind.eq_ignore_ascii_case(accepted)))
    };
    if said.all(is_access) {
        Ok(())
    } else {
        Err(AccessTokenFault::OtherKind("the answer says that it is no bearer access token"))
    }
}
