//! `claims`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, OneOrMany};

/// What targets are told about a user who signed in: `x-amzn-oidc-identity`, `x-amzn-oidc-data`, `x-amzn-oidc-accesstoken`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claims {
    /// The `signer` of the signed claims. Names this deployment; applications check it: `arn:vestibule:dashboard`.
    pub(crate) signer: String,
    /// How the signed claims are written. Default: `jwt`.
    #[serde(default)]
    pub(crate) format: Format,
    /// The P-256 private key that signs, in PEM form, as `vestibule keys signing` makes it. All replicas need the same.
    pub(crate) signing_key_file: String,
    /// Keys that signed before, or will: still published, never signing.
    #[serde(default)]
    pub(crate) previous_key_files: List<String>,
    /// Whether targets get the access token (`x-amzn-oidc-accesstoken`). Default: true.
    pub(crate) access_token_header: Option<bool>,
    /// More headers, each with the claim it carries: `x-forwarded-email: email`. Dots lead into objects
    /// (`realm_access.roles`); a list of steps does the same for names with dots in them. A header's name has letters, digits
    /// and `-` only, and no client may set it, under any spelling.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, OneOrMany>,
}

/// How the signed claims are written.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    /// A standard JWT.
    #[default]
    Jwt,
    /// The load balancer's exact bytes, for code that verifies those.
    Alb,
}
