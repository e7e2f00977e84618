//! The pages people see: maps pages and form posts to `signin` steps, then resumes the OAuth request.

mod csrf;
mod page;
mod refusal;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::Clock;
use crate::message::cookie;
use crate::message::form::Form;
use crate::message::{WholeRequest, WholeResponse};
use crate::secret::Secret;
use crate::user_pool::metrics::Metrics;
use crate::user_pool::oauth::authorize::{AuthorizationRequest, Decision};
use crate::user_pool::oauth::error::PageError;
use crate::user_pool::oauth::provider::Provider;
use crate::user_pool::seal::{Purpose, Seal};
use crate::user_pool::signin::sso::{self, Session, Sessions};
use crate::user_pool::signin::{Outcome, SignIn, state};
use crate::user_pool::{reply, routes};

use page::{Notice, SignInView};

/// What to wait when too many people sign in at the same moment.
const BUSY_FOR: Duration = Duration::from_secs(5);

/// The pages.
#[derive(Debug)]
pub(crate) struct HostedUi {
    pub(crate) title: String,
    pub(crate) origin: Arc<str>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) sign_in: SignIn,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) seal: Seal,
    pub(crate) clock: Clock,
    pub(crate) metrics: Metrics,
}

/// What the question "sign out?" carries.
#[derive(Serialize, Deserialize)]
struct SignOut {
    location: Option<String>,
}

impl HostedUi {
    /// Answers an authorization request: back to the relying party, or a page.
    pub(crate) fn authorize(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        match self.provider.authorize(form, self.session(headers).as_ref()) {
            Ok(Decision::Code(location) | Decision::Refused(location)) => reply::see_other(&location),
            Ok(Decision::NeedsSignIn { request, login_hint }) => {
                self.ask(headers, Some(&request), login_hint.as_deref())
            }
            Err(error) => page_error(error),
        }
    }

