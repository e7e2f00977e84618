//! Header names that only Vestibule may set, the removal of hop-by-hop headers, and other spellings of names that a gateway
//! behind us could confuse with ours.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

/// `x-amzn-oidc-identity` (ALB §4.1): the user's `sub`.
pub const OIDC_IDENTITY: HeaderName = HeaderName::from_static("x-amzn-oidc-identity");
/// `x-amzn-oidc-data` (ALB §4.1): the signed claims.
pub const OIDC_DATA: HeaderName = HeaderName::from_static("x-amzn-oidc-data");
/// `x-amzn-oidc-accesstoken` (ALB §4.1).
pub const OIDC_ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-amzn-oidc-accesstoken");
/// `x-amzn-trace-id` (ALB §10.3).
pub const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");
/// `x-forwarded-for` (ALB §10.2).
pub const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// `x-forwarded-proto` (ALB §10.2).
pub const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
/// `x-forwarded-port` (ALB §10.2).
pub const FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");
/// `x-forwarded-host`: the host that the client named.
pub const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
/// `x-forwarded-prefix`: the part of the path that a proxy in front of us has removed.
pub const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");

/// Names that tell some application who the user is, where the request came from, or which path is meant. A client may set
/// none of them (attacks H-01…H-15, F-02…F-05, P-19, P-20).
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

/// Hop-by-hop fields: they concern one connection, or the framing of one message on it (RFC 9110 §7.6.1, RFC 9113 §8.2.2).
/// They are removed from the head and the trailers of every message that we pass on, in both directions and with both
/// protocols. The fields that the next connection needs are written anew.
///
/// `Connection` itself is handled separately, because it names more fields. `Content-Length` is not in this list: the reader
/// of the body needs it in the head, and the writer of the message writes the length of the actual body.
const OF_THE_CONNECTION: &[&str] = &[
    "te",
    "transfer-encoding",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "http2-settings",
];

/// Names that are allowed in a head but not in trailers, in addition to [`OF_THE_CONNECTION`]. In a recipient that merges
/// trailers into the head, the end of a message would override its beginning (RFC 9110 §6.5.1).
const ONLY_IN_THE_HEAD: &[&str] = &[
    "connection",
    "x-forwarded-for",
    "x-amzn-trace-id",
    "age",
    "authorization",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-security-policy",
    "content-type",
    "cookie",
    "date",
    "expect",
    "expires",
    "host",
    "location",
    "max-forwards",
    "pragma",
    "range",
    "refresh",
    "retry-after",
    "set-cookie",
    "strict-transport-security",
    "trailer",
    "vary",
    "www-authenticate",
];

/// Which header names a client may not set.
///
/// CGI and WSGI turn every character that is not a letter or digit into `_`, and turn letters into upper case. To such an
/// application `X_Forwarded_User` and `X.Forwarded.User` are the same as `X-Forwarded-User` (CVE-2025-64484,
/// CVE-2026-88011). No client needs characters other than letters, digits and `-` in a name. So a header with another
/// character in its name is dropped, whatever its value, and every remaining name has one spelling.
#[derive(Clone, Debug)]
pub struct Protected {
    names: HashSet<Box<[u8]>>,
    /// For each first letter, bit `n` is set if a protected name with this letter has `n` bytes. This test alone rules out
    /// nearly every name that is not protected.
    lengths: [u64; 128],
}

impl Protected {
    /// The built-in names, and the names in `more`, which the configuration adds (claims mapped to headers).
    pub fn new<'n>(more: impl IntoIterator<Item = &'n HeaderName>) -> Self {
        let mut protected = Self { names: HashSet::new(), lengths: [0; 128] };
        let more = more.into_iter().map(HeaderName::as_str);
        for name in NEVER_FROM_A_CLIENT.iter().copied().chain(more) {
            // If a configured name has another character, only its spelling with `-` can come from a client.
            let name: Box<[u8]> = name.bytes().map(|byte| if is_plain(byte) { byte } else { b'-' }).collect();
            protected.lengths[usize::from(name[0] & 0x7f)] |= 1_u64 << name.len().min(63);
            protected.names.insert(name);
        }
        protected
    }

    /// Whether a client may not send `name`.
    pub fn contains(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        if !name.iter().copied().all(is_plain) {
            return true;
        }
        let may_be_ours = self.lengths[usize::from(name[0] & 0x7f)] & (1 << name.len().min(63)) != 0;
        may_be_ours && self.names.contains(name)
    }

    /// The protected names among these.
    #[inline(always)]
    pub fn among(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        headers.keys().filter(|name| self.contains(name)).cloned().collect()
    }

    /// Removes every protected name. Returns the removed fields that ask the target to use another method.
    pub fn strip(&self, headers: &mut HeaderMap) -> Vec<MethodOverride> {
        let refused = self.among(headers);
        let mut overrides = Vec::new();
        for name in refused {
            if is_method_override(&name) {
                let fields = headers.get_all(&name).iter();
                overrides.extend(fields.map(|method| MethodOverride { name: name.clone(), method: method.clone() }));
            }
            headers.remove(name);
        }
        overrides
    }
}

