//! The page that says why nobody was signed in at a provider.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::federation::refusal::Refusal;
use crate::hosted_ui::refused::request_id;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::{csrf, refusal, result};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::link::Link;
use crate::seal::Purpose;
use crate::{reply, routes};

/// What the page shows. As with other forms that are refused, it is not bound to a browser: the texts are fixed, and the link leads where the
/// pool itself leads.
#[derive(Serialize, Deserialize)]
struct Shown {
    refusal: Refusal,
    again: String,
    /// The request ID of the form, whose access record has the reason.
    request_id: Option<String>,
}

impl HostedUi {
    /// Where a user can start the sign-in again.
    pub(super) fn begin_again(&self, request: Option<&AuthorizationRequest>) -> String {
        request.map_or_else(|| routes::SIGN_IN.to_owned(), |request| self.provider.begin_again_location(request))
    }

    /// The page, with the status of the reason.
    pub(super) fn provider_refused(&self, headers: &HeaderMap, why: Refusal, again: &str) -> WholeResponse {
        let link = Link::here(Text::LinkStartAgain, again);
        let page = refusal::page(self.view(headers, None), why.status(), why.code(), link, request_id(headers));
        let mut response = refusal::because(why.code(), page);
        if let Some(seconds) = why.wait() {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// The same for a form: a navigation is redirected to the page (decision 43).
    pub(super) fn provider_refused_form(&self, headers: &HeaderMap, refusal: Refusal, again: String) -> WholeResponse {
        let shown = Shown { refusal, again, request_id: request_id(headers).map(str::to_owned) };
        let sealed = self.seal.seal(Purpose::ProviderRefusal, &shown);
        let location = format!("{}?{}={sealed}", routes::SIGN_IN_PROVIDER, result::REFUSAL);
        if !csrf::is_navigation(headers) || location.len() > result::LOCATION_BYTES_MAX {
            return self.provider_refused(headers, refusal, &shown.again);
        }
        refusal::because(refusal.code(), reply::see_other(&location))
    }

    /// Shows what a form has led to: why it was refused, or the field of the password after the name.
    pub(crate) fn provider_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let sealed = |name| form.one(name).ok().flatten();
        if let Some(shown) = sealed(result::REFUSAL).and_then(|sealed| self.seal.open(Purpose::ProviderRefusal, sealed))
        {
            let Shown { refusal, again, request_id } = shown;
            let (view, link) = (self.view(headers, None), Link::here(Text::LinkStartAgain, again));
            return refusal::page(view, StatusCode::OK, refusal.code(), link, request_id.as_deref());
        }
        let named = sealed(result::PARAMETER).and_then(|sealed| self.password_page(headers, sealed));
        named.unwrap_or_else(|| reply::see_other(routes::SIGN_IN))
    }
}
