//! Validated settings of the headers that tell the target who the user is.

use http::HeaderName;

use crate::jose::signing_key::{PublicKey, SigningKey};

/// Settings of the headers with the user's claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The `signer` member of the signed claims. It identifies this deployment, and applications check it (ALB §4.3).
    pub signer: String,
    /// The format of the signed claims.
    pub format: Format,
    /// The key that signs the claims.
    pub signing_key: SigningKey,
    /// Keys that signed before, or will sign later. They are published but do not sign.
    pub other_keys: Vec<PublicKey>,
    /// Whether the target gets `x-amzn-oidc-accesstoken`.
    pub access_token_header: bool,
    /// Claims that are sent in headers of their own.
    pub claim_headers: Vec<ClaimHeader>,
    /// Maximum length of the value of each of the three built-in headers, in bytes.
    pub header_bytes_max: usize,
}

/// The format of the signed claims (DESIGN §4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// A standard JWT: unpadded base64url, `aud` and `exp` in the payload.
    #[default]
    Jwt,
    /// The ALB's exact bytes: padded segments that are part of the signing input (ALB §4.2).
    Alb,
}

/// One claim in one header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimHeader {
    /// The name of the header. A header of this name from a client is always removed.
    pub header: HeaderName,
    /// The path to the claim, one member name for each step: `["realm_access", "roles"]`.
    pub claim: Vec<String>,
    /// How the claim is written into the header.
    pub encoding: Encoding,
}

/// How a claim is written into a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// A list is one line of comma-separated values (RFC 4180). A value that contains a comma or a quote is in quotes.
    Csv,
    /// Compact JSON in ASCII.
    Json,
    /// A list is separated by commas. A comma inside a value is written as `%2C`.
    #[default]
    Percent,
    /// A list is one header field for each element.
    Repeated,
}
