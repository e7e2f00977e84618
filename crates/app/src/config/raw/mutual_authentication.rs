//! `mutual_authentication` of a listener, and `trust_stores`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::List;

/// Certificates of clients (mutual TLS) on an `https` listener. With `passthrough` and `verify`, clients cannot resume TLS sessions: each
/// connection is verified anew.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MutualAuthentication {
    /// Whether clients are asked for certificates.
    #[serde(default)]
    pub(crate) mode: Mode,
    /// With `verify`: the name of an entry in `trust_stores`. Required then.
    pub(crate) trust_store: Option<String>,
    /// With `verify`: accepts the certificate of a client also after it has expired. Those of authorities must be valid.
    #[serde(default)]
    pub(crate) ignore_client_certificate_expiry: bool,
    /// With `verify`: whether clients are told the names of the authorities in `trust_store`. Browsers then offer only certificates of these.
    #[serde(default)]
    pub(crate) advertise_trust_store_ca_names: Advertise,
    /// Other names for the headers that targets receive. Requests of clients lose them on every listener, as they lose
    /// the headers with the usual names.
    #[serde(default)]
    pub(crate) header_names: HeaderNames,
}

/// Whether clients are asked for certificates.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    /// Clients are not asked for certificates.
    #[default]
    Off,
    /// A client may show any certificate, or none. Targets receive its chain in `X-Amzn-Mtls-Clientcert` and must verify it. It identifies
    /// nobody here.
    Passthrough,
    /// A client must show a certificate of an authority in `trust_store`; the handshake fails otherwise. Targets receive
    /// `X-Amzn-Mtls-Clientcert-Serial-Number`, `-Issuer`, `-Subject`, `-Validity` and `-Leaf`. `client_certificate` of `authorize` can ask for it.
    Verify,
}

/// Whether clients are told the names of the authorities.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Advertise {
    /// They are not.
    #[default]
    Off,
    /// They are.
    On,
}

/// Names of the headers that targets receive.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeaderNames {
    /// With `passthrough`: the chain.
    #[schemars(extend("x-default" = "`X-Amzn-Mtls-Clientcert`"))]
    pub(crate) clientcert: Option<String>,
    /// The serial number, in hexadecimal digits.
    #[schemars(extend("x-default" = "`X-Amzn-Mtls-Clientcert-Serial-Number`"))]
    pub(crate) clientcert_serial_number: Option<String>,
    /// The issuer, as RFC 4514 writes it.
    #[schemars(extend("x-default" = "`X-Amzn-Mtls-Clientcert-Issuer`"))]
    pub(crate) clientcert_issuer: Option<String>,
    /// The subject, as RFC 4514 writes it.
    #[schemars(extend("x-default" = "`X-Amzn-Mtls-Clientcert-Subject`"))]
    pub(crate) clientcert_subject: Option<String>,
    /// The validity: `NotBefore=…;NotAfter=…`.
    #[schemars(extend("x-default" = "`X-Amzn-Mtls-Clientcert-Validity`"))]
    pub(crate) clientcert_validity: Option<String>,
    /// The certificate, as PEM with URL encoding.
    #[schemars(extend("x-default" = "`X-Amzn-Mtls-Clientcert-Leaf`"))]
    pub(crate) clientcert_leaf: Option<String>,
}

impl HeaderNames {
    /// The names that are set, with their keys.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let all = [
            ("clientcert", &self.clientcert),
            ("clientcert_serial_number", &self.clientcert_serial_number),
            ("clientcert_issuer", &self.clientcert_issuer),
            ("clientcert_subject", &self.clientcert_subject),
            ("clientcert_validity", &self.clientcert_validity),
            ("clientcert_leaf", &self.clientcert_leaf),
        ];
        all.into_iter().filter_map(|(key, name)| Some((key, name.as_ref()?)))
    }
}

/// Authorities whose certificates identify clients.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TrustStore {
    /// PEM files with the certificates of the authorities. An intermediate authority may be listed without its root: then only
    /// its certificates are accepted. `check` warns if one has expired.
    pub(crate) ca_files: List<String>,
    /// Files with lists of revoked certificates (CRLs), in PEM or DER form; one for each authority. A new file is used for new connections, and
    /// for the next request of each open one. From its next update on, a list is out of date, and clients with certificates of its authority are
    /// refused: alert on `vestibule_crl_next_update_timestamp_seconds`. `check` warns.
    #[serde(default)]
    pub(crate) crl_files: List<String>,
    /// With `crl_files`: what becomes of a certificate whose authority has no list. Also asked of intermediate certificates.
    #[serde(default)]
    pub(crate) certificates_without_crl: WithoutCrl,
}

/// What becomes of a certificate whose authority has no list of revoked certificates.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum WithoutCrl {
    /// It is refused.
    #[default]
    Refuse,
    /// It is accepted, as the AWS load balancer does.
    Accept,
}
