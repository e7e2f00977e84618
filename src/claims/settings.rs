//! Validated settings of the headers that tell the target who the user is.

use http::HeaderName;

use crate::jose::signing_key::{PublicKey, SigningKey};

/// What the target is told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The `signer` member: names this deployment; applications check it (spec §4.3).
    pub(crate) signer: String,
    /// How the signed claims are written.
    pub(crate) format: Format,
    /// Signs.
    pub(crate) signing_key: SigningKey,
    /// Keys that signed before, or will: still published, never signing.
    pub(crate) other_keys: Vec<PublicKey>,
    /// Whether the target gets `x-amzn-oidc-accesstoken`.
    pub(crate) access_token_header: bool,
    /// Claims as headers of their own.
    pub(crate) claim_headers: Vec<ClaimHeader>,
}

/// How the signed claims are written (DESIGN §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// A standard JWT: unpadded base64url, `aud` and `exp` in the payload.
    #[default]
    Jwt,
    /// The ALB's exact bytes: padded segments that are part of the signing input (spec §4.2).
    Alb,
}

/// One claim in one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimHeader {
    /// The header; a client's own is always stripped.
    pub(crate) header: HeaderName,
    /// The path to the claim, one member name for each step: `["realm_access", "roles"]`.
    pub(crate) claim: Vec<String>,
}
