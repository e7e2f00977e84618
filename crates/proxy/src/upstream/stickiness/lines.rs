//! The `Set-Cookie` lines of stickiness.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::clock::Timestamp;
use crate::message::uri::Scheme;
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

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How long the same cookie is given to all browsers at most. It ends so much earlier for the last of them.
pub(super) const FRESH_MAX: Duration = Duration::from_secs(10);
/// And as a part of the duration.
const FRESH_PART: u32 = 20;

impl Medium {
    const COUNT: usize = 3;

    /// How a request with these headers came.
    pub(super) fn of(headers: &HeaderMap, scheme: Scheme) -> Self {
        let is_from_other_site = headers.contains_key(header::ORIGIN)
            && headers.get(SEC_FETCH_SITE).is_some_and(|site| site.as_bytes() == b"cross-site");
        match scheme {
            Scheme::Http => Self::Plain,
            Scheme::Https if is_from_other_site => Self::SecureFromOtherSite,
            Scheme::Https => Self::Secure,
        }
    }

    const fn index(self) -> usize {
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

/// The lines that were last made, for each of several targets or groups. A value says nothing of the browser, so all browsers get the same
/// for a while: encryption is not done for each answer.
#[derive(Debug)]
pub(super) struct Recent(RefCell<Box<[[Option<Made>; Medium::COUNT]]>>);

#[derive(Clone, Debug)]
struct Made {
    at: Timestamp,
    lines: Rc<[HeaderValue]>,
}

impl Recent {
    /// For `count` targets or groups.
    pub(super) fn new(count: usize) -> Self {
        Self(RefCell::new((0..count).map(|_| Default::default()).collect()))
    }

    /// The lines of one of them that were made a moment ago, or else those of `make`. `duration` is how long they bind a browser.
    pub(super) fn lines(
        &self,
        (index, medium): (usize, Medium),
        now: Timestamp,
        duration: Duration,
        make: impl FnOnce() -> Rc<[HeaderValue]>,
    ) -> Rc<[HeaderValue]> {
        let fresh = FRESH_MAX.min(duration / FRESH_PART);
        let mut made = self.0.borrow_mut();
        let Some(known) = made.get_mut(index).map(|made| &mut made[medium.index()]) else { return make() };
        match known {
            // A clock that was set back makes a new one.
            Some(Made { at, lines }) if *at <= now && now.since(*at) < fresh => Rc::clone(lines),
            _ => {
                let lines = make();
                *known = Some(Made { at: now, lines: Rc::clone(&lines) });
                lines
            }
        }
    }
}
