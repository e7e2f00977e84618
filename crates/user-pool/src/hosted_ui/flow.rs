//! What the pages of sign-up and recovery have in common: the hidden value that goes from one to the next, and how a form is answered.
//!
//! A page has an address of its own. Its hidden value has the authorization request and what is known so far; it is sealed for the page and for the
//! browser. A form is answered with a redirect to the next page, or to the same one with a reason, so that the history has no page that
//! answers a `POST` (decision 43). Other clients get the page at once, with its status.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::{csrf, page, refusal, result};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::error::PageError;
use crate::oauth::request::AuthorizationRequest;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::Form as FormPage;
use crate::page::{Sentence, Text, View};
use crate::seal::Purpose;
use crate::signin::state;
use crate::{reply, routes};

/// The parameter of a page that has the sealed value.
pub(super) const PARAMETER: &str = "flow";

/// The parameter of links between our pages that has the authorization request.
const REQUEST: &str = "for";
/// How long such a link has the request.
const REQUEST_LIFETIME: Duration = Duration::from_hours(1);

/// What a page carries.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Flow<T> {
    /// `None`: the user returns to the start page.
    pub(super) request: Option<AuthorizationRequest>,
    /// What is known so far.
    pub(super) step: T,
    /// Why the page is shown again, in the language of the page.
    alert: Option<String>,
}

/// Why a form is not taken.
#[derive(Debug)]
pub(super) struct Notice {
    pub(super) code: &'static str,
    pub(super) status: StatusCode,
    pub(super) sentence: Sentence,
    /// How long to wait, where that helps.
    pub(super) wait: Option<Duration>,
}

/// A page of this kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) path: &'static str,
    pub(super) purpose: Purpose,
}

/// A form that was sent, or a page that is shown.
pub(super) struct Received<T> {
    pub(super) flow: Flow<T>,
    /// The hidden value, as it was sent.
    pub(super) carried: String,
}

impl Notice {
    /// A form that is to be sent again.
    pub(super) fn new(code: &'static str, status: StatusCode, sentence: impl Into<Sentence>) -> Self {
        Self { code, status, sentence: sentence.into(), wait: None }
    }

    /// A fault in what was typed.
    pub(super) fn fault(code: &'static str, sentence: impl Into<Sentence>) -> Self {
        Self::new(code, StatusCode::BAD_REQUEST, sentence)
    }

    /// A field was empty.
    pub(super) fn incomplete() -> Self {
        Self::fault("form.incomplete", Text::FormIncomplete)
    }

    /// A code that is not the one of the name that came with it, whatever the reason.
    pub(super) fn not_of_name() -> Self {
        Self::fault("code.wrong", Text::CodeNotOfName)
    }

    /// Too many attempts.
    pub(super) fn too_many(wait: Duration) -> Self {
        let seconds = wait.as_secs().max(1);
        let sentence = Sentence::from(Text::SignInTooManyAttempts).words("wait", Sentence::duration(seconds));
        Self { wait: Some(wait), ..Self::new("form.too_many_attempts", StatusCode::TOO_MANY_REQUESTS, sentence) }
    }

    /// Too many passwords are being hashed.
    pub(super) fn busy() -> Self {
        const WAIT: Duration = Duration::from_secs(5);
        let sentence = Sentence::from(Text::SignInBusy).words("wait", Sentence::duration(WAIT.as_secs()));
        Self { wait: Some(WAIT), ..Self::new("sign_in.busy", StatusCode::TOO_MANY_REQUESTS, sentence) }
    }
}

impl<T: Serialize + DeserializeOwned> Flow<T> {
    /// The first page of this kind.
    pub(super) fn new(request: Option<AuthorizationRequest>, step: T) -> Self {
        Self { request, step, alert: None }
    }

    /// The same, with what the page says first.
    pub(super) fn saying(self, alert: String) -> Self {
        Self { alert: Some(alert), ..self }
    }

    /// Why the page is shown again.
    pub(super) fn alert(&self) -> Option<Sentence> {
        self.alert.clone().map(Sentence::verbatim)
    }
}

impl HostedUi {
    /// A link to a page of ours that keeps the request of the application. The request is no secret: the browser has sent it.
    pub(super) fn link(&self, label: Text, path: &str, request: Option<&AuthorizationRequest>) -> Link {
        Link::here(label, self.address_with(path, request))
    }

    /// The address of such a link.
    pub(super) fn address_with(&self, path: &str, request: Option<&AuthorizationRequest>) -> String {
        let sealed = request.map(|request| self.seal.seal(Purpose::Request, &(request, self.clock.now().seconds())));
        let address = sealed.map(|sealed| format!("{path}?{REQUEST}={sealed}"));
        let address = address.filter(|address| address.len() <= result::LOCATION_BYTES_MAX);
        address.unwrap_or_else(|| path.to_owned())
    }

    /// The request that a link has kept.
    pub(super) fn kept_request(&self, form: &Form<'_>) -> Option<AuthorizationRequest> {
        let sealed = form.one(REQUEST).ok().flatten()?;
        let (request, made_at): (AuthorizationRequest, u64) = self.seal.open(Purpose::Request, sealed)?;
        let is_fresh = self.clock.now().since(Timestamp::from_seconds(made_at)) <= REQUEST_LIFETIME;
        (is_fresh && self.provider.check_again(&request).is_ok()).then_some(request)
    }

    /// The address of a page that goes on with this. `None` if it would be too long.
    fn flow_location<T: Serialize>(&self, place: Place, flow: &Flow<T>, browser: &str) -> Option<String> {
        let sealed = state::carry(&self.seal, place.purpose, flow, browser, self.clock.now());
        let location = format!("{}?{PARAMETER}={sealed}", place.path);
        (location.len() <= result::LOCATION_BYTES_MAX).then_some(location)
    }

