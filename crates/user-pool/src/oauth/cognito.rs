//! The claims by which Cognito's tokens differ from those of the standards (pool §8.2, §8.3).

use serde_json::{Value, json};

use crate::crypto::{octets, uuid};
use crate::directory::record::ExternalIdentity;
use crate::directory::user::User;
use crate::identity::Claims;

/// The claims of both tokens of a user. `token_use` is `id` or `access`.
pub(super) fn common(token_use: &str, family: &str, user: &User) -> Claims {
    let mut claims = Claims::new();
    claims.insert("token_use".into(), token_use.into());
    claims.insert("origin_jti".into(), family.into());
    claims.insert("event_id".into(), event_of(family).into());
    if let Some(groups) = user.claims().get("groups") {
        claims.insert("cognito:groups".into(), groups.clone());
    }
    claims
}

/// `identities` of an ID token: whom the user is at other providers. `None` for a user of the pool alone.
pub(super) fn identities(user: &User) -> Option<Value> {
    let one = |(index, identity): (usize, &ExternalIdentity)| {
        json!({
            "userId": identity.subject,
            "providerName": identity.provider,
            "providerType": "OIDC",
            "issuer": identity.issuer,
            // Texts, as with Cognito. The user was made by the first one.
            "primary": (index == 0).to_string(),
            "dateCreated": identity.linked_at.millis().to_string(),
        })
    };
    let identities: Vec<Value> = user.identities().iter().enumerate().map(one).collect();
    (!identities.is_empty()).then(|| identities.into())
}

/// The claims of a token of a client (pool §8.3): it has no user, no groups, and no event.
pub(super) fn of_client() -> Claims {
    let claims = json!({"token_use": "access", "version": 2});
    claims.as_object().cloned().unwrap_or_default()
}

/// Names the sign-in that a family began with. It is the same in all its tokens.
fn event_of(family: &str) -> String {
    uuid::of_hash(&octets::sha256(format!("vestibule pool event {family}").as_bytes()))
}
