//! Signing in at another provider (pool §9.7): the browser is sent there, comes back, and is signed in as the user of the link.
//!
//! A sign-in is bound to its browser by a cookie, lives for five minutes, and ends once. A form is answered with a page that goes on to the
//! provider, and not with a redirect: Chromium follows the redirects of a form only to sites that `form-action` lists, and where a provider
//! leads is the provider's business.

pub(super) mod pending;
pub(super) mod refusing;
pub(super) mod returning;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::crypto::octets;
use crate::federation::Provider;
use crate::federation::refusal::Refusal;
use crate::hosted_ui::csrf;
use crate::hosted_ui::provider::pending::Pending;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::{AuthorizationRequest, OURSELVES};
use crate::oidc::LoginRequest;
use crate::page::headers::Frames;
use crate::page::pages::{ProviderButton, Providers, Redirecting};
use crate::page::site::NO_FORM;
use crate::seal::Purpose;
use crate::{reply, routes};

/// The way to a provider.
pub(super) struct Way {
    location: String,
    cookies: Vec<HeaderValue>,
}

impl HostedUi {
    /// Begins a sign-in at a provider. Without a `request`, the user returns to the start page afterwards.
    pub(super) async fn way_to(
        &self,
        headers: &HeaderMap,
        provider: &Arc<Provider>,
        request: Option<AuthorizationRequest>,
        login_hint: Option<&str>,
    ) -> Result<Way, Refusal> {
        let state = octets::token();
        // Whoever changes an account proves again who it is, also where the provider would not ask.
        let is_for_account = self.is_for_account(headers, request.as_ref());
        let mut login = LoginRequest {
            redirect_uri: self.provider_answer_address(provider),
            scope: provider.settings.scope.clone(),
            state: state.clone(),
            extra_params: parameters(request.as_ref(), login_hint, is_for_account),
        };
        let has = |name| login.extra_params.contains_key(name);
        let prompt = login.extra_params.get("prompt");
        let must_ask = prompt.is_some_and(|prompt| prompt.split(' ').any(|prompt| prompt == "login"));
        // Then it has to say when it has asked (OIDC Core §2). The person at the browser can take both away, and so it is the answer that counts.
        let asks_when = must_ask && !has("max_age") && !provider.settings.is_believed_to_ask;
        if asks_when {
            login.extra_params.insert("max_age".to_owned(), "0".to_owned());
        }
        let begun = match provider.client.begin(login).await {
            Ok(begun) => begun,
            Err(error) => {
                let refusal = provider.outcomes.failed(&error);
                provider.outcomes.refused(refusal);
                return Err(refusal);
            }
        };
        let now = self.clock.now();
        // The time between the password and the answer is the user's, who may have to choose an account. `Pending` says how it is looked at.
        let protocol = if asks_when { begun.pending.without_max_age() } else { begun.pending };
        let pending = Pending::new(&provider.settings.name, protocol, request, (must_ask, now));
        let cookies = pending::set(&self.cookies.provider, &self.seal, (&state, &pending), headers, now);
        let mut cookies = cookies.ok_or(Refusal::TooLong).inspect_err(|refusal| provider.outcomes.refused(*refusal))?;
        if self.browser(headers).is_none() {
            // The pages that follow an answer are bound to it, and the application may have named the provider: no page of ours was shown.
            cookies.push(csrf::set_browser(&self.cookies.form, &csrf::new_browser()));
        }
        Ok(Way { location: begun.location, cookies })
    }

    /// Handles the form with the buttons of the providers.
    pub(crate) async fn provider_form(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let (carried, request) = match self.received(Purpose::SignIn, headers, form) {
            Ok(received) => received,
            Err(refused) => {
                let (why, again) = self.refused_sign_in(refused);
                return self.refused(headers, why, again);
            }
        };
        let request: Option<AuthorizationRequest> = request;
        if let Some(Err(error)) = request.as_ref().map(|request| self.provider.check_again(request)) {
            return self.page_error(headers, error);
        }
        let one = |name| form.one(name).ok().flatten();
        let Some(provider) = one("provider").and_then(|name| self.federation.named(name)) else {
            // The name was typed, or the configuration has changed since the page was shown.
            return self.named(headers, request, (carried, one("username").unwrap_or_default())).await;
        };
        self.go_to(headers, provider, request, None).await
    }

