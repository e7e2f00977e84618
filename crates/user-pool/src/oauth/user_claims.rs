//! The claims of a user, by scope.

use crate::directory::user::User;
use crate::identity::ASKED_AT;
use crate::identity::Claims;

/// The claims of a scope (OIDC Core §5.4). `groups` is our own scope. Additional claims of the configuration belong to `profile`.
pub(crate) fn claims_of(user: &User, scope: &str) -> Claims {
    let has = |wanted: &str| scope.split(' ').any(|granted| granted == wanted);
    let mut claims = all_claims_of(user);
    claims.retain(|name, _| has(scope_of(name)));
    claims
}

/// Every claim of a user that is none of the protocol.
pub(crate) fn all_claims_of(user: &User) -> Claims {
    let mut claims = Claims::new();
    claims.insert("preferred_username".into(), user.preferred_username().into());
    let others = user.claims().iter().filter(|(name, _)| !PROTOCOL_CLAIMS.contains(&name.as_str()));
    claims.extend(others.map(|(name, value)| (name.clone(), value.clone())));
    claims
}

/// Whether a claim says something of the user, and is not one that every token has.
pub(crate) fn is_of_user(claim: &str) -> bool {
    claim == "preferred_username" || !PROTOCOL_CLAIMS.contains(&claim)
}

/// The scope of a claim (OIDC Core §5.4).
pub(crate) fn scope_of(claim: &str) -> &'static str {
    match claim {
        "email" | "email_verified" => "email",
        "groups" => "groups",
        "phone_number" | "phone_number_verified" => "phone",
        "address" => "address",
        _ => "profile",
    }
}

/// Claims of the protocol. The configuration of a user cannot set them (attacks U-10).
const PROTOCOL_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "auth_time",
    ASKED_AT,
    "nonce",
    "acr",
    "amr",
    "azp",
    "at_hash",
    "c_hash",
    "s_hash",
    "sid",
    "client_id",
    "scope",
    "grant",
    "preferred_username",
    "token_use",
    "version",
    "origin_jti",
    "event_id",
    "cognito:username",
    "cognito:groups",
];
