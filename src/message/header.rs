//! Header names we own, hop-by-hop removal, and the folding of names that a gateway behind us could take for ours.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, header};

/// `x-amzn-oidc-identity` (spec §4.1): the user's `sub`.
pub(crate) const OIDC_IDENTITY: HeaderName = HeaderName::from_static("x-amzn-oidc-identity");
/// `x-amzn-oidc-data` (spec §4.1): the signed claims.
pub(crate) const OIDC_DATA: HeaderName = HeaderName::from_static("x-amzn-oidc-data");
/// `x-amzn-oidc-accesstoken` (spec §4.1).
pub(crate) const OIDC_ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-amzn-oidc-accesstoken");
/// `x-amzn-trace-id` (spec §10.3).
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// `x-forwarded-for` (spec §10.2).
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `x-forwarded-proto` (spec §10.2).
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `x-forwarded-port` (spec §10.2).
pub(crate) const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// `x-forwarded-host`: the host that the client named.
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");

/// Names that say who the user is, where the request came from, or which path was meant, to some application: a client may
/// set none of them (attacks H-01…H-15, F-02…F-05, P-19, P-20).
const NEVER_FROM_A_CLIENT: &[&str] = &[
    "x-amzn-oidc-identity",
    "x-amzn-oidc-data",
    "x-amzn-oidc-accesstoken",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
    "x-amzn-mtls-clientcert-leaf",
    "x-amzn-tls-version",
    "x-amzn-tls-cipher-suite",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-proto",
    "x-forwarded-port",
    "x-forwarded-host",
    "x-forwarded-server",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "x-forwarded-prefix",
    "x-forwarded-path",
    "x-forwarded-uri",
    "x-forwarded-method",
    "forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-original-url",
    "x-original-uri",
    "x-original-host",
    "x-original-method",
    "x-original-path",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-envoy-original-path",
    "x-envoy-internal",
    "x-envoy-external-address",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-request-access-token",
    "x-auth-request-redirect",
    "x-authenticated-user",
    "x-auth-user",
    "x-remote-user",
    "remote-user",
    "x-webauth-user",
    "x-client-cert",
    "x-ssl-client-cert",
    "ssl-client-cert",
    "ssl-client-s-dn",
    "x-ssl-client-s-dn",
    "true-client-ip",
    "cf-connecting-ip",
    "fastly-client-ip",
    "proxy", // CGI reads it as HTTP_PROXY
];

/// Names that a client may send, or that we write anew, but only so spelled: an application that folds names would take
/// `X_Forwarded_For` for what we have written, and `Transfer_Encoding` for the framing of the body.
const ONLY_SO_SPELLED: &[&str] =
    &["x-forwarded-for", "x-amzn-trace-id", "content-length", "content-type", "transfer-encoding"];

/// Which header names a client may not set, under every spelling that an application could fold to the same name.
///
/// CGI and WSGI turn everything that is not a letter or digit into `_` and upper-case the rest, so two names that fold to
/// the same string are one name to such an application (CVE-2025-64484, CVE-2026-88011).
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    folded: HashSet<Box<[u8]>>,
    /// Bit `n` is set where a protected name has `n` bytes: most names are told apart by this alone.
    lengths: u64,
}

impl Protected {
    /// The built-in names, and `more` that the configuration makes ours (claims mapped to headers).
    pub(crate) fn new<'n>(more: impl IntoIterator<Item = &'n HeaderName>) -> Self {
        let more: Vec<&str> = more.into_iter().map(HeaderName::as_str).collect();
        let mut folded = HashSet::new();
        let mut lengths = 0;
        for name in NEVER_FROM_A_CLIENT.iter().chain(ONLY_SO_SPELLED).copied().chain(more) {
            lengths |= 1_u64 << name.len().min(63);
            folded.insert(name.bytes().map(fold).collect());
        }
        Self { folded, lengths }
    }

    /// Whether a client may not send `name`: it is a protected name, or another spelling of one.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.folds_to_ours(name) && !ONLY_SO_SPELLED.contains(&name.as_str())
    }

    fn folds_to_ours(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        if self.lengths & (1 << name.len().min(63)) == 0 {
            return false;
        }
        let mut buffer = [0_u8; 64];
        match buffer.get_mut(..name.len()) {
            Some(folded) => {
                folded.iter_mut().zip(name).for_each(|(to, from)| *to = fold(*from));
                self.folded.contains(&*folded)
            }
            None => self.folded.contains(name.iter().copied().map(fold).collect::<Vec<_>>().as_slice()),
        }
    }

    /// Removes every protected name.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        // Nearly always there is none, and the map is only read.
        while let Some(name) = headers.keys().find(|name| self.contains(name)).cloned() {
            headers.remove(name);
        }
    }

    /// Removes from trailers every protected name, and what means something only in a header section (RFC 9110 §6.5.1):
    /// a target that merges the two would let the end of a request overrule its beginning.
    pub(crate) fn strip_trailers(&self, trailers: &mut HeaderMap) {
        let is_refused = |name: &HeaderName| {
            self.folds_to_ours(name)
                || *name == header::COOKIE
                || *name == header::AUTHORIZATION
                || *name == header::HOST
        };
        while let Some(name) = trailers.keys().find(|name| is_refused(name)).cloned() {
            trailers.remove(name);
        }
    }
}

const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'_' }
}

/// Removes what concerns one connection only (RFC 9110 §7.6.1), and what a client's `Connection` names besides, except
/// names that are end-to-end whatever a client says (attacks H-10).
///
/// Runs before anything of ours is added, so that a client cannot have it removed.
pub(crate) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(connection) = headers.get(header::CONNECTION) {
        let plain = |value: &[u8]| value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close");
        if !plain(connection.as_bytes()) || headers.get_all(header::CONNECTION).iter().nth(1).is_some() {
            let named: Vec<HeaderName> = headers
                .get_all(header::CONNECTION)
                .iter()
                .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
                .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
                .filter(|name| !is_end_to_end(name))
                .collect();
            for name in named {
                headers.remove(name);
            }
        }
        headers.remove(header::CONNECTION);
    }
    for name in [
        header::TE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
        header::PROXY_AUTHENTICATE,
        header::PROXY_AUTHORIZATION,
    ] {
        headers.remove(name);
    }
}

/// Names that `Connection` may not have removed: the request would mean something else without them.
fn is_end_to_end(name: &HeaderName) -> bool {
    *name == header::HOST
        || *name == header::COOKIE
        || *name == header::AUTHORIZATION
        || *name == header::CONTENT_LENGTH
        || *name == header::CONTENT_TYPE
        || *name == header::CACHE_CONTROL
        || *name == header::ORIGIN
        || name.as_str().starts_with("x-")
}

#[cfg(test)]
mod tests;
