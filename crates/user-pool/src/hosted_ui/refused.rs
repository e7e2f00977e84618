//! Pages that refuse: forms that cannot be used, and requests that cannot be answered.

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::hosted_ui::result::{self, FormRefusal};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::{csrf, page, refusal};
use crate::message::WholeResponse;
use crate::oauth::error::PageError;
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::link::Link;
use crate::seal::Purpose;
use crate::signin::state;
use crate::{reply, routes};

/// `Retry-After` in seconds while the database fails.
const UNAVAILABLE_FOR: u64 = 5;

impl HostedUi {
    /// Why a sign-in form is refused, and the address at which the user can start again.
    pub(super) fn refused_sign_in(
        &self,
        refused: state::Refused<Option<AuthorizationRequest>>,
    ) -> (page::Refused, String) {
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
    pub(super) fn refused(&self, headers: &HeaderMap, why: page::Refused, again: String) -> WholeResponse {
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
    pub(super) fn refused_page(&self, headers: &HeaderMap, why: page::Refused, again: &str) -> WholeResponse {
        self.metrics.form_refused.increment();
        let link = Link::here(Text::LinkStartAgain, again);
        let view = self.view(headers, None);
        let page = refusal::page(view, StatusCode::FORBIDDEN, why.code(), link, request_id(headers));
        refusal::because(why.code(), page)
    }

    /// The page to which [`refused`](Self::refused) redirects. `None` if `sealed` is not ours.
    pub(super) fn form_refusal(&self, headers: &HeaderMap, sealed: &str) -> Option<WholeResponse> {
        let refusal: FormRefusal = self.seal.open(Purpose::FormRefusal, sealed)?;
        let link = Link::here(Text::LinkStartAgain, refusal.again);
        let (view, id) = (self.view(headers, None), refusal.request_id.as_deref());
        Some(refusal::page(view, StatusCode::OK, refusal.why.code(), link, id))
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

    pub(super) fn refuse(&self, headers: &HeaderMap, status: StatusCode, code: &'static str) -> WholeResponse {
        let link = Link::here(Text::LinkSignInPage, routes::SIGN_IN);
        refusal::because(code, refusal::page(self.view(headers, None), status, code, link, request_id(headers)))
    }

    /// The page for a request that the pool cannot answer because its database fails.
    pub(crate) fn unavailable(&self, headers: &HeaderMap) -> WholeResponse {
        let mut response = self.refuse(headers, StatusCode::SERVICE_UNAVAILABLE, refusal::UNAVAILABLE);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(UNAVAILABLE_FOR));
        response
    }
}

/// The request ID, which the proxy sets. The access log has the same.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amzn-trace-id")?.to_str().ok()?.strip_prefix("Root=")
}
