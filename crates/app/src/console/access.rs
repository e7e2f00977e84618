//! Who may open the console: who knows its password. Browsers ask for it (RFC 7617) and keep it until they are closed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::crypto::octets;
use crate::message::WholeResponse;
use crate::page::headers::harden;
use crate::secret::Secret;

/// The password, as its digest. It is random and long, so that one pass of SHA-256 is enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Password(Secret<[u8; 32]>);

impl Password {
    /// Of at least [`Password::LENGTH_MIN`] characters.
    pub(crate) fn new(password: &Secret<String>) -> Self {
        Self(Secret::new(octets::sha256(password.expose().as_bytes())))
    }

    /// Nobody guesses so many random characters.
    pub(crate) const LENGTH_MIN: usize = 32;

    fn is(&self, typed: &[u8]) -> bool {
        octets::equal(self.0.expose(), &octets::sha256(typed))
    }
}

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// It has no password, or a wrong one.
    Password,
    /// A page of another site has sent the form. Browsers add the password to such requests, too.
    OtherSite,
}

/// Lets a request pass that has the password, and that comes from a page of the console if it changes something.
pub(super) fn check<B>(request: &http::Request<B>, password: &Password) -> Result<(), Denied> {
    if !typed(request.headers()).is_some_and(|typed| password.is(typed.expose())) {
        return Err(Denied::Password);
    }
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_allowed = is_of_own_page(request.headers()) || is_reading && !is_embedded_elsewhere(request.headers());
    if is_allowed { Ok(()) } else { Err(Denied::OtherSite) }
}

/// The password of a request. The user name does not matter.
fn typed(headers: &HeaderMap) -> Option<Secret<Vec<u8>>> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    let decoded = STANDARD.decode(credentials.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    Some(Secret::new(decoded[colon + 1..].to_vec()))
}

/// Whether the form was on a page of this console. Browsers say so in `Sec-Fetch-Site`. Their `Origin` is `null`, because our pages have
/// `Referrer-Policy: no-referrer`; it counts for programs, which send no `Sec-Fetch-Site`.
fn is_of_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
    match text("sec-fetch-site") {
        Some(site) => site == b"same-origin",
        None => match (text("host"), text("origin")) {
            (Some(host), Some(origin)) => origin.strip_prefix(b"http://") == Some(host),
            _ => false,
        },
    }
}

/// Whether a page of another site loads something of the console, other than by a link. It could not read the answer, and each page that is shown is
/// written to the audit.
fn is_embedded_elsewhere(headers: &HeaderMap) -> bool {
    let is = |name: &str, value: &[u8]| headers.get(name).is_some_and(|found| found.as_bytes() == value);
    let is_elsewhere = is("sec-fetch-site", b"cross-site") || is("sec-fetch-site", b"same-site");
    is_elsewhere && !(is("sec-fetch-mode", b"navigate") && is("sec-fetch-dest", b"document"))
}

/// Has the browser ask for the password.
pub(super) fn ask() -> WholeResponse {
    let mut response = plain(StatusCode::UNAUTHORIZED, "the password of the console is needed\n");
    let challenge = HeaderValue::from_static(r#"Basic realm="Vestibule console", charset="UTF-8""#);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// Leads to a page of the console.
pub(super) fn see_other(path: &str) -> WholeResponse {
    let mut response = plain(StatusCode::SEE_OTHER, "");
    let location = HeaderValue::try_from(path).expect("a path of the console and an encoded query are ASCII");
    response.headers_mut().insert(header::LOCATION, location);
    response
}

fn plain(status: StatusCode, text: &'static str) -> WholeResponse {
    let mut response = WholeResponse::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    harden(response.headers_mut());
    response
}
