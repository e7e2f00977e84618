//! `acme`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::List;

/// A certificate authority that issues certificates by ACME (RFC 8555), such as Let's Encrypt.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Acme {
    /// URL of the directory of the authority. Let's Encrypt: `https://acme-v02.api.letsencrypt.org/directory`; for tries
    /// `https://acme-staging-v02.api.letsencrypt.org/directory`.
    pub(crate) directory: String,
    /// Folder for the account and the certificates. It is created with mode 0700, the files in it with 0600. It must outlive the process:
    /// authorities limit how many certificates they issue for a name in a week.
    pub(crate) directory_path: String,
    /// Whether you agree to the terms of service of the authority. Must be `true`.
    pub(crate) terms_of_service_agreed: bool,
    /// Address for messages of the authority.
    pub(crate) email: Option<String>,
    /// PEM file with root certificates for calls to the directory, in addition to those of the system.
    pub(crate) ca_file: Option<String>,
    /// How the authority verifies that a name leads here.
    #[schemars(extend("x-default" = "`http-01` if there is an `http` listener, else `tls-alpn-01`"))]
    pub(crate) challenge: Option<Challenge>,
    /// Names to obtain certificates for, in addition to the host names without wildcard in `host_header` conditions of the listeners with
    /// `tls: auto` and the hosts of user pools.
    #[serde(default)]
    pub(crate) names: List<String>,
}

/// How the authority verifies that a name leads here.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// The authority requests `http://NAME/.well-known/acme-challenge/TOKEN` on port 80. An `http` listener answers.
    #[serde(rename = "http-01")]
    Http01,
    /// The authority makes a TLS handshake with `NAME` on port 443. The listener with `tls: auto` answers.
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}
