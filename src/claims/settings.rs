//! Validated settings of the headers that tell the target who the user is.

use http::HeaderName;

use crate::jose::signing_key::{PublicKey, SigningKey};

/// What the target is told.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// The `signer` member: names this deployment; applications check it (ALB §4.3).
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
    /// Longest value of each of the three built-in headers, in bytes.
    pub(crate) header_bytes_max: usize,
}

/// How the signed claims are written (DESIGN §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// A standard JWT: unpadded base64url, `aud` and `exp` in the payload.
    #[default]
    Jwt,
    /// The ALB's exact bytes: padded segments that are part of the signing input (ALB §4.2).
    Alb,
}

/// One claim in one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClaimHeader {
    /// The header; a client's own is always stripped.
    pub(crate) header: HeaderName,
    /// The path to the claim, one member name for each step: `["realm_access", "roles"]`.
    pub(crate) claim: Vec<String>,
    /// How it is written.
    pub(crate) encoding: Encoding,
}

/// How a claim is written into a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// A list is one line of comma-separated values (RFC 4180): a value with a comma or a quote is in quotes.
    Csv,
    /// Compact JSON in ASCII.
    Json,
    /// A list is separated by commas; a comma inside of a text is `%2C`.
    #[default]
    Percent,
    /// A list is one header field for each element.
    Repeated,
}
