//! The pages of the pool: passes forms to `signin`, then continues the OAuth request.

mod confirm;
pub(crate) mod cookies;
mod csrf;
mod page;
mod refusal;
mod result;
mod sign_out;
mod ui;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::database;
use crate::message::cookie;
use crate::message::form::Form;
use crate::message::{WholeRequest, WholeResponse};
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::SignIn as SignInPage;
use crate::page::{Text, View};
use crate::secret::Secret;
use crate::user_pool::directory::user::User;
use crate::user_pool::oauth::authorize::Decision;
use crate::user_pool::oauth::error::PageError;
use crate::user_pool::oauth::request::AuthorizationRequest;
use crate::user_pool::seal::Purpose;
use crate::user_pool::signin::known::{self, KnownBrowser};
use crate::user_pool::signin::sso::Session;
use crate::user_pool::signin::{Outcome, state};
use crate::user_pool::{reply, routes};

use page::Notice;
use result::{FormRefusal, FormResult};
use sign_out::Question;
pub(crate) use ui::HostedUi;

/// The waiting time that is shown if too many users are signing in.
const BUSY_FOR: Duration = Duration::from_secs(5);
/// `Retry-After` in seconds while the database fails.
const UNAVAILABLE_FOR: u64 = 5;

/// A sign-in form that was sent.
struct Sent<'f> {
    headers: &'f HeaderMap,
    request: Option<AuthorizationRequest>,
    /// The hidden value.
    carried: &'f str,
    username: &'f str,
}

/// What the sign-in form already contains.
struct Filled<'f> {
    /// The hidden value.
    carried: &'f str,
    username: &'f str,
    notice: Option<Notice>,
}

impl HostedUi {
    /// Answers an authorization request: with a redirect to the relying party, or with a page.
    pub(crate) async fn authorize(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
    ) -> Result<WholeResponse, database::Error> {
        let visitor = self.visitor(headers).await?;
        let session = visitor.as_ref().map(|(session, _)| session);
        Ok(match self.provider.authorize(form, session) {
            Ok(Decision::Code(location) | Decision::Refused(location)) => reply::see_other(&location),
            Ok(Decision::NeedsSignIn { request, login_hint }) => {
                self.ask(headers, Some(&request), login_hint.as_deref())
            }
            Ok(Decision::NeedsConfirmation(request)) => self.ask_to_confirm(headers, *request, visitor.as_ref()),
            Err(error) => self.page_error(headers, error),
        })
    }

    /// Shows the sign-in page. Without a `request`, the user returns to the start page after the sign-in.
    fn ask(
        &self,
        headers: &HeaderMap,
        request: Option<&AuthorizationRequest>,
        login_hint: Option<&str>,
    ) -> WholeResponse {
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let carried = state::carry(&self.seal, Purpose::SignIn, request, &browser, self.clock.now());
        let hint = login_hint.filter(|hint| hint.len() <= 256).unwrap_or_default();
        let mut response = self.sign_in_page(
            headers,
            StatusCode::OK,
            request,
            &Filled { carried: &carried, username: hint, notice: None },
        );
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        response
    }