    /// Asks who it is. Without a `request` the user comes back to the page that says so.
    fn ask(
        &self,
        headers: &HeaderMap,
        request: Option<&AuthorizationRequest>,
        login_hint: Option<&str>,
    ) -> WholeResponse {
        let browser = csrf::browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let carried = state::carry(&self.seal, Purpose::SignIn, request, &browser, self.clock.now());
        let hint = login_hint.filter(|hint| hint.len() <= 256).unwrap_or_default();
        let mut response = self.sign_in_page(StatusCode::OK, request, &carried, hint, None);
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&browser));
        response
    }

    fn sign_in_page(
        &self,
        status: StatusCode,
        request: Option<&AuthorizationRequest>,
        carried: &str,
        username: &str,
        notice: Option<Notice>,
    ) -> WholeResponse {
        let client = request.map(|request| self.provider.client_name(request));
        let view = SignInView { title: &self.title, client: client.as_deref(), carried, username, notice };
        let form_action = request.map_or_else(|| "'self'".to_owned(), AuthorizationRequest::form_action);
        let page = reply::html(status, page::sign_in(&view), &form_action);
        match notice {
            Some(notice) => refusal::because(notice.code(), page),
            None => page,
        }
    }

    /// Answers a request for the sign-in page's own address: it is in bookmarks and histories, and every page of ours leads
    /// there.
    pub(crate) fn home(&self, headers: &HeaderMap) -> WholeResponse {
        match self.session(headers).and_then(|session| self.provider.user_name(&session)) {
            Some(name) => {
                let applications = self.provider.applications();
                let question = page::Question::SignedIn { name: &name, applications: &applications };
                self.ask_to_sign_out(headers, None, &question)
            }
            None => self.ask(headers, None, None),
        }
    }

    /// Takes the sign-in form.
    pub(crate) async fn sign_in(&self, headers: &HeaderMap, form: &Form<'_>, client: IpAddr) -> WholeResponse {
        let (carried, request) = match self.received(Purpose::SignIn, headers, form) {
            Ok(received) => received,
            Err(refused) => return self.refused_sign_in(refused),
        };
        let request: Option<AuthorizationRequest> = request;
        let request = request.as_ref();
        let (Ok(username), Ok(password)) = (form.one("username"), form.one("password")) else {
            return page_error(PageError::Malformed);
        };
        let (username, password) = (username.unwrap_or_default(), password.unwrap_or_default());
        if username.trim().is_empty() || password.is_empty() {
            // An empty answer is no step (attacks U-05), and no attempt.
            let notice = Some(Notice::Incomplete);
            return self.sign_in_page(StatusCode::BAD_REQUEST, request, carried, username, notice);
        }
        let outcome = self.sign_in.password(username, Secret::new(password.to_owned()), client).await;
        let former = self.session(headers);
        self.finish(outcome, former.as_ref(), request, carried, username)
    }

    fn finish(
        &self,
        outcome: Outcome,
        former: Option<&Session>,
        request: Option<&AuthorizationRequest>,
        carried: &str,
        username: &str,
    ) -> WholeResponse {
        match outcome {
            Outcome::User(user) => {
                self.metrics.signed_in.increment();
                match request {
                    // The relying party asked for another user: it gets neither this one's tokens nor this one's session.
                    Some(request) if !request.is_for(user.subject()) => {
                        reply::see_other(&self.provider.not_signed_in_location(request))
                    }
                    _ => self.signed_in(&self.sessions.begin(&user, former, self.clock.now()), request),
                }
            }
            Outcome::Wrong => {
                self.metrics.wrong_password.increment();
                let notice = Some(Notice::Wrong);
                let mut response = self.sign_in_page(StatusCode::UNAUTHORIZED, request, carried, username, notice);
                // RFC 9110 §15.5.2 wants a challenge; this one makes no browser open a dialog.
                let challenge = HeaderValue::from_static(r#"Form realm="sign-in""#);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
                response
            }
            Outcome::TooMany(wait) => {
                self.metrics.rate_limited.increment();
                self.wait(wait, request, carried, username, Notice::TooMany)
            }
            Outcome::Busy => {
                self.metrics.busy.increment();
                self.wait(BUSY_FOR, request, carried, username, Notice::Busy)
            }
        }
    }

    fn signed_in(&self, session: &Session, request: Option<&AuthorizationRequest>) -> WholeResponse {
        let mut response = match request {
            Some(request) => reply::see_other(&self.provider.code_location(request, session)),
            None => reply::see_other(routes::SIGN_IN),
        };
        let value = cookie::set(sso::COOKIE, &self.sessions.seal(session), self.sessions.lifetime().as_secs());
        response.headers_mut().append(header::SET_COOKIE, value);
        response
    }

    fn wait(
        &self,
        wait: Duration,
        request: Option<&AuthorizationRequest>,
        carried: &str,
        username: &str,
        notice: fn(u64) -> Notice,
    ) -> WholeResponse {
        let seconds = wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX);
        let status = StatusCode::TOO_MANY_REQUESTS;
        let mut response = self.sign_in_page(status, request, carried, username, Some(notice(seconds)));
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        response
    }

    /// Answers an end-session request: signs out, or asks first.
    pub(crate) fn logout(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let session = self.session(headers);
        let logout = match self.provider.logout(form, session.as_ref()) {
            Ok(logout) => logout,
            Err(error) => return page_error(error),
        };
        match session {
            Some(_) if !logout.is_vouched_for => {
                let question = page::Question::SignOut { client: logout.client.as_deref() };
                self.ask_to_sign_out(headers, logout.location, &question)
            }
            session => self.signed_out(session.as_ref(), logout.location.as_deref()),
        }
    }

    fn ask_to_sign_out(
        &self,
        headers: &HeaderMap,
        location: Option<String>,
        question: &page::Question<'_>,
    ) -> WholeResponse {
        let browser = csrf::browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let form_action = location.as_deref().map_or("'self'".to_owned(), form_action);
        let carried = state::carry(&self.seal, Purpose::SignOut, SignOut { location }, &browser, self.clock.now());
        let mut response = reply::html(StatusCode::OK, page::ask_to_sign_out(question, &carried), &form_action);
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&browser));
        response
    }

    /// Takes the answer to "sign out?".
    pub(crate) fn sign_out(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        match self.received::<SignOut>(Purpose::SignOut, headers, form) {
            Ok((_, sign_out)) => self.signed_out(self.session(headers).as_ref(), sign_out.location.as_deref()),
            Err(state::Refused::Expired(_)) => self.refused(page::Refused::QuestionExpired, None),
            Err(_) => self.refused(page::Refused::Foreign, None),
        }
    }

    fn signed_out(&self, session: Option<&Session>, location: Option<&str>) -> WholeResponse {
        if let Some(session) = session {
            self.sessions.end(session, self.clock.now());
        }
        let mut response = match location {
            Some(location) => reply::see_other(location),
            None => reply::html(StatusCode::OK, page::signed_out(), "'none'"),
        };
        response.headers_mut().append(header::SET_COOKIE, cookie::delete(sso::COOKIE));
        response
    }

    /// What a form of ours carried, and its text.
    fn received<'f, T: serde::de::DeserializeOwned>(
        &self,
        purpose: Purpose,
        headers: &HeaderMap,
        form: &'f Form<'_>,
    ) -> Result<(&'f str, T), state::Refused<T>> {
        if csrf::is_from_elsewhere(headers, &self.origin) {
            return Err(state::Refused::Foreign);
        }
        let carried = form.one("request").ok().flatten().ok_or(state::Refused::Foreign)?;
        let browser = csrf::browser(headers);
        Ok((carried, state::receive(&self.seal, purpose, carried, browser, self.clock.now())?))
    }

    fn refused_sign_in(&self, refused: state::Refused<Option<AuthorizationRequest>>) -> WholeResponse {
        let (why, request) = match refused {
            state::Refused::Foreign => (page::Refused::Foreign, None),
            state::Refused::OtherBrowser(request) => (page::Refused::Foreign, request),
            state::Refused::Expired(request) => (page::Refused::Expired, request),
        };
        self.refused(why, request.map(|request| self.provider.begin_again_location(&request)).as_deref())
    }

    /// A form is not taken; `again` is where to begin again.
    fn refused(&self, why: page::Refused, again: Option<&str>) -> WholeResponse {
        self.metrics.form_refused.increment();
        let again = again.unwrap_or(routes::SIGN_IN);
        refusal::because(why.code(), reply::html(StatusCode::FORBIDDEN, page::refused(why, again), "'none'"))
    }

    /// The browser's single-sign-on session.
    fn session(&self, headers: &HeaderMap) -> Option<Session> {
        let now = self.clock.now();
        cookie::pairs(headers)
            .filter(|(name, _)| *name == sso::COOKIE)
            .find_map(|(_, value)| self.sessions.open(value, now))
            .filter(|session| self.provider.is_user(session))
    }
}

