//! Passkeys outside of the steps of a sign-in: to sign in with one instead of a password, to add one, and the script.

use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};

use crate::credential::webauthn::Question;
use crate::database;
use crate::events::event::{Challenge, Kind as EventKind, Reason, Response};
use crate::hosted_ui::page::Notice;
use crate::hosted_ui::sign_in::Sent;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::page::PASSKEY_SCRIPT;
use crate::page::headers::harden;
use crate::routes::account::Section;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::signin::proof::Proofs;
use crate::signin::state;
use crate::signin::step::UnderWay;
use crate::{reply, routes};

/// For the sign-in log.
const FAILED: (EventKind, Response) = (EventKind::SignIn, Response::Fail);

/// The value of the form on the sign-in page.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    question: Question,
    request: Option<AuthorizationRequest>,
}

/// What the form on the sign-in page has.
pub(super) struct Offer {
    pub(super) options: String,
    pub(super) carried: Secret<String>,
    pub(super) script: String,
}

impl HostedUi {
    /// The form of the sign-in page. `None` if passkeys do not sign in without a password.
    pub(super) fn passkey_offer(&self, request: Option<&AuthorizationRequest>, browser: &str) -> Option<Offer> {
        if !self.sign_in.passkey_is_first() {
            return None;
        }
        let question = self.sign_in.ask_passkey()?;
        let options = self.sign_in.passkey_options(&question, &[])?.to_string();
        let asked = Asked { question, request: request.cloned() };
        let carried = Secret::new(state::carry(&self.seal, Purpose::Passkey, asked, browser, self.clock.now()));
        Some(Offer { options, carried, script: self.script_url() })
    }

    /// Takes the answer of an authenticator on the sign-in page.
    pub(crate) async fn sign_in_with_passkey(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        if !self.sign_in.passkey_is_first() {
            return Ok(self.not_found(headers));
        }
        let asked: Asked = match self.received(Purpose::Passkey, headers, form) {
            Ok((_, asked)) => asked,
            Err(refused) => {
                let (why, again) = self.refused_sign_in(match refused {
                    state::Refused::Foreign => state::Refused::Foreign,
                    state::Refused::OtherBrowser(Asked { request, .. }) => state::Refused::OtherBrowser(request),
                    state::Refused::Expired(Asked { request, .. }) => state::Refused::Expired(request),
                });
                return Ok(self.refused(headers, why, again));
            }
        };
        let Asked { question, request } = asked;
        if let Some(Err(error)) = request.as_ref().map(|request| self.provider.check_again(request)) {
            return Ok(self.page_error(headers, error));
        }
        let answer = form.one("credential").ok().flatten().unwrap_or_default();
        let visit = visit(headers, client, request.as_ref());
        let notice = match self.sign_in.passkey(answer, question).await? {
            Some((user, proof)) if user.is_enabled() => {
                return self.go_on(headers, UnderWay::of(&user, Proofs::first(proof)), request, client).await;
            }
            Some((user, proof)) => {
                self.metrics.disabled.increment();
                let event = self.events.event(Some(user.subject()), FAILED, &visit);
                self.events.put(event.because(Reason::Disabled).after(Proofs::first(proof).challenges()));
                Notice::Disabled
            }
            None => {
                self.metrics.wrong_code.increment();
                // Whose it is, nobody has shown.
                self.events.answered(None, FAILED, (Challenge::Mfa, false), &visit);
                Notice::PasskeyRefused
            }
        };
        let browser = self.browser(headers).unwrap_or_default();
        let carried = state::carry(&self.seal, Purpose::SignIn, &request, browser, self.clock.now());
        Ok(self.again(Sent { headers, request, carried: &carried, username: "" }, notice))
    }

    /// The address of Cognito (pool §9.2) for the page of the account that adds a passkey.
    pub(crate) fn add_passkey_page(&self, headers: &HeaderMap) -> WholeResponse {
        if self.sign_in.has_passkeys() { reply::see_other(Section::Passkey.path()) } else { self.not_found(headers) }
    }

    /// The script of the pages with passkeys.
    pub(crate) fn passkey_script(&self) -> WholeResponse {
        let mut response = WholeResponse::new(Bytes::from_static(PASSKEY_SCRIPT.as_bytes()));
        *response.status_mut() = StatusCode::OK;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript; charset=utf-8"));
        harden(headers);
        response
    }

    /// The address of the script: the one source of scripts that the policy of a page allows.
    pub(super) fn script_url(&self) -> String {
        format!("{}{}", self.origin, routes::PASSKEY_SCRIPT)
    }
}
