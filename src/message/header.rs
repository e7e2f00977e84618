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
    "proxy",       // CGI reads it as HTTP_PROXY
    "script-name", // WSGI and CGI: moves the path (a rule would have seen another)
    "path-info",
    "path-translated",
    "request-uri",
    "remote-addr",
    "remote-host",
    "remote-port",
    "server-name",
    "server-port",
    "x-script-name",
    "x-forwarded-protocol",
    "x-url-scheme",
    "front-end-https",
    "x-sendfile-type",
    "x-accel-mapping",
    "x-accel-redirect",
    "remote-groups",
    "remote-email",
    "remote-name",
    "x-auth-email",
    "x-auth-groups",
    "x-remote-groups",
    "x-remote-email",
    "x-goog-authenticated-user-email",
    "x-goog-authenticated-user-id",
    "x-goog-iap-jwt-assertion",
    "x-ms-client-principal",
    "x-ms-client-principal-id",
    "x-ms-client-principal-name",
    "x-ms-client-principal-idp",
    "cf-access-authenticated-user-email",
    "cf-access-jwt-assertion",
    "oidc-claim-sub",
    "oidc-claim-email",
    "oidc-claim-groups",
    "oidc-access-token",
];

/// Names that may come in a request's head, but not after its body: a target that merges the two would let the end of a
/// request overrule its beginning (RFC 9110 §6.5.1).
const ONLY_IN_THE_HEAD: &[&str] = &[
    "x-forwarded-for",
    "x-amzn-trace-id",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "max-forwards",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Which header names a client may not set.
///
/// CGI and WSGI turn everything that is not a letter or digit into `_` and upper-case the rest, so that `X_Forwarded_User`
/// and `X.Forwarded.User` are `X-Forwarded-User` to such an application (CVE-2025-64484, CVE-2026-88011). No client needs
/// another character than letters, digits and `-` in a name: a header with one is dropped, whatever it says, and what is
/// left has one spelling.
#[derive(Clone, Debug)]
pub(crate) struct Protected {
    names: HashSet<Box<[u8]>>,
    /// For each first letter, bit `n` is set where a protected name of it has `n` bytes: nearly every other name is told
    /// apart by this alone.
    lengths: [u64; 128],
}

impl Protected {
    /// The built-in names, and `more` that the configuration makes ours (claims mapped to headers).
    pub(crate) fn new<'n>(more: impl IntoIterator<Item = &'n HeaderName>) -> Self {
        let mut protected = Self { names: HashSet::new(), lengths: [0; 128] };
        let more = more.into_iter().map(HeaderName::as_str);
        for name in NEVER_FROM_A_CLIENT.iter().copied().chain(more) {
            // Of a name of ours with another character the spelling with `-` is what a client could send.
            let name: Box<[u8]> = name.bytes().map(|byte| if is_plain(byte) { byte } else { b'-' }).collect();
            protected.lengths[usize::from(name[0] & 0x7f)] |= 1_u64 << name.len().min(63);
            protected.names.insert(name);
        }
        protected
    }

    /// Whether a client may not send `name`.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        if !name.iter().copied().all(is_plain) {
            return true;
        }
        let may_be_ours = self.lengths[usize::from(name[0] & 0x7f)] & (1 << name.len().min(63)) != 0;
        may_be_ours && self.names.contains(name)
    }

    /// Removes every protected name.
    pub(crate) fn strip(&self, headers: &mut HeaderMap) {
        remove_all(headers, |name| self.contains(name));
    }

    /// Removes from trailers every protected name, and what means something only in a header section.
    pub(crate) fn strip_trailers(&self, trailers: &mut HeaderMap) {
        remove_all(trailers, |name| self.contains(name) || ONLY_IN_THE_HEAD.contains(&name.as_str()));
    }
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Removes what `is_refused` says. Nearly always there is nothing, and the map is only read.
fn remove_all(headers: &mut HeaderMap, is_refused: impl Fn(&HeaderName) -> bool) {
    let refused: Vec<HeaderName> = headers.keys().filter(|name| is_refused(name)).cloned().collect();
    for name in refused {
        headers.remove(name);
    }
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
    remove_all(headers, is_hop_by_hop);
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    *name == header::TE
        || *name == header::TRANSFER_ENCODING
        || *name == header::UPGRADE
        || *name == header::PROXY_AUTHENTICATE
        || *name == header::PROXY_AUTHORIZATION
        || *name == KEEP_ALIVE
        || *name == PROXY_CONNECTION
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
