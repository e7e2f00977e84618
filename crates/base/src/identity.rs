//! The verified user of a request.
//!
//! A value of [`Identity`] is the proof: [`Identity::assertion`] is called only next to a verification (a login that has
//! just been checked, a sealed session that has just been opened), so a search for its name finds every place that verifies a user.

pub mod email;
pub mod endings;

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::secret::Secret;

/// The provider's claims about a user, by name.
pub type Claims = Map<String, Value>;

/// When another provider has asked a user of the pool, in seconds, if that was before `auth_time`; 0 if nobody knows. The pool says it in ID tokens, and a
/// rule with `max_age` looks at it. `auth_time` itself cannot be earlier: the order of sign-ins and endings is that of `auth_time` (docs/decisions/0097).
pub const ASKED_AT: &str = "vestibule:asked_at";

/// A verified user.
#[derive(Clone, Debug)]
pub struct Identity {
    issuer: String,
    subject: String,
    claims: Claims,
    access_token: Option<Secret<String>>,
}

impl Identity {
    /// Asserts that `subject` of `issuer` was verified **just now, right here**. Search for callers before trusting one.
    ///
    /// `claims` holds the provider's claims, without the protocol's own members (`aud`, `exp`, `nonce`, …).
    pub fn assertion(issuer: String, subject: String, claims: Claims, access_token: Option<Secret<String>>) -> Self {
        Self { issuer, subject, claims, access_token }
    }

    /// A user as somebody with these claims would be one. **Nothing was verified.** Only for `check`, which serves nobody.
    pub fn supposed(issuer: String, subject: String, claims: Claims) -> Self {
        Self { issuer, subject, claims, access_token: None }
    }

    /// The issuer of this user's claims. Only together with [`subject`](Self::subject) does it identify a user.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The provider's own name for the user (`sub`).
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Whether both are the same user of the same issuer.
    pub fn is_same_user(&self, other: &Self) -> bool {
        (&self.issuer, &self.subject) == (&other.issuer, &other.subject)
    }

    /// The provider's claims about the user.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The claim at a path: a name, then the members of objects below it. `sub` and `iss` are the verified ones, whatever
    /// the claims say.
    pub fn claim(&self, path: &[String]) -> Option<Cow<'_, Value>> {
        let (first, rest) = path.split_first()?;
        match (first.as_str(), rest) {
            ("sub", []) => Some(Cow::Owned(self.subject().into())),
            ("iss", []) => Some(Cow::Owned(self.issuer().into())),
            _ => rest.iter().try_fold(self.claims.get(first)?, |claim, name| claim.get(name)).map(Cow::Borrowed),
        }
    }

    /// What a page calls the user: the name that the user knows, as far as the provider tells one. At most 100 characters.
    pub fn display_name(&self) -> String {
        let name = ["preferred_username", "email", "name"].into_iter().find_map(|name| self.claims.get(name)?.as_str());
        name.filter(|name| !name.trim().is_empty()).unwrap_or(&self.subject).chars().take(100).collect()
    }

    /// The access token that the provider issued for the user, if the session stores it.
    pub fn access_token(&self) -> Option<&Secret<String>> {
        self.access_token.as_ref()
    }

    /// The approximate memory of the strings and claims in bytes.
    pub fn weight(&self) -> usize {
        let claims: usize = self.claims.iter().map(|(name, claim)| name.len() + weight(claim)).sum();
        self.issuer.len() + self.subject.len() + claims
    }
}

/// The claim that says which groups a provider was asked for, if `groups` has only those of them that the user is in. Made by `oidc`.
/// A provider that sends it itself makes less known, never more.
pub const GROUPS_ASKED: &str = "_groups_asked";

/// Whether the claims do not have the groups of the user, because the user is in more groups than the provider puts into a token: the
/// "groups overage" of Microsoft Entra. Its token names another source (`_claim_names`, OIDC Core §5.6.2), or says `hasgroups`.
pub fn has_groups_overage(claims: &Claims) -> bool {
    let is_elsewhere = claims.get("_claim_names").and_then(|names| names.get("groups")).is_some();
    let has_groups = claims.get("hasgroups").is_some_and(|has| has == true || has == "true");
    is_elsewhere || has_groups
}

/// The size of a JSON value without its text, in bytes: the value itself, and its place in a list or an object.
const VALUE_BYTES: usize = 64;

/// The approximate memory of a JSON value in bytes. The recursion is bounded, because parsed JSON has a bounded depth.
fn weight(value: &Value) -> usize {
    VALUE_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(elements) => elements.iter().map(weight).sum(),
            Value::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        }
}
