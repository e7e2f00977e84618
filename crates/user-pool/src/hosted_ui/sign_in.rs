//! The sign-in page and its form.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::database;
use crate::directory::user::User;
use crate::events::event::Visit;
use crate::hosted_ui::page::Notice;
use crate::hosted_ui::result::{self, FormResult};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::hosted_ui::{csrf, refusal};
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::error::PageError;
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::pages::{PasskeyForm, SignIn as SignInPage};
use crate::page::site::Extras;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::signin::proof::{Proof, Proofs};
use crate::signin::step::UnderWay;
use crate::signin::{Outcome, state};
use crate::{reply, routes};

/// The waiting time that is shown if too many users are signing in.
pub(super) const BUSY_FOR: Duration = Duration::from_secs(5);

/// A sign-in form that was sent.
pub(super) struct Sent<'f> {
    pub(super) headers: &'f HeaderMap,
    pub(super) request: Option<AuthorizationRequest>,
    /// The hidden value.
    pub(super) carried: &'f str,
    pub(super) username: &'f str,
}

/// What the sign-in form already contains.
pub(super) struct Filled<'f> {
    /// The hidden value.
    pub(super) carried: &'f str,
    /// The value that binds forms to the browser.
    pub(super) browser: &'f str,
    pub(super) username: &'f str,
    pub(super) notice: Option<Notice>,
    /// Whether it leads to the pages of the account.
    pub(super) is_for_account: bool,
    /// Whether the user has typed the name, where it is asked for before the password.
    pub(super) is_named: bool,
}

impl HostedUi {
    /// Shows the sign-in page. Without a `request`, the user returns to the start page after the sign-in.
    pub(super) fn ask(
        &self,
        headers: &HeaderMap,
        request: Option<&AuthorizationRequest>,
        login_hint: Option<&str>,
    ) -> WholeResponse {
        self.ask_to_sign_in(headers, request, login_hint, (false, None))
    }

    /// Shows the sign-in page for the pages of the account.
    pub(super) fn ask_again_for_account(
        &self,
        headers: &HeaderMap,
        login_hint: Option<&str>,
        notice: Option<Notice>,
    ) -> WholeResponse {
        self.ask_to_sign_in(headers, None, login_hint, (true, notice))
    }

    fn ask_to_sign_in(
        &self,
        headers: &HeaderMap,
        request: Option<&AuthorizationRequest>,
        login_hint: Option<&str>,
        (is_for_account, notice): (bool, Option<Notice>),
    ) -> WholeResponse {
        let browser = self.browser(headers).map_or_else(csrf::new_browser, str::to_owned);
        let carried = state::carry(&self.seal, Purpose::SignIn, request, &browser, self.clock.now());
        let hint = login_hint.filter(|hint| hint.len() <= 256).unwrap_or_default();
        let mut response = self.sign_in_page(
            headers,
            notice.map_or(StatusCode::OK, Notice::status),
            request,
            &Filled { carried: &carried, browser: &browser, username: hint, notice, is_for_account, is_named: false },
        );
        response.headers_mut().append(header::SET_COOKIE, csrf::set_browser(&self.cookies.form, &browser));
        match notice {
            Some(notice) => refusal::because(notice.code(), response),
            None => response,
        }
    }

    pub(super) fn sign_in_page(
        &self,
        headers: &HeaderMap,
        status: StatusCode,
        request: Option<&AuthorizationRequest>,
        filled: &Filled<'_>,
    ) -> WholeResponse {
        let application = request.map(|request| self.provider.client_name(request));
        let view = self.view(headers, request);
        let links: Vec<_> = [self.email_code_link(request), self.recovery_link(request), self.sign_up_link(request)]
            .into_iter()
            .flatten()
            .collect();
        let offer = self.passkey_offer(request, filled.browser);
        let passkey = offer.as_ref().map(|offer| PasskeyForm {
            what: "get",
            options: &offer.options,
            action: routes::PASSKEY,
            carried: offer.carried.expose(),
            script: &offer.script,
        });
        let providers = self.offered(request);
        let has_logos =
            providers.as_ref().is_some_and(|providers| providers.buttons.iter().any(|button| button.logo.is_some()));
        let is_name_only = !filled.is_named && providers.is_some() && self.federation.knows_domains();
        let page = SignInPage {
            view,
            title: self.title.as_deref(),
            application: application.as_deref(),
            purpose: filled.is_for_account.then_some(Text::AccountSignIn),
            action: if is_name_only { routes::SIGN_IN_PROVIDER } else { routes::SIGN_IN },
            carried: filled.carried,
            name_label: self.name_label(),
            username: filled.username,
            alert: filled.notice.map(Notice::alert),
            links: &links,
            passkey,
            providers,
            is_name_only,
        };
        let form_action = request.map_or_else(|| "'self'".to_owned(), AuthorizationRequest::form_action);
        let extras = Extras { has_logos, script: offer.as_ref().map(|offer| &*offer.script) };
        view.respond_with(status, &page, (&form_action, Frames::Nobody), extras)
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
        let typed = (username, Secret::new(password.to_owned()));
        let visit = visit(headers, client, sent.request.as_ref());
        match self.verify_typed(headers, typed, (client, &visit)).await? {
            Ok(user) => {
                let under_way = UnderWay::of(&user, Proofs::first(Proof::Password));
                self.go_on(headers, under_way, sent.request, client).await
            }
            Err(notice) => Ok(self.again(sent, notice)),
        }
    }

    /// Verifies the name and the password that were typed on a sign-in page, ours or the operator's.
    pub(super) async fn verify_typed(
        &self,
        headers: &HeaderMap,
        (username, password): (&str, Secret<String>),
        (client, visit): (IpAddr, &Visit),
    ) -> Result<Result<Arc<User>, Notice>, database::Error> {
        if username.trim().is_empty() || password.expose().is_empty() {
            // An empty field is not an attempt (attacks U-05).
            return Ok(Err(Notice::Incomplete));
        }
        let known = self.known_browser(headers);
        let outcome = self.sign_in.password(username, password, (client, known.as_ref()), visit).await?;
        let (counter, notice) = match outcome {
            Outcome::User(user) => return Ok(Ok(user)),
            Outcome::Wrong => (&self.metrics.wrong_password, Notice::Wrong),
            Outcome::TooMany(wait) => (&self.metrics.rate_limited, Notice::TooMany(whole_seconds(wait))),
            Outcome::Busy => (&self.metrics.busy, Notice::Busy(whole_seconds(BUSY_FOR))),
            Outcome::Disabled => (&self.metrics.disabled, Notice::Disabled),
        };
        counter.increment();
        Ok(Err(notice))
    }

    /// Shows the sign-in form again, with the reason. A navigation is redirected to a page that shows both: the history of the
    /// browser then has no page that answers a `POST`, and Back does not ask whether to send the password again. The redirect
    /// has no status of its own for the reason, so that other clients get the page at once, with its status (decision 43).
    pub(super) fn again(&self, sent: Sent<'_>, notice: Notice) -> WholeResponse {
        if let Some(location) = self.form_result_location(&sent, notice) {
            return refusal::because(notice.code(), reply::see_other(&location));
        }
        let Sent { headers, request, carried, username } = sent;
        let browser = self.browser(headers).unwrap_or_default();
        let is_for_account = self.is_for_account(headers, request.as_ref());
        let filled = Filled { carried, browser, username, notice: Some(notice), is_for_account, is_named: true };
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
}

pub(super) fn whole_seconds(wait: Duration) -> u64 {
    wait.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)
}
