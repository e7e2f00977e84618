//! Reads how a question describes a request.
//!
//! Each proxy has its own headers for this. Only those are read, and each must be there exactly once: a client may have sent another one
//! (attacks F-02, F-05, F-07). There is no default for a part that is missing.

use std::net::IpAddr;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};

use crate::forward_auth::settings::AskedBy;
use crate::message::Request;
use crate::message::forwarded::Policy;
use crate::message::header::{FORWARDED_HOST, FORWARDED_PROTO};
use crate::message::uri::Scheme;

const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const ORIGINAL_METHOD: HeaderName = HeaderName::from_static("x-original-method");
const ORIGINAL_URL: HeaderName = HeaderName::from_static("x-original-url");

/// The request that a question is about, as the proxy describes it. The host and the path are not canonical yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) method: Method,
    pub(crate) scheme: Scheme,
    pub(crate) host: HeaderValue,
    pub(crate) target: PathAndQuery,
    pub(crate) client: IpAddr,
}

/// Why a description is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    #[error("the question has no `{0}`")]
    Missing(&'static str),
    #[error("the question has `{0}` more than once")]
    Twice(&'static str),
    #[error("`{0}` of the question cannot be read")]
    Invalid(&'static str),
}

impl Described {
    /// Reads a question of `asked_by`. `below` is the path of the question after the path of the endpoint. Only Envoy has something there.
    ///
    /// # Errors
    ///
    /// [`Error`].
    pub(crate) fn of(asked_by: AskedBy, below: &str, request: &Request, policy: &Policy) -> Result<Self, Error> {
        let headers = request.headers();
        // A question without an address must not count as one of the proxy's own (attacks F-08).
        let client = match headers.contains_key("x-forwarded-for") {
            true => policy.named_client(headers).ok_or(Error::Invalid("X-Forwarded-For"))?,
            false => return Err(Error::Missing("X-Forwarded-For")),
        };
        let (method, scheme, host, target) = match asked_by {
            AskedBy::Nginx => {
                let method = method(one(headers, &ORIGINAL_METHOD, "X-Original-Method")?, "X-Original-Method")?;
                let (scheme, host, target) = parts(one(headers, &ORIGINAL_URL, "X-Original-URL")?)?;
                (method, scheme, host, target)
            }
            AskedBy::Traefik | AskedBy::Caddy => (
                method(one(headers, &FORWARDED_METHOD, "X-Forwarded-Method")?, "X-Forwarded-Method")?,
                scheme(headers)?,
                one(headers, &FORWARDED_HOST, "X-Forwarded-Host")?.clone(),
                target(one(headers, &FORWARDED_URI, "X-Forwarded-Uri")?.as_bytes(), "X-Forwarded-Uri")?,
            ),
            // The head of a call describes nothing: see `check`.
            AskedBy::EnvoyGrpc => return Err(Error::Missing("the message")),
            AskedBy::Envoy => {
                (request.method().clone(), scheme(headers)?, host(request)?, target(below.as_bytes(), "the path")?)
            }
        };
        Ok(Self { method, scheme, host, target, client })
    }

    /// Makes the question the request that it is about. The headers are those of the client already: each of these proxies copies them.
    pub(crate) fn put_into(self, request: &mut Request) {
        *request.method_mut() = self.method;
        *request.uri_mut() = Uri::from(self.target);
        request.headers_mut().insert(header::HOST, self.host);
    }
}

/// The only field of a name.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName, written: &'static str) -> Result<&'h HeaderValue, Error> {
    let mut fields = headers.get_all(name).iter();
    let first = fields.next().ok_or(Error::Missing(written))?;
    if fields.next().is_some() {
        return Err(Error::Twice(written));
    }
    if first.is_empty() { Err(Error::Missing(written)) } else { Ok(first) }
}

fn method(value: &HeaderValue, written: &'static str) -> Result<Method, Error> {
    Method::from_bytes(value.as_bytes()).map_err(|_| Error::Invalid(written))
}

/// `X-Forwarded-Proto`. Traefik writes `ws` and `wss` for a WebSocket (RFC 6455 §11.1).
fn scheme(headers: &HeaderMap) -> Result<Scheme, Error> {
    match one(headers, &FORWARDED_PROTO, "X-Forwarded-Proto")?.as_bytes() {
        b"https" | b"wss" => Ok(Scheme::Https),
        b"http" | b"ws" => Ok(Scheme::Http),
        _ => Err(Error::Invalid("X-Forwarded-Proto")),
    }
}

/// The host of the question itself: of its target over HTTP/2, else of its `Host`.
fn host(request: &Request) -> Result<HeaderValue, Error> {
    let Some(authority) = request.uri().authority() else {
        return one(request.headers(), &header::HOST, "Host").cloned();
    };
    if request.headers().get(header::HOST).is_some_and(|host| host.as_bytes() != authority.as_str().as_bytes()) {
        return Err(Error::Twice("Host"));
    }
    HeaderValue::from_str(authority.as_str()).map_err(|_| Error::Invalid("Host"))
}

/// The path and the query, exactly as written. A library that cuts off a fragment must not decide where the path ends (attacks P-03).
pub(super) fn target(text: &[u8], written: &'static str) -> Result<PathAndQuery, Error> {
    let parsed = PathAndQuery::try_from(text).map_err(|_| Error::Invalid(written))?;
    let is_whole = parsed.as_str().as_bytes() == text && text.first() == Some(&b'/');
    if is_whole { Ok(parsed) } else { Err(Error::Invalid(written)) }
}

/// The parts of `X-Original-URL`: `$scheme://$http_host$request_uri`. The host comes from the client, so it ends at the first character
/// that no host has, and that must be the slash of the path. Else a `Host: app.test?x` would put the path into the query.
fn parts(url: &HeaderValue) -> Result<(Scheme, HeaderValue, PathAndQuery), Error> {
    const WRITTEN: &str = "X-Original-URL";
    let url = url.as_bytes();
    let (scheme, rest) = if let Some(rest) = url.strip_prefix(b"https://") {
        (Scheme::Https, rest)
    } else if let Some(rest) = url.strip_prefix(b"http://") {
        (Scheme::Http, rest)
    } else {
        return Err(Error::Invalid(WRITTEN));
    };
    let is_of_host =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b':' | b'[' | b']');
    let end = rest.iter().position(|byte| !is_of_host(byte)).ok_or(Error::Invalid(WRITTEN))?;
    let host = HeaderValue::from_bytes(&rest[..end]).map_err(|_| Error::Invalid(WRITTEN))?;
    if host.is_empty() {
        return Err(Error::Invalid(WRITTEN));
    }
    Ok((scheme, host, target(&rest[end..], WRITTEN)?))
}
