//! What an access token that is in force says, and about whom.

use std::sync::Arc;

use serde_json::Value;

use crate::database;
use crate::directory::user::User;
use crate::identity::Claims;
use crate::oauth::claims_request::RequestedClaims;
use crate::oauth::grant::record::Standing;
use crate::oauth::issuer::AccessToken;
use crate::oauth::provider::Provider;
use crate::signin::sso::Key;

/// An access token of a user, which is in force.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) user: Arc<User>,
    pub(super) claims: Claims,
    /// Claims that were asked for by name.
    pub(super) asked: Option<RequestedClaims>,
}

impl Access {
    /// The granted scopes, separated by spaces.
    pub(super) fn scope(&self) -> &str {
        text(&self.claims, "scope").unwrap_or_default()
    }
}

impl Provider {
    /// What a token says. `None` if it was revoked, if its client or its user are gone, or if a sign-in of the user asks for more today than was
    /// proved for it.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(super) async fn access(&self, token: AccessToken) -> Result<Option<Access>, database::Error> {
        let now = self.clock.now();
        let AccessToken { claims, family, inside } = token;
        let (Some(subject), Some(client_id)) = (text(&claims, "sub"), text(&claims, "client_id")) else {
            return Ok(None);
        };
        // A client that was removed from the configuration has no access any more.
        if self.directory.client(client_id).is_none() {
            return Ok(None);
        }
        let user = match (self.grants.family((subject, client_id), &family, now).await?, inside) {
            (Standing::Revoked, _) | (Standing::NotRevoked, None) => None,
            (Standing::Alive(grant), _) => {
                let user = self.holder(&grant).await?.user().ok();
                user.map(|user| (user, grant.claims))
            }
            (Standing::NotRevoked, Some(inside)) => {
                let auth_time = claims.get("auth_time").and_then(Value::as_u64).unwrap_or_default();
                let session = inside.session_id.as_ref().map(|id| Key { subject, id, auth_time });
                let has_ended = session.is_some_and(|session| self.sessions.has_ended(session, now));
                if has_ended {
                    None
                } else {
                    self.directory.user(subject, &inside.fingerprint).await?.map(|user| (user, None))
                }
            }
        };
        Ok(user.map(|(user, asked)| Access { user, claims, asked }))
    }
}

/// A claim that is a text.
pub(super) fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name)?.as_str()
}