/// A page for a request that no address may be told of.
pub(crate) fn page_error(error: PageError) -> WholeResponse {
    refusal::because(error.code(), reply::html(StatusCode::BAD_REQUEST, page::error(error), "'none'"))
}

/// A page for an address where there is nothing.
pub(crate) fn not_found() -> WholeResponse {
    refusal::because(refusal::NOT_FOUND, reply::html(StatusCode::NOT_FOUND, page::not_found(), "'none'"))
}

/// A page for a method that is not for this address.
pub(crate) fn method_not_allowed(allow: &'static str) -> WholeResponse {
    let mut response = page_error(PageError::Malformed);
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
    refusal::because(refusal::METHOD, response)
}

/// Turns a relying party's cross-site `POST` into our own `GET`: a browser sends `SameSite=Lax` cookies with the second only,
/// and without them nobody is signed in.
pub(crate) fn as_navigation(request: &WholeRequest) -> Option<WholeResponse> {
    let is_cross_site = csrf::fetch_site(request.headers()) == Some("cross-site");
    let has_cookie = cookie::pairs(request.headers()).any(|(name, _)| name == sso::COOKIE);
    if request.method() != http::Method::POST || !is_cross_site || has_cookie {
        return None;
    }
    let query = |body: &Bytes| Some(std::str::from_utf8(body).ok()?.to_owned());
    let query = query(request.body()).filter(|query| query.bytes().all(|byte| byte.is_ascii_graphic()))?;
    Some(reply::see_other(&format!("{}?{query}", request.uri().path())))
}

/// A CSP source list that lets a form lead to `location`.
fn form_action(location: &str) -> String {
    let origin = Url::parse(location).map(|url| url.origin().ascii_serialization());
    origin.map_or("'self'".to_owned(), |origin| format!("'self' {origin}"))
}