/// Removes from trailers the fields that are allowed only in a head, the hop-by-hop fields, and the fields for which
/// `is_refused` is true.
pub(crate) fn strip_trailers(trailers: &mut HeaderMap, is_refused: impl Fn(&HeaderName) -> bool) {
    let is_of_a_head = |name: &HeaderName| ONLY_IN_THE_HEAD.contains(&name.as_str()) || is_of_the_connection(name);
    remove_all(trailers, |name| is_of_a_head(name) || is_refused(name));
}

/// Whether a field's value begins or ends with a space or tab. HTTP/1.1 has no such values, because spaces around a value
/// are part of the syntax there. Over HTTP/2 such a message is malformed (RFC 9113 §8.2.1).
pub fn has_outer_blank(value: &HeaderValue) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    is_blank(value.as_bytes().first()) || is_blank(value.as_bytes().last())
}

/// A field that asks the target to use another method than the request's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MethodOverride {
    pub name: HeaderName,
    pub method: HeaderValue,
}

impl MethodOverride {
    /// Whether the field asks for the method that the request already has.
    pub fn is_of(&self, method: &Method) -> bool {
        self.method.as_bytes().eq_ignore_ascii_case(method.as_str().as_bytes())
    }

    /// Whether the name has the one spelling that may be passed on.
    pub fn is_plain(&self) -> bool {
        self.name.as_str().bytes().all(is_plain)
    }
}

/// Names by which applications let a request override its method (attacks P-19).
const METHOD_OVERRIDES: &[&str] = &["x-http-method", "x-http-method-override", "x-method-override"];

/// Whether an application could read this name as one of [`METHOD_OVERRIDES`], in any spelling.
fn is_method_override(name: &HeaderName) -> bool {
    let folded = name.as_str().bytes().map(|byte| if is_plain(byte) { byte } else { b'-' });
    METHOD_OVERRIDES.iter().any(|known| known.bytes().eq(folded.clone()))
}

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

/// Removes every field for which `is_refused` is true. Nearly always there is none, and the map is only read.
fn remove_all(headers: &mut HeaderMap, is_refused: impl Fn(&HeaderName) -> bool) {
    let refused: Vec<HeaderName> = headers.keys().filter(|name| is_refused(name)).cloned().collect();
    for name in refused {
        headers.remove(name);
    }
}

/// Removes the hop-by-hop fields from a head, and every field that `Connection` names (RFC 9110
/// §7.6.1). Returns the names in `Connection`, because trailers may not carry them either.
///
/// Runs before Vestibule adds its own fields, so that neither the client nor the target can have them removed (attacks H-10).
pub fn remove_hop_by_hop(headers: &mut HeaderMap) -> Vec<HeaderName> {
    let mut named = Vec::new();
    if let Some(connection) = headers.get(header::CONNECTION) {
        let plain = |value: &[u8]| value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close");
        if !plain(connection.as_bytes()) || headers.get_all(header::CONNECTION).iter().nth(1).is_some() {
            named.extend(
                headers
                    .get_all(header::CONNECTION)
                    .iter()
                    .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
                    .filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok())
                    .filter(|name| !is_end_to_end(name)),
            );
            for name in &named {
                headers.remove(name);
            }
        }
        headers.remove(header::CONNECTION);
    }
    remove_all(headers, is_of_the_connection);
    named
}

fn is_of_the_connection(name: &HeaderName) -> bool {
    // The first letter and the length rule out nearly every other name.
    let name = name.as_str();
    matches!(
        (name.as_bytes()[0], name.len()),
        (b't', 2 | 17) | (b'u', 7) | (b'k', 10) | (b'p', 16 | 18 | 19 | 25) | (b'h', 14)
    ) && OF_THE_CONNECTION.contains(&name)
}

/// Names that `Connection` cannot remove. Without them the message would have another meaning, or they tell who sent it.
fn is_end_to_end(name: &HeaderName) -> bool {
    *name == header::HOST
        || *name == header::COOKIE
        || *name == header::AUTHORIZATION
        || *name == header::CONTENT_LENGTH
        || *name == header::CONTENT_TYPE
        || *name == header::CACHE_CONTROL
        || *name == header::ORIGIN
        || *name == FORWARDED_FOR
        || *name == TRACE_ID
}

#[cfg(test)]
mod tests;