    /// The page that goes on to a provider.
    pub(super) async fn go_to(
        &self,
        headers: &HeaderMap,
        provider: &Arc<Provider>,
        request: Option<AuthorizationRequest>,
        login_hint: Option<&str>,
    ) -> WholeResponse {
        let again = self.begin_again(request.as_ref());
        let view = self.view(headers, request.as_ref());
        match self.way_to(headers, provider, request, login_hint).await {
            Ok(Way { location, cookies }) => {
                let view = view.without_forms();
                let page = Redirecting { view, location: &location };
                with_cookies(view.respond(StatusCode::OK, &page, NO_FORM, Frames::Nobody), cookies)
            }
            Err(refusal) => self.provider_refused_form(headers, refusal, again),
        }
    }

    /// Answers an authorization request that names a provider.
    pub(super) async fn redirect_to(
        &self,
        headers: &HeaderMap,
        provider: &Arc<Provider>,
        request: AuthorizationRequest,
        login_hint: Option<&str>,
    ) -> WholeResponse {
        let again = self.begin_again(Some(&request));
        match self.way_to(headers, provider, Some(request), login_hint).await {
            Ok(Way { location, cookies }) => with_cookies(reply::see_other(&location), cookies),
            Err(refusal) => self.provider_refused(headers, refusal, &again),
        }
    }

    /// The provider that the application asks for, so that no page asks the user.
    pub(super) fn asked_for(&self, request: &AuthorizationRequest) -> Option<&Arc<Provider>> {
        self.federation.named(request.asked.provider.as_deref()?)
    }

    /// Whether users sign in at other providers.
    pub(crate) fn has_providers(&self) -> bool {
        !self.federation.providers().is_empty()
    }

    /// The buttons on the sign-in page. `None` if there are none, or if the application asks for users of the pool itself.
    pub(super) fn offered(&self, request: Option<&AuthorizationRequest>) -> Option<Providers<'_>> {
        let providers = self.federation.providers();
        let is_ours = request.is_some_and(|request| request.asked.provider.as_deref() == Some(OURSELVES));
        if providers.is_empty() || is_ours {
            return None;
        }
        let settings = providers.iter().map(|provider| &provider.settings);
        let buttons = settings.map(|settings| ProviderButton {
            name: &settings.name,
            title: &settings.title,
            logo: settings.logo.as_ref(),
        });
        Some(Providers { action: routes::SIGN_IN_PROVIDER, buttons: buttons.collect() })
    }

    /// Where the provider sends browsers back to: the host that this browser is on, which has its cookies. Built from the configuration, never from the
    /// `Host` of a request.
    fn provider_answer_address(&self, provider: &Provider) -> String {
        format!("{}{}", self.origin, provider.settings.callback_path)
    }
}

/// What the provider is told of the authorization request (pool §9.3), and the name that was typed.
fn parameters(
    request: Option<&AuthorizationRequest>,
    login_hint: Option<&str>,
    is_for_account: bool,
) -> BTreeMap<String, String> {
    let asked = request.map(|request| &request.asked);
    let hint = login_hint.or(asked.and_then(|asked| asked.login_hint.as_deref()));
    let prompt = asked.and_then(|asked| asked.prompt.as_deref()).or(is_for_account.then_some("login"));
    let max_age = asked.and_then(|asked| asked.max_age).map(|seconds| seconds.to_string());
    let locales = request.and_then(|request| request.ui_locales.as_deref());
    let all = [("login_hint", hint), ("prompt", prompt), ("max_age", max_age.as_deref()), ("ui_locales", locales)];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
}

fn with_cookies(mut response: WholeResponse, cookies: Vec<HeaderValue>) -> WholeResponse {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}
