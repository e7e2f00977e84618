//! The `Set-Cookie` lines of stickiness.

use std::rc::Rc;
use std::time::Duration;

use http::HeaderValue;

use crate::clock::Timestamp;
use crate::upstream::stickiness::names::Names;
use crate::upstream::stickiness::settings::Format;

/// How long a browser keeps the cookie (ALB §9.5). How long the cookie binds the browser is in its value.
const KEPT: Duration = Duration::from_secs(7 * 86_400);

/// How a client reached us, as far as it matters for the attributes of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Medium {
    /// Plain HTTP.
    Plain,
    /// HTTPS.
    Secure,
    /// HTTPS, from a script or a form of another site.
    SecureFromOtherSite,
}

impl Medium {
    pub(super) const COUNT: usize = 3;

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Plain => 0,
            Self::Secure => 1,
            Self::SecureFromOtherSite => 2,
        }
    }
}

/// The lines that store `value`.
pub(super) fn write(names: &Names, format: Format, medium: Medium, value: &str, now: Timestamp) -> Rc<[HeaderValue]> {
    let life = match format {
        Format::Vestibule => format!("Max-Age={}", KEPT.as_secs()),
        // ALB §9.5: no `Max-Age`.
        Format::Alb => format!("Expires={}", httpdate::fmt_http_date((now + KEPT).to_system_time())),
    };
    let line = |name: &str, site: &str, secure: &str| {
        HeaderValue::try_from(format!("{name}={value}; {life}; Path=/; HttpOnly; SameSite={site}{secure}"))
            .expect("names and values of ours are ASCII")
    };
    let own = match (medium, format, names.twin) {
        (Medium::Plain, ..) => line(&names.plain, "Lax", ""),
        // ALB §9.5: a cookie without a twin is for other sites where one asks.
        (Medium::SecureFromOtherSite, Format::Alb, None) => line(&names.secure, "None", "; Secure"),
        (Medium::Secure | Medium::SecureFromOtherSite, ..) => line(&names.secure, "Lax", "; Secure"),
    };
    // `SameSite=None` needs `Secure`, which browsers do not accept over plain HTTP.
    let twin = names.twin.filter(|_| medium != Medium::Plain).map(|name| line(name, "None", "; Secure"));
    std::iter::once(own).chain(twin).collect()
}
