//! Sign-in pages of the operator's own (decision 100): the way there, the password, and the way on.
//!
//! 1. [`to_own_page`](HostedUi::to_own_page): the authorization endpoint redirects to the page, with a handle.
//! 2. [`json`]: the page sends user name and password as JSON, and gets an address of ours.
//! 3. [`proceed`]: the browser opens that address. What comes after a password is on our pages, as after our own form. The session begins here,
//!    with our cookie as that of the site in the address bar.

mod answer;
mod errand;
mod json;
mod proceed;

#[cfg(test)]
pub(super) use answer::Refused;

use http::{HeaderMap, header};

use crate::hosted_ui::csrf;
use crate::hosted_ui::own_page::errand::Handle;
use crate::hosted_ui::ui::HostedUi;
use crate::message::{WholeResponse, form};
use crate::oauth::request::AuthorizationRequest;
use crate::reply;

/// Longest user name that an application may suggest.
const HINT_BYTES_MAX: usize = 256;

impl HostedUi {
    /// The redirect to the own sign-in page of the client. `None` if it has none.
    pub(super) fn to_own_page(
        &self,
        headers: &HeaderMap,
        request: &AuthorizationRequest,
        login_hint: Option<&str>,
    ) -> Option<WholeResponse> {
        let page = self.brand.login_pages.of(&request.client_id)?;
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let handle = Handle::new(request.clone(), (&self.origin, browser.clone()), self.clock.now()).seal(&self.seal);
        let hint = login_hint.filter(|hint| hint.len() <= HINT_BYTES_MAX);
        let more = [("login_hint", hint), ("ui_locales", request.ui_locales.as_deref())];
        let more = more.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let fields = [("handle", &*handle), ("client_id", &request.client_id)].into_iter().chain(more);
        // In the fragment, which browsers send to no server and in no `Referer`.
        let location = format!("{}#{}", page.url, form::encode(fields));
        let mut response = reply::see_other(&location);
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        Some(response)
    }
}