    /// Shows the first page of this kind, in a browser that may have no cookie yet.
    pub(super) fn first_page<T: Serialize>(
        &self,
        headers: &HeaderMap,
        place: Place,
        flow: &Flow<T>,
        show: impl FnOnce(&str) -> WholeResponse,
    ) -> WholeResponse {
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let carried = state::carry(&self.seal, place.purpose, flow, &browser, self.clock.now());
        let mut response = show(&carried);
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        response
    }

    /// Goes on at a page: by a redirect for a navigation, else at once.
    pub(super) fn flow_on<T: Serialize>(
        &self,
        headers: &HeaderMap,
        place: Place,
        flow: &Flow<T>,
        show: impl FnOnce(&Flow<T>, &str, StatusCode) -> WholeResponse,
    ) -> WholeResponse {
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let location = self.flow_location(place, flow, &browser).filter(|_| csrf::is_navigation(headers));
        let mut response = match location {
            Some(location) => reply::see_other(&location),
            None => {
                let carried = state::carry(&self.seal, place.purpose, flow, &browser, self.clock.now());
                show(flow, &carried, StatusCode::OK)
            }
        };
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        response
    }

    /// Shows the page of a form again, with the reason.
    pub(super) fn flow_again<T: Serialize>(
        &self,
        headers: &HeaderMap,
        place: Place,
        mut flow: Flow<T>,
        notice: Notice,
        show: impl FnOnce(&Flow<T>, &str, StatusCode) -> WholeResponse,
    ) -> WholeResponse {
        flow.alert = Some(self.view(headers, flow.request.as_ref()).plain(&notice.sentence));
        let response = self.flow_on(headers, place, &flow, |flow, carried, _| show(flow, carried, notice.status));
        let mut response = refusal::because(notice.code, response);
        if let Some(wait) = notice.wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }

    /// What the address of a page carries, or its form.
    ///
    /// # Errors
    ///
    /// The page that says why it cannot be used. `None`: nothing is there.
    pub(super) fn flow<T: DeserializeOwned>(
        &self,
        headers: &HeaderMap,
        place: Place,
        form: &Form<'_>,
        is_form: bool,
    ) -> Result<Received<T>, Option<Box<WholeResponse>>> {
        if is_form && csrf::is_from_elsewhere(headers, &self.origin) {
            return Err(Some(Box::new(self.foreign(headers))));
        }
        let name = if is_form { "request" } else { PARAMETER };
        let carried = form.one(name).ok().flatten();
        let Some(carried) = carried else {
            return Err(is_form.then(|| Box::new(self.foreign(headers))));
        };
        let received = state::receive(&self.seal, place.purpose, carried, self.browser(headers), self.clock.now());
        let flow: Flow<T> = received.map_err(|refused: state::Refused<Flow<T>>| {
            let (why, request) = match refused {
                state::Refused::Foreign => (page::Refused::Foreign, None),
                state::Refused::OtherBrowser(flow) => (page::Refused::Foreign, flow.request),
                state::Refused::Expired(flow) => (page::Refused::Expired, flow.request),
            };
            let request = request.filter(|request| self.provider.check_again(request).is_ok());
            let again = request.map(|request| self.provider.begin_again_location(&request));
            let again = again.unwrap_or_else(|| routes::SIGN_IN.to_owned());
            let page =
                if is_form { self.refused(headers, why, again) } else { self.refused_page(headers, why, &again) };
            Some(Box::new(page))
        })?;
        if let Some(Err(error)) = flow.request.as_ref().map(|request| self.provider.check_again(request)) {
            return Err(Some(Box::new(self.page_error(headers, error))));
        }
        Ok(Received { flow, carried: carried.to_owned() })
    }

    /// The page of a form.
    pub(super) fn form_page(
        &self,
        page: &FormPage<'_>,
        view: View<'_>,
        status: StatusCode,
        request: Option<&AuthorizationRequest>,
    ) -> WholeResponse {
        let form_action = request.map_or_else(|| "'self'".to_owned(), AuthorizationRequest::form_action);
        view.respond(status, page, &form_action, Frames::Nobody)
    }

    /// The answer where [`flow`](Self::flow) has nothing.
    pub(super) fn unusable(&self, headers: &HeaderMap, refused: Option<Box<WholeResponse>>) -> WholeResponse {
        refused.map_or_else(|| self.not_found(headers), |refused| *refused)
    }

    fn foreign(&self, headers: &HeaderMap) -> WholeResponse {
        self.refused(headers, page::Refused::Foreign, routes::SIGN_IN.to_owned())
    }

    /// The answer to a form with a field that came twice.
    pub(super) fn twice(&self, headers: &HeaderMap) -> WholeResponse {
        self.page_error(headers, PageError::Malformed)
    }
}

/// What was typed into a field. `None` if it came twice.
pub(super) fn field<'f>(form: &'f Form<'_>, name: &str) -> Option<&'f str> {
    form.one(name).ok().map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_code_is_in_the_list_of_reasons() {
        let list = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/REASONS.md");
        let list = std::fs::read_to_string(list).expect("the list");
        for code in [
            "account.other_name",
            "account.factor_stays",
            "account.wrong_password",
            "code.expired",
            "code.too_many_tries",
            "code.wrong",
            "form.attribute",
            "form.incomplete",
            "form.password",
            "form.too_many_attempts",
            "new_password.changed",
            "sign_in.busy",
            "sign_up.domain",
            "sign_up.user_name",
            "sign_up.user_name_taken",
            "verify.address_taken",
        ] {
            assert!(list.contains(&format!("\n| `{code}` | ")), "{code}");
        }
    }
}
