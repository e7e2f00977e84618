//! The password, as JSON from an own sign-in page.

use std::net::IpAddr;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;

use crate::database;
use crate::hosted_ui::own_page::answer::{self, Refused};
use crate::hosted_ui::own_page::errand::{HANDLE_LIFETIME, Handle, Ticket};
use crate::hosted_ui::own_page::proceed;
use crate::hosted_ui::refusal;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::{WholeRequest, WholeResponse};
use crate::secret::Secret;
use crate::signin::proof::{Proof, Proofs};
use crate::signin::step::UnderWay;

/// What the page sends. Other members are ignored, so that later versions can have more.
#[derive(Deserialize)]
struct Sent {
    handle: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

impl HostedUi {
    /// Answers the preflight request of a page.
    pub(crate) fn own_page_preflight(&self, headers: &HeaderMap) -> WholeResponse {
        answer::preflight(self.own_page_origin(headers))
    }

    /// Verifies user name and password that an own sign-in page sends.
    pub(crate) async fn own_page_json(&self, request: &WholeRequest, client: IpAddr) -> WholeResponse {
        let headers = request.headers();
        let Some(origin) = self.own_page_origin(headers) else {
            // No password of a page elsewhere is looked at, or that page could have the browsers of its visitors guess.
            return answer::readable(answer::refused(self.view(headers, None), Refused::Origin), None);
        };
        let answered = self.attempt(request, origin, client).await.unwrap_or_else(|error| {
            self.failures.report(&error);
            answer::because(self.view(headers, None), StatusCode::SERVICE_UNAVAILABLE, refusal::UNAVAILABLE)
        });
        answer::readable(answered, Some(origin))
    }

    fn own_page_origin<'h>(&self, headers: &'h HeaderMap) -> Option<&'h HeaderValue> {
        answer::origin(headers)
            .filter(|origin| origin.to_str().is_ok_and(|origin| self.brand.login_pages.allows(origin)))
    }

    async fn attempt(
        &self,
        request: &WholeRequest,
        origin: &HeaderValue,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let (headers, now) = (request.headers(), self.clock.now());
        let no_request = self.view(headers, None);
        // Another type could be sent without a preflight request.
        let sent = is_json(headers).then(|| serde_json::from_slice::<Sent>(request.body()).ok()).flatten();
        let Some(Sent { handle, username, password }) = sent else {
            return Ok(answer::refused(no_request, Refused::Malformed));
        };
        let handle = match self.own_page_handle(headers, &handle, origin) {
            Ok(handle) => handle,
            Err(why) => return Ok(answer::refused(no_request, why)),
        };
        let view = self.view(headers, Some(&handle.request));
        if let Err(error) = self.provider.check_again(&handle.request) {
            return Ok(answer::because(view, StatusCode::BAD_REQUEST, error.code()));
        }
        let password = Secret::new(password);
        let visit = visit(headers, client, Some(&handle.request));
        let user = match self.verify_typed(headers, (&username, password), (client, &visit)).await? {
            Ok(user) => user,
            Err(notice) => return Ok(answer::failed(view, notice)),
        };
        if !self.used.take(&handle.id, handle.made_at(), HANDLE_LIFETIME, now) {
            return Ok(answer::refused(view, Refused::HandleUsed));
        }
        let under_way = UnderWay::of(&user, Proofs::first(Proof::Password)).wanting(handle.request.wanted_level());
        // `None`: disabled, or with another password, at this moment. The ticket is refused then.
        let next = self.sign_in.next(&under_way).await?.map_or("done", |(_, step)| answer::next(&step));
        let origin = handle.origin.clone();
        let ticket = Ticket::new(handle, under_way, self.clock.now()).seal(&self.seal);
        Ok(answer::go_on(next, &proceed::location(&origin, "ticket", &ticket)))
    }

    /// The handle of a request, if this page may use it now.
    fn own_page_handle(&self, headers: &HeaderMap, text: &str, origin: &HeaderValue) -> Result<Handle, Refused> {
        let now = self.clock.now();
        let handle = Handle::open(&self.seal, text).ok_or(Refused::HandleForeign)?;
        let page = self.brand.login_pages.of(&handle.request.client_id).ok_or(Refused::Origin)?;
        if !origin.to_str().is_ok_and(|origin| page.allows(origin)) {
            return Err(Refused::Origin);
        }
        if handle.is_over(now) {
            return Err(Refused::HandleExpired);
        }
        // Where the page is on another site, browsers send no cookie. Where they send it, it must be the right one.
        if self.browser(headers).is_some_and(|browser| browser != handle.browser) {
            return Err(Refused::HandleForeign);
        }
        if self.used.has(&handle.id, handle.made_at(), now) {
            return Err(Refused::HandleUsed);
        }
        Ok(handle)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
