//! The request that is explained.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::{Map, Value};

use crate::jose::strict_json;
use crate::message::unread::{self, Look};
use crate::message::uri::Scheme;

/// A hypothetical request, and the user who sends it.
#[derive(Clone, Debug)]
pub(crate) struct Probe {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) client: IpAddr,
    pub(super) has_fragment: bool,
    /// The claims of the user, as in an ID token.
    pub(super) claims: Option<Map<String, Value>>,
    /// The claims of the bearer token that the request carries.
    pub(super) token: Option<Map<String, Value>>,
    /// What the client shows in the TLS handshake: its certificate first. Empty: none.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// A file has no certificate that could be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no certificate: write the certificate of the client as PEM (`-----BEGIN CERTIFICATE-----`), then those of the authorities above it"
)]
pub(crate) struct NotCertificates;

/// The reason why the text is not a request.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotARequest {
    /// Not a method and an absolute URL.
    #[error("`{0}` is not a request: write `GET https://host/path`")]
    Request(String),
    /// Not a header.
    #[error("`{0}` is not a header: write `Name: value`")]
    Header(String),
}

/// Why a text is not a set of claims. It is read as strictly as an ID token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotClaims {
    #[error("the file is empty: write the payload of an ID token as JSON, or what `/oauth2/userinfo` shows")]
    Empty,
    #[error("this looks like a JWT: decode it, and write its payload (the second of the three parts) as JSON")]
    Jwt,
    #[error("not JSON (line {line}, column {column})")]
    NotJson { line: usize, column: usize },
    #[error("not a JSON object: write the claims as `{{\"sub\": \"ada\", …}}`")]
    NotAnObject,
    #[error("two members of an object have the same name")]
    Repeated,
}

impl Probe {
    /// Parses `GET https://host/path?query`; the method is optional.
    ///
    /// # Errors
    ///
    /// [`NotARequest`].
    pub(crate) fn parse(request: &str, headers: &[String], client: Option<IpAddr>) -> Result<Self, NotARequest> {
        let not_a_request = || NotARequest::Request(request.to_owned());
        let (method, url) = request.trim().split_once(' ').unwrap_or(("GET", request.trim()));
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| not_a_request())?;
        let (url, has_fragment) = as_served(&method, url.trim());
        // `Uri` keeps the path as written; `Url` would normalize input that the proxy refuses.
        let uri: Uri = url.parse().map_err(|_| not_a_request())?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
            return Err(not_a_request());
        }
        let mut map = HeaderMap::new();
        for header in headers {
            let parsed = header.split_once(':').and_then(|(name, value)| {
                let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
                Some((name, HeaderValue::from_str(value.trim()).ok()?))
            });
            let (name, value) = parsed.ok_or_else(|| NotARequest::Header(header.clone()))?;
            map.append(name, value);
        }
        let client = client.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Self {
            method,
            uri,
            headers: map,
            client,
            has_fragment,
            claims: None,
            token: None,
            certificates: Vec::new(),
        })
    }

    /// The same request, of a user with these claims.
    ///
    /// # Errors
    ///
    /// [`NotClaims`].
    pub(crate) fn of_user(self, claims: &[u8]) -> Result<Self, NotClaims> {
        Ok(self.with_claims(Some(read_claims(claims)?), None))
    }

    /// The same request, with a bearer token that has these claims.
    ///
    /// # Errors
    ///
    /// [`NotClaims`].
    pub(crate) fn with_token(self, claims: &[u8]) -> Result<Self, NotClaims> {
        let token = Some(read_claims(claims)?);
        Ok(Self { token, ..self })
    }

    /// The same request, with the claims of a session and those of a bearer token.
    pub(crate) fn with_claims(self, claims: Option<Map<String, Value>>, token: Option<Map<String, Value>>) -> Self {
        Self { claims, token, ..self }
    }

    /// The same request, of a client that shows the certificates of a PEM file in the TLS handshake. Keys in the file are not read.
    ///
    /// # Errors
    ///
    /// [`NotCertificates`].
    pub(crate) fn with_certificates(self, pem: &[u8]) -> Result<Self, NotCertificates> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self { certificates, ..self }),
            _ => Err(NotCertificates),
        }
    }

    pub(super) fn scheme(&self) -> Scheme {
        if self.uri.scheme_str() == Some("https") { Scheme::Https } else { Scheme::Http }
    }

    pub(super) fn port(&self) -> u16 {
        self.uri.port_u16().unwrap_or(self.scheme().default_port())
    }
}

fn read_claims(claims: &[u8]) -> Result<Map<String, Value>, NotClaims> {
    let text = claims.trim_ascii();
    if text.is_empty() {
        return Err(NotClaims::Empty);
    }
    if is_like_a_jwt(text) {
        return Err(NotClaims::Jwt);
    }
    match serde_json::from_slice(claims) {
        Ok(Value::Object(_)) => {}
        Ok(_) => return Err(NotClaims::NotAnObject),
        Err(error) => return Err(NotClaims::NotJson { line: error.line(), column: error.column() }),
    }
    // What is not strict although it is an object repeats a name.
    strict_json::object(claims).map_err(|_| NotClaims::Repeated)
}

/// Three or five parts of base64url with dots between them, of which the first is an object (RFC 7515 §7.1), also in quotes.
fn is_like_a_jwt(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\"").unwrap_or(text);
    let dots = text.iter().filter(|byte| **byte == b'.').count();
    text.starts_with(b"eyJ") && (dots == 2 || dots == 4)
}

/// The URL as the listener reads its path and its query, and whether it has a fragment.
fn as_served(method: &Method, url: &str) -> (String, bool) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let target = url[authority..].find(['/', '?', '#']).map_or(url.len(), |at| authority + at);
    match unread::look(format!("{method} {} ", &url[target..]).as_bytes()) {
        Look::Encoded(head) => {
            let encoded = &head[method.as_str().len() + 1..head.len() - 1];
            (url[..target].to_owned() + &String::from_utf8_lossy(encoded), false)
        }
        // It is refused, whatever its query is.
        Look::Fragment => (url.split(['?', '#']).next().unwrap_or_default().to_owned(), true),
        Look::Plain => (url.to_owned(), false),
    }
}
