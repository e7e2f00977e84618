//! Pure: builds the authorization request (OIDC Core §3.1.2.1, RFC 7636) and checks the issuer of the response.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::crypto::octets;
use crate::jose::mismatch::Mismatch;
use crate::message::form;
use crate::oidc::discovery::Metadata;
use crate::oidc::error::Error;
use crate::oidc::settings::{Binding, Settings};
use crate::secret::Secret;

/// The input of a sign-in.
#[derive(Clone, Debug)]
pub struct LoginRequest {
    /// The redirect URI.
    pub redirect_uri: String,
    /// The scopes, unchanged.
    pub scope: String,
    /// `state`: identifies the sign-in. Only the caller can create one.
    pub state: String,
    /// Further parameters of the authorization request, appended last.
    pub extra_params: BTreeMap<String, String>,
}

/// A sign-in that has started.
#[derive(Debug)]
pub struct Begun {
    /// The redirect to the provider.
    pub location: String,
    pub pending: Pending,
}

/// The values that must be kept, encrypted, between the redirect and the callback.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    pub state: String,
    /// `None` with `nonce: off`.
    pub(crate) nonce: Option<String>,
    /// `None` with `pkce: off`.
    pub(crate) code_verifier: Option<String>,
    /// The `max_age` that was asked for, in seconds. Absent in a login that an older version began.
    pub(crate) max_age: Option<u64>,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").finish_non_exhaustive()
    }
}

impl Pending {
    /// Creates the values: `state`, and random tokens as `settings` require.
    pub(crate) fn new(state: String, settings: &Settings) -> Self {
        let token_for = |binding| (binding == Binding::Required).then(octets::token);
        // RFC 7636 §4.1 recommends 256 bits: 43 characters of base64url.
        Self { state, nonce: token_for(settings.nonce), code_verifier: token_for(settings.pkce), max_age: None }
    }

    /// The same, for a caller that looks at `auth_time` by itself.
    pub fn without_max_age(self) -> Self {
        Self { max_age: None, ..self }
    }

    /// Whether it has what `settings` require. A sign-in that was started before a change of the settings may lack something.
    pub(crate) fn fits(&self, settings: &Settings) -> bool {
        let has = |binding, token: &Option<String>| binding == Binding::Off || token.is_some();
        has(settings.nonce, &self.nonce) && has(settings.pkce, &self.code_verifier)
    }
}

/// The authorization response. The caller has already matched its `state`.
#[derive(Debug)]
pub struct Callback {
    pub code: Secret<String>,
    /// `iss` (RFC 9207 §2).
    pub issuer: Option<String>,
}

/// Whether only this code may set a parameter of the authorization request (attacks C-10, C-16).
pub fn is_reserved_parameter(name: &str) -> bool {
    matches!(
        name,
        "client_id"
            | "redirect_uri"
            | "response_type"
            | "response_mode"
            | "scope"
            | "state"
            | "nonce"
            | "code_challenge"
            | "code_challenge_method"
            | "request"
            | "request_uri"
    )
}

/// Builds the authorization request: the protocol parameters in the order of the ALB (ALB §2.2), then the extra parameters.
pub(crate) fn begin(settings: &Settings, metadata: &Metadata, request: &LoginRequest) -> Result<Begun, Error> {
    if request.extra_params.keys().any(|name| is_reserved_parameter(name)) {
        return Err(Error::ReservedParameter);
    }
    // What cannot be read demands most.
    let max_age = request.extra_params.get("max_age").map(|seconds| seconds.parse().unwrap_or(0));
    let pending = Pending { max_age, ..Pending::new(request.state.clone(), settings) };
    // RFC 7636 §4.2. Not by `openidconnect`: it hashes with a crypto provider of its own.
    let challenge = |verifier: &String| URL_SAFE_NO_PAD.encode(octets::sha256(verifier.as_bytes()));
    let challenge = pending.code_verifier.as_ref().map(challenge);
    let always = [
        ("client_id", settings.client_id.as_str()),
        ("redirect_uri", &request.redirect_uri),
        ("response_type", "code"),
        ("scope", &request.scope),
        ("state", &pending.state),
    ];
    let nonce = pending.nonce.as_ref().map(|nonce| ("nonce", nonce.as_str()));
    let challenge =
        challenge.as_ref().map(|challenge| [("code_challenge", challenge.as_str()), ("code_challenge_method", "S256")]);
    let extras = request.extra_params.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let query = form::encode(always.into_iter().chain(nonce).chain(challenge.into_iter().flatten()).chain(extras));
    let endpoint = metadata.authorization_endpoint.as_str();
    Ok(Begun { location: with_query(endpoint, &query), pending })
}

/// Appends parameters to an endpoint. An existing query is kept (RFC 6749 §3.1).
pub(crate) fn with_query(endpoint: &str, query: &str) -> String {
    let separator = match endpoint.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some((_, own)) if own.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{endpoint}{separator}{query}")
}

/// Checks that the response came from the expected provider (RFC 9207 §2.4, attacks C-07).
pub(crate) fn check_issuer(expected: &str, metadata: &Metadata, callback: &Callback) -> Result<(), Error> {
    match &callback.issuer {
        Some(issuer) if issuer == expected => Ok(()),
        None if !metadata.has_issuer_parameter => Ok(()),
        found => Err(Error::IssuerMismatch(Mismatch::new(found.as_deref(), expected))),
    }
}