    /// The value that binds forms to the browser.
    fn browser<'h>(&self, headers: &'h HeaderMap) -> Option<&'h str> {
        csrf::browser(headers, &self.cookies.form)
    }

    fn sign_in_page(
        &self,
        headers: &HeaderMap,
        status: StatusCode,
        request: Option<&AuthorizationRequest>,
        filled: &Filled<'_>,
    ) -> WholeResponse {
        let application = request.map(|request| self.provider.client_name(request));
        let view = self.view(headers, request.and_then(|request| request.ui_locales.as_deref()));
        let page = SignInPage {
            view,
            title: self.title.as_deref(),
            application: application.as_deref(),
            action: routes::SIGN_IN,
            carried: filled.carried,
            username: filled.username,
            alert: filled.notice.map(Notice::alert),
        };
        let form_action = request.map_or_else(|| "'self'".to_owned(), AuthorizationRequest::form_action);
        view.respond(status, &page, &form_action, Frames::Nobody)
    }

    /// The pages in the first known language of `ui_locales`, else in the language that the browser asks for.
    fn view(&self, headers: &HeaderMap, ui_locales: Option<&str>) -> View<'_> {
        match ui_locales.and_then(|locales| self.pages.asked_for(locales)) {
            Some(language) => self.pages.view(language),
            None => self.pages.view_for(headers),
        }
    }

    /// Answers a request for the address of the sign-in page. Bookmarks, histories and our own pages link to it. The page also shows
    /// the result of a form.
    pub(crate) async fn home(&self, headers: &HeaderMap, form: &Form<'_>) -> Result<WholeResponse, database::Error> {
        let sealed = |parameter| form.one(parameter).ok().flatten();
        let visitor = self.visitor(headers).await?;
        Ok(sealed(result::PARAMETER)
            .and_then(|sealed| self.form_result(headers, sealed, visitor.as_ref().map(|(session, _)| session)))
            .or_else(|| self.form_refusal(headers, sealed(result::REFUSAL)?))
            .unwrap_or_else(|| self.start(headers, visitor.as_ref().map(|(_, user)| &**user))))
    }

    fn start(&self, headers: &HeaderMap, user: Option<&User>) -> WholeResponse {
        match user {
            Some(user) => {
                let applications = self.provider.applications();
                let question = Question::SignedIn { user: user.preferred_username(), applications: &applications };
                self.ask_to_sign_out(headers, self.view(headers, None), None, question)
            }
            None => self.ask(headers, None, None),
        }
    }

    /// The sign-in page with the result of a form, for the browser that sent the form. `None` if `sealed` is not ours, or if
    /// the user has signed in since.
    fn form_result(&self, headers: &HeaderMap, sealed: &str, session: Option<&Session>) -> Option<WholeResponse> {
        let (browser, now) = (self.browser(headers), self.clock.now());
        let result: FormResult = match state::receive(&self.seal, Purpose::FormResult, sealed, browser, now) {
            Ok(result) => result,
            Err(state::Refused::Foreign) => return None,
            // The form inside is bound to the same browser and is older, so it is refused below.
            Err(state::Refused::OtherBrowser(result) | state::Refused::Expired(result)) => result,
        };
        let received = state::receive(&self.seal, Purpose::SignIn, &result.carried, browser, now);
        let request: Option<AuthorizationRequest> = match received {
            Ok(request) => request,
            Err(refused) => {
                let (why, again) = self.refused_sign_in(refused);
                return Some(self.refused_page(headers, why, &again));
            }
        };
        if session.is_some_and(|session| session.auth_time >= result.at) {
            return None;
        }
        let notice = Some(result.notice(now));
        let filled = Filled { carried: &result.carried, username: &result.username, notice };
        Some(self.sign_in_page(headers, StatusCode::OK, request.as_ref(), &filled))
    }

    /// Handles the sign-in form.
    pub(crate) async fn sign_in(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let (carried, request) = match self.received(Purpose::SignIn, headers, form) {
            Ok(received) => received,
            Err(refused) => {
                let (why, again) = self.refused_sign_in(refused);
                return Ok(self.refused(headers, why, again));
            }
        };
        if let Some(Err(error)) = request.as_ref().map(|request| self.provider.check_again(request)) {
            return Ok(self.page_error(headers, error));
        }
        let (Ok(username), Ok(password)) = (form.one("username"), form.one("password")) else {
            return Ok(self.page_error(headers, PageError::Malformed));
        };
        let (username, password) = (username.unwrap_or_default(), password.unwrap_or_default());
        let sent = Sent { headers, request, carried, username };
        if username.trim().is_empty() || password.is_empty() {
            // An empty field is not an attempt (attacks U-05).
            return Ok(self.again(sent, Notice::Incomplete));
        }
        let known = self.known_browser(headers);
        let attempt = self.sign_in.password(username, Secret::new(password.to_owned()), client, known.as_ref());
        Ok(match attempt.await? {
            Outcome::User(user) => {
                self.metrics.signed_in.increment();
                let mut response = match &sent.request {
                    // The relying party requested another user. It gets neither the tokens nor the session of this user.
                    Some(request) if !request.is_for(user.subject()) => {
                        reply::see_other(&self.provider.not_signed_in_location(request))
                    }
                    request => {
                        let former = self.session(headers).await?;
                        let session = self.sessions.begin(&user, former.as_ref(), self.clock.now());
                        self.signed_in(&session, request.as_ref())
                    }
                };
                let known = KnownBrowser::of(&user, known.as_ref(), self.clock.now()).seal(&self.seal);
                let known = cookie::set(&self.cookies.known, &known, known::LIFETIME.as_secs());
                response.headers_mut().append(header::SET_COOKIE, known);
                response
            }
            Outcome::Wrong => {
                self.metrics.wrong_password.increment();
                self.again(sent, Notice::Wrong)
            }
            Outcome::TooMany(wait) => {
                self.metrics.rate_limited.increment();
                self.again(sent, Notice::TooMany(whole_seconds(wait)))
            }
            Outcome::Busy => {
                self.metrics.busy.increment();
                self.again(sent, Notice::Busy(whole_seconds(BUSY_FOR)))
            }
            Outcome::Disabled => {
                self.metrics.disabled.increment();
                self.again(sent, Notice::Disabled)
            }
        })
    }

    /// Shows the sign-in form again, with the reason. A navigation is redirected to a page that shows both: the history of the
    /// browser then has no page that answers a `POST`, and Back does not ask whether to send the password again. The redirect
    /// has no status of its own for the reason, so that other clients get the page at once, with its status (decision 43).
    fn again(&self, sent: Sent<'_>, notice: Notice) -> WholeResponse {
        if let Some(location) = self.form_result_location(&sent, notice) {
            return refusal::because(notice.code(), reply::see_other(&location));
        }
        let Sent { headers, request, carried, username } = sent;
        let filled = Filled { carried, username, notice: Some(notice) };
        let page = self.sign_in_page(headers, notice.status(), request.as_ref(), &filled);
        let mut response = refusal::because(notice.code(), page);
        let headers = response.headers_mut();
        if let Some(seconds) = notice.wait() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if notice == Notice::Wrong {
            // RFC 9110 §15.5.2 wants a challenge; this one makes no browser open a dialog.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(r#"Form realm="sign-in""#));
        }
        response
    }

    /// The address of the page that shows the result. `None` if the client gets the page at once.
    fn form_result_location(&self, sent: &Sent<'_>, notice: Notice) -> Option<String> {
        let browser = self.browser(sent.headers).filter(|_| csrf::is_navigation(sent.headers))?;
        let now = self.clock.now();
        let result = FormResult::new(sent.carried, sent.username, notice, now);
        let sealed = state::carry(&self.seal, Purpose::FormResult, result, browser, now);
        let location = format!("{}?{}={sealed}", routes::SIGN_IN, result::PARAMETER);
        (location.len() <= result::LOCATION_BYTES_MAX).then_some(location)
    }

    fn signed_in(&self, session: &Session, request: Option<&AuthorizationRequest>) -> WholeResponse {
        let mut response = match request {
            Some(request) => reply::see_other(&self.provider.code_location(request, session)),
            None => reply::see_other(routes::SIGN_IN),
        };
        let value =
            cookie::set(&self.cookies.session, &self.sessions.seal(session), self.sessions.lifetime().as_secs());
        response.headers_mut().append(header::SET_COOKIE, value);
        response
    }

    /// The hidden value of a form, as text and decrypted.
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
        let browser = self.browser(headers);
        Ok((carried, state::receive(&self.seal, purpose, carried, browser, self.clock.now())?))
    }

    /// Why a sign-in form is refused, and the address at which the user can start again.
    fn refused_sign_in(&self, refused: state::Refused<Option<AuthorizationRequest>>) -> (page::Refused, String) {
        let (why, request) = match refused {
            state::Refused::Foreign => (page::Refused::Foreign, None),
            state::Refused::OtherBrowser(request) => (page::Refused::Foreign, request),
            state::Refused::Expired(request) => (page::Refused::Expired, request),
        };
        let request = request.filter(|request| self.provider.check_again(request).is_ok());
        let again = request.map(|request| self.provider.begin_again_location(&request));
        (why, again.unwrap_or_else(|| routes::SIGN_IN.to_owned()))
    }

    /// Refuses a form that was sent. As in [`again`](Self::again), a navigation is redirected to a page that says why.
    fn refused(&self, headers: &HeaderMap, why: page::Refused, again: String) -> WholeResponse {
        if !csrf::is_navigation(headers) {
            return self.refused_page(headers, why, &again);
        }
        let refusal = FormRefusal { why, again, request_id: request_id(headers).map(str::to_owned) };
        let sealed = self.seal.seal(Purpose::FormRefusal, &refusal);
        let location = format!("{}?{}={sealed}", routes::SIGN_IN, result::REFUSAL);
        if location.len() > result::LOCATION_BYTES_MAX {
            return self.refused_page(headers, why, &refusal.again);
        }
        self.metrics.form_refused.increment();
        refusal::because(why.code(), reply::see_other(&location))
    }

    /// The page that says why a form was refused. `again` is the address at which the user can start again.
    fn refused_page(&self, headers: &HeaderMap, why: page::Refused, again: &str) -> WholeResponse {
        self.metrics.form_refused.increment();
        let link = Link::here(Text::LinkStartAgain, again);
        let view = self.view(headers, None);
        let page = refusal::page(view, StatusCode::FORBIDDEN, why.code(), link, request_id(headers));
        refusal::because(why.code(), page)
    }

    /// The page to which [`refused`](Self::refused) redirects. `None` if `sealed` is not ours.
    fn form_refusal(&self, headers: &HeaderMap, sealed: &str) -> Option<WholeResponse> {
        let refusal: FormRefusal = self.seal.open(Purpose::FormRefusal, sealed)?;
        let link = Link::here(Text::LinkStartAgain, refusal.again);
        let (view, id) = (self.view(headers, None), refusal.request_id.as_deref());
        Some(refusal::page(view, StatusCode::OK, refusal.why.code(), link, id))
    }

    /// Redirects a cross-site `POST` of a relying party to the same address with `GET`. Browsers send `SameSite=Lax` cookies only with
    /// `GET`, and without the cookies the user would not be signed in.
    pub(crate) fn as_navigation(&self, request: &WholeRequest) -> Option<WholeResponse> {
        let is_cross_site = csrf::fetch_site(request.headers()) == Some("cross-site");
        let has_cookie = cookie::pairs(request.headers()).any(|(name, _)| name == self.cookies.session);
        if request.method() != http::Method::POST || !is_cross_site || has_cookie {
            return None;
        }
        let query = |body: &Bytes| Some(std::str::from_utf8(body).ok()?.to_owned());
        let query = query(request.body()).filter(|query| query.bytes().all(|byte| byte.is_ascii_graphic()))?;
        Some(reply::see_other(&format!("{}?{query}", request.uri().path())))
    }

    /// The known browser of the request, if there is one.
    fn known_browser(&self, headers: &HeaderMap) -> Option<KnownBrowser> {
        let now = self.clock.now();
        let named = cookie::pairs(headers).filter(|(name, _)| *name == self.cookies.known);
        named.filter_map(|(_, value)| KnownBrowser::open(&self.seal, value, now)).next()
    }

    /// The page for a request that cannot be answered by a redirect.
    pub(crate) fn page_error(&self, headers: &HeaderMap, error: PageError) -> WholeResponse {
        self.refuse(headers, StatusCode::BAD_REQUEST, error.code())
    }

    /// The page for an unknown path.
    pub(crate) fn not_found(&self, headers: &HeaderMap) -> WholeResponse {
        self.refuse(headers, StatusCode::NOT_FOUND, refusal::NOT_FOUND)
    }

    /// The page for a method that the path does not support.
    pub(crate) fn method_not_allowed(&self, headers: &HeaderMap, allow: &'static str) -> WholeResponse {
        let mut response = self.refuse(headers, StatusCode::METHOD_NOT_ALLOWED, refusal::METHOD);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allow));
        response
    }

    fn refuse(&self, headers: &HeaderMap, status: StatusCode, code: &'static str) -> WholeResponse {
        let link = Link::here(Text::LinkSignInPage, routes::SIGN_IN);
        refusal::because(code, refusal::page(self.view(headers, None), status, code, link, request_id(headers)))
    }

    /// The page for a request that the pool cannot answer because its database fails.
    pub(crate) fn unavailable(&self, headers: &HeaderMap) -> WholeResponse {
        let mut response = self.refuse(headers, StatusCode::SERVICE_UNAVAILABLE, refusal::UNAVAILABLE);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(UNAVAILABLE_FOR));
        response
    }

    /// The single-sign-on session of the browser.
    async fn session(&self, headers: &HeaderMap) -> Result<Option<Session>, database::Error> {
        Ok(self.visitor(headers).await?.map(|(session, _)| session))
    }

    /// The single-sign-on session of the browser, and its user.
    async fn visitor(&self, headers: &HeaderMap) -> Result<Option<(Session, Arc<User>)>, database::Error> {
        let now = self.clock.now();
        let named = cookie::pairs(headers).filter(|(name, _)| *name == self.cookies.session);
        let Some(session) = named.filter_map(|(_, value)| self.sessions.open(value, now)).next() else {
            return Ok(None);
        };
        Ok(self.provider.user(&session).await?.map(|user| (session, user)))
    }
}

/// The request ID, which the proxy sets. The access log has the same.
fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amzn-trace-id")?.to_str().ok()?.strip_prefix("Root=")
}

fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
