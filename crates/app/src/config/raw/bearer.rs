//! `jwt-validation`, and `bearer` of `session-or-bearer`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::List;

/// ALB §8.1.
pub(crate) const ADDITIONAL_CLAIMS_MAX: usize = 10;
/// ALB §8.1.
pub(crate) const CLAIM_VALUES_MAX: usize = 10;
/// ALB §8.1, in characters.
pub(crate) const CLAIM_VALUE_LENGTH_MAX: usize = 256;

/// Which bearer tokens are accepted: who issues them, and what they must say. The issuer is one of `provider`, `user_pool`, and `issuer`
/// with `jwks_endpoint`.
///
/// A JWT must have `iss`, `exp` and `sub`, and the answer about an opaque token `sub`. Without `sub`, a token is refused: targets could not be told
/// whose request it is. `exp`, `nbf` and `iat` of a JWT are compared with a leeway of one minute, so it is accepted until a minute after its `exp`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "audiences": "use `audience`, with a list",
    "aud": "use `audience`, with a list",
    "jwks_uri": "use `jwks_endpoint`",
    "scopes": "use `scope`, with spaces between the scopes",
    "introspection_endpoint": "set it for the provider, in `identity_providers`",
    "introspection": "use `validation: introspection`",
    "client_id": "use `public_client_id`, which programs are told; to require one, `additional_claims`",
}))]
pub(crate) struct Bearer {
    /// The name of an entry in `identity_providers`, whose tokens are accepted. Its keys are found by discovery.
    pub(crate) provider: Option<String>,
    /// Who says whether a token is valid. For all but `jwt`, the tokens are those of a provider in `identity_providers`, which has a client secret.
    pub(crate) validation: Validation,
    /// The name of an entry in `user_pools`, whose access tokens are accepted.
    pub(crate) user_pool: Option<String>,
    /// The issuer of the tokens, exactly as in their claim `iss`. Needs `jwks_endpoint`.
    pub(crate) issuer: Option<String>,
    /// URL of the key set (JWKS) of `issuer`.
    pub(crate) jwks_endpoint: Option<String>,
    /// PEM file with certificate authorities that are trusted for `jwks_endpoint` in addition to those of the system.
    pub(crate) ca_file: Option<String>,
    /// The audiences that this application has: the claim `aud` of a token must name one of them. Without it, `aud` is not looked at,
    /// and tokens for other applications of the issuer are accepted; `check` warns.
    pub(crate) audience: List<String>,
    /// Scopes, separated by spaces. A token must have all of them in its claim `scope` or `scp`; otherwise the answer is 403. Without
    /// it, none is required.
    pub(crate) scope: Option<String>,
    /// Which kind of token is accepted. Of a token that the provider is asked about, only `access` is.
    pub(crate) token_type: TokenType,
    /// Algorithms of signatures that are accepted: `[RS256, ES256]`. If empty, `RS256`, `RS384`, `RS512`, `PS256`, `PS384`,
    /// `PS512`, `ES256`, `ES384`, `ES512` and `EdDSA`.
    pub(crate) algorithms: List<String>,
    /// Path of the resource that tokens are for: `/mcp`. The address of the host with this path is the `resource` that clients ask tokens for
    /// (RFC 8707). Clients find the issuer at `/.well-known/oauth-protected-resource` with this path behind it (RFC 9728), which is
    /// answered on every host that the rule can match. Without it, the whole host. Two rules of a host with different issuers need different
    /// paths: otherwise there is no metadata for either, and `check` warns.
    pub(crate) resource_path: Option<String>,
    /// The client ID with which command-line programs sign in at the issuer, as `vestibule login` does: a client without a secret, whose
    /// redirect URI is `http://127.0.0.1/callback`. It is no secret. The metadata has it as `vestibule_client_id`. Without it, such programs
    /// have to be told, or register themselves.
    pub(crate) public_client_id: Option<String>,
    /// Scopes, separated by spaces, that clients should ask for: `openid groups`. No token has to have them. The metadata has them, and those of
    /// `scope`, as `scopes_supported`. For rules whose `authorize` asks for claims that a scope brings.
    pub(crate) suggested_scope: Option<String>,
    /// Claims that a token must have, each with one of its values.
    #[schemars(extend("x-bound" = format!("At most {ADDITIONAL_CLAIMS_MAX} claims.")))]
    pub(crate) additional_claims: List<AdditionalClaim>,
}

/// Who says whether a token is valid.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Validation {
    /// The keys of the issuer: the tokens are JWTs. A token that the issuer revokes is accepted until it expires.
    #[default]
    Jwt,
    /// The provider, which is asked about each token (RFC 7662): the tokens need not be JWTs. Its answer is used again for `introspection_cache` of the
    /// provider, so a token that it revokes is accepted for as long at most. If it does not answer, the answer to the request is 503.
    Introspection,
    /// The keys for a token that has the form of a JWT, which is three parts with dots between them; the provider for any other. A JWT that
    /// is not valid is refused, and the provider is not asked about it.
    Auto,
}

/// Which kind of token is accepted.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
pub(crate) enum TokenType {
    /// A JWT, unless it says that it is an ID token, a refresh token or a logout token.
    #[default]
    #[serde(rename = "access")]
    Access,
    /// An access token with the type `at+jwt` (RFC 9068).
    #[serde(rename = "at+jwt")]
    AtJwt,
    /// An ID token of OpenID Connect. Needs `audience`: the client IDs whose ID tokens are accepted.
    #[serde(rename = "id")]
    Id,
}

/// A claim that a token must have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdditionalClaim {
    /// Name of the claim. `exp`, `iss`, `nbf` and `iat` are not allowed, because they are checked in any case.
    pub(crate) name: String,
    /// How the claim is written.
    pub(crate) format: ClaimFormat,
    /// The claim must have one of these values, compared exactly.
    #[schemars(extend("x-bound" = format!(
        "1 to {CLAIM_VALUES_MAX} values of at most {CLAIM_VALUE_LENGTH_MAX} characters."
    )))]
    pub(crate) values: List<String>,
}

/// How a claim is written.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ClaimFormat {
    /// A text, which is one of the values.
    SingleString,
    /// A list of texts, one of which is one of the values.
    StringArray,
    /// A text of words with spaces between them, one of which is one of the values.
    SpaceSeparatedValues,
}
