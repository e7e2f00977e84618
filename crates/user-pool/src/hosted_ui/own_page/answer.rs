//! Answers to own sign-in pages: JSON that only they may read (Fetch §3.2).

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::hosted_ui::page::Notice;
use crate::hosted_ui::refusal;
use crate::message::WholeResponse;
use crate::page::View;
use crate::reply;
use crate::signin::step::Step;

/// Why a request of a page is refused before a password is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// The page is on no origin that is allowed.
    Origin,
    /// The request is not the JSON that is expected.
    Malformed,
    /// The handle is not ours, or was made for another browser.
    HandleForeign,
    /// The handle is too old.
    HandleExpired,
    /// Somebody has signed in with the handle.
    HandleUsed,
}

impl Refused {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 5] =
        [Self::Origin, Self::Malformed, Self::HandleForeign, Self::HandleExpired, Self::HandleUsed];

    /// The code of the reason.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Origin => "login_page.origin",
            Self::Malformed => "login_page.malformed",
            Self::HandleForeign => "login_page.handle_foreign",
            Self::HandleExpired => "login_page.handle_expired",
            Self::HandleUsed => "login_page.handle_used",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Origin | Self::HandleForeign | Self::HandleExpired | Self::HandleUsed => StatusCode::FORBIDDEN,
        }
    }
}

/// A refusal, with the text of its reason.
pub(super) fn refused(view: View<'_>, why: Refused) -> WholeResponse {
    because(view, why.status(), why.code())
}

/// A refusal for a reason that pages have as well.
pub(super) fn because(view: View<'_>, status: StatusCode, code: &'static str) -> WholeResponse {
    let body = json!({"error": code, "message": view.reason(code).advice});
    refusal::because(code, answer(status, &body))
}

/// A sign-in that failed, with what our own page would say.
pub(super) fn failed(view: View<'_>, notice: Notice) -> WholeResponse {
    let mut body = json!({"error": notice.code(), "message": view.plain(&notice.alert())});
    if let (Some(seconds), Some(members)) = (notice.wait(), body.as_object_mut()) {
        members.insert("retry_after".to_owned(), Value::from(seconds));
    }
    let mut response = answer(notice.status(), &body);
    if let Some(seconds) = notice.wait() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    refusal::because(notice.code(), response)
}

/// What our pages ask for after the password, in a word. A browser that the user trusts may be asked for less.
pub(super) fn next(step: &Step) -> &'static str {
    match step {
        Step::NotConfirmed => "confirm",
        Step::NewPassword => "new_password",
        Step::ResetRequired => "reset_password",
        Step::Challenge(_) => "second_factor",
        Step::SetUp(_) => "set_up_second_factor",
        Step::Done => "done",
    }
}

/// Where the browser goes on.
pub(super) fn go_on(next: &'static str, location: &str) -> WholeResponse {
    answer(StatusCode::OK, &json!({"next": next, "location": location}))
}

fn answer(status: StatusCode, body: &Value) -> WholeResponse {
    let mut response = reply::json(status, body);
    // What is said here is for one page, and not for every site.
    response.headers_mut().remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    response
}

/// Lets the page of `origin`, which is on the list, read the response.
pub(super) fn readable(mut response: WholeResponse, origin: Option<&HeaderValue>) -> WholeResponse {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
    }
    response
}

/// The answer to the question whether the page may ask (Fetch §3.2.2).
pub(super) fn preflight(origin: Option<&HeaderValue>) -> WholeResponse {
    let mut response = reply::preflight();
    let headers = response.headers_mut();
    headers.remove(header::ACCESS_CONTROL_ALLOW_ORIGIN);
    if origin.is_some() {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("POST"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type"));
    } else {
        for name in
            [header::ACCESS_CONTROL_ALLOW_METHODS, header::ACCESS_CONTROL_ALLOW_HEADERS, header::ACCESS_CONTROL_MAX_AGE]
        {
            headers.remove(name);
        }
    }
    readable(response, origin)
}

/// The value of `Origin`, if it is there once.
pub(super) fn origin(headers: &HeaderMap) -> Option<&HeaderValue> {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    origins.next().filter(|_| origins.next().is_none())
}
