//! The name before the password, where the domain of an e-mail address can choose a provider (pool §10.6).
//!
//! The domain alone decides, so the answer is the same whether the user exists or not (attacks U-01).

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::hosted_ui::result;
use crate::hosted_ui::sign_in::Filled;
use crate::hosted_ui::ui::HostedUi;
use crate::identity::email;
use crate::message::WholeResponse;
use crate::oauth::request::AuthorizationRequest;
use crate::seal::Purpose;
use crate::signin::state;
use crate::{reply, routes};

/// A sign-in whose name is known, and whose password is not.
#[derive(Serialize, Deserialize)]
struct Named {
    /// The hidden value of the form. It keeps its age.
    carried: String,
    username: String,
}

impl HostedUi {
    /// Goes on after the name: to the provider of its domain, or to the field for the password.
    pub(super) async fn named(
        &self,
        headers: &HeaderMap,
        request: Option<AuthorizationRequest>,
        (carried, username): (&str, &str),
    ) -> WholeResponse {
        let address = email::parse(username);
        if let Some((address, domain)) = &address
            && let Some(provider) = self.federation.of_domain(domain)
        {
            return self.go_to(headers, provider, request, Some(address)).await;
        }
        let Some(browser) = self.browser(headers).filter(|_| !username.trim().is_empty()) else {
            return self.ask(headers, request.as_ref(), None);
        };
        let named = Named { carried: carried.to_owned(), username: username.to_owned() };
        let sealed = state::carry(&self.seal, Purpose::NamedSignIn, named, browser, self.clock.now());
        let location = format!("{}?{}={sealed}", routes::SIGN_IN_PROVIDER, result::PARAMETER);
        if location.len() <= result::LOCATION_BYTES_MAX {
            return reply::see_other(&location);
        }
        let is_for_account = self.is_for_account(headers, request.as_ref());
        let filled = Filled { carried, browser, username, notice: None, is_for_account, is_named: true };
        self.sign_in_page(headers, StatusCode::OK, request.as_ref(), &filled)
    }

    /// The page that asks for the password of a name. `None` if `sealed` is not ours, not of this browser, or too old.
    pub(super) fn password_page(&self, headers: &HeaderMap, sealed: &str) -> Option<WholeResponse> {
        let (browser, now) = (self.browser(headers), self.clock.now());
        let Named { carried, username } =
            state::receive(&self.seal, Purpose::NamedSignIn, sealed, browser, now).ok()?;
        let request: Option<AuthorizationRequest> =
            match state::receive(&self.seal, Purpose::SignIn, &carried, browser, now) {
                Ok(request) => request,
                Err(refused) => {
                    let (why, again) = self.refused_sign_in(refused);
                    return Some(self.refused_page(headers, why, &again));
                }
            };
        let browser = browser.unwrap_or_default();
        let is_for_account = self.is_for_account(headers, request.as_ref());
        let (carried, username) = (&*carried, &*username);
        let filled = Filled { carried, browser, username, notice: None, is_for_account, is_named: true };
        Some(self.sign_in_page(headers, StatusCode::OK, request.as_ref(), &filled))
    }
}
