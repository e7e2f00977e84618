//! The pages for another password: one takes a name, the next one the code and the password (pool §6.3). They are the same for everybody.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Input, Label, Notice as NoticePage};
use crate::page::site::NO_FORM;
use crate::page::{Sentence, Text};
use crate::secret::Secret;
use crate::user_pool::directory::user::User;
use crate::user_pool::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::user_pool::hosted_ui::ui::HostedUi;
use crate::user_pool::hosted_ui::visitor::visit;
use crate::user_pool::messages::limits::Operation;
use crate::user_pool::oauth::request::AuthorizationRequest;
use crate::user_pool::routes;
use crate::user_pool::seal::Purpose;
use crate::user_pool::self_service::SelfService;
use crate::user_pool::self_service::recovery::Recovered;

const FORGOT: Place = Place { path: routes::FORGOT_PASSWORD, purpose: Purpose::ForgotPassword };
const RESET: Place = Place { path: routes::RESET_PASSWORD, purpose: Purpose::ResetPassword };

/// Who wants another password.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Asking {
    /// What was typed.
    username: String,
    /// Whether the password of before was right, and another one is needed.
    is_required: bool,
}

/// Who may set another password.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Resetting {
    username: String,
    subject: String,
    is_done: bool,
}

impl HostedUi {
    fn recovery(&self) -> Option<&SelfService> {
        self.service.as_ref().filter(|service| service.has_recovery())
    }

    /// The link to the page that takes a name. `None` if only administrators set passwords.
    pub(super) fn recovery_link(&self, request: Option<&AuthorizationRequest>) -> Option<Link> {
        self.recovery()?;
        Some(self.link(Text::RecoveryLink, routes::FORGOT_PASSWORD, request))
    }

    /// Goes on at the page, after the right password of a user who needs another one. `None` if only administrators set passwords.
    pub(super) fn ask_to_reset(
        &self,
        headers: &HeaderMap,
        user: &User,
        request: Option<AuthorizationRequest>,
    ) -> Option<WholeResponse> {
        let service = self.recovery()?;
        let username = user.shown_name().to_owned();
        let flow = Flow::new(request, Asking { username, is_required: true });
        Some(self.flow_on(headers, FORGOT, &flow, |flow, carried, status| {
            self.show_forgot(headers, service, flow, carried, status)
        }))
    }

    /// Shows the page that takes a name.
    pub(crate) fn forgot_password_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let Some(service) = self.recovery() else { return self.not_found(headers) };
        match self.flow::<Asking>(headers, FORGOT, form, false) {
            Ok(received) => self.show_forgot(headers, service, &received.flow, &received.carried, StatusCode::OK),
            Err(Some(refused)) => *refused,
            Err(None) => {
                let flow = Flow::new(self.kept_request(form), Asking::default());
                self.first_page(headers, FORGOT, &flow, |carried| {
                    self.show_forgot(headers, service, &flow, carried, StatusCode::OK)
                })
            }
        }
    }

    fn show_forgot(
        &self,
        headers: &HeaderMap,
        service: &SelfService,
        flow: &Flow<Asking>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.ui_locales());
        let lead = if flow.step.is_required { Text::RecoveryRequired } else { Text::RecoveryLead };
        let label = Label::Text(service.name_label());
        let page = FormPage {
            view,
            title: Text::RecoveryTitle,
            alert: flow.alert(),
            lead: vec![lead.into()],
            action: routes::FORGOT_PASSWORD,
            carried,
            fields: vec![Field::required("username", label, Input::Username, &flow.step.username)],
            submit: Text::RecoverySubmit,
            others: &[],
            links: &[self.back(flow.request.as_ref())],
        };
        self.form_page(&page, view, status, flow.request.as_ref())
    }

    /// Handles the name.
    pub(crate) async fn forgot_password(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = self.recovery() else { return Ok(self.not_found(headers)) };
        let mut flow = match self.flow::<Asking>(headers, FORGOT, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let Some(username) = field(form, "username") else { return Ok(self.twice(headers)) };
        let username = username.trim().to_owned();
        flow.step.username = username.chars().take(256).collect();
        let show =
            |flow: &Flow<Asking>, carried: &str, status| self.show_forgot(headers, service, flow, carried, status);
        if username.is_empty() {
            return Ok(self.flow_again(headers, FORGOT, flow, Notice::incomplete(), show));
        }
        let now = self.clock.now();
        if let Err(wait) = service.limits.admit(Operation::Reset, &username.to_lowercase(), client, now) {
            return Ok(self.flow_again(headers, FORGOT, flow, Notice::too_many(wait), show));
        }
        let language = self.view(headers, flow.ui_locales()).language().to_owned();
        let visit = visit(headers, client, flow.request.as_ref());
        let subject = service.begin_recovery(&username, language, (&visit, now)).await?;
        let next = Flow::new(flow.request, Resetting { username: flow.step.username, subject, is_done: false });
        Ok(self.flow_on(headers, RESET, &next, |flow, carried, status| self.show_reset(headers, flow, carried, status)))
    }

    /// Shows the page that takes the code and the password.
    pub(crate) fn reset_password_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        if self.recovery().is_none() {
            return self.not_found(headers);
        }
        match self.flow::<Resetting>(headers, RESET, form, false) {
            Ok(received) => self.show_reset(headers, &received.flow, &received.carried, StatusCode::OK),
            // Reached by redirect only.
            Err(refused) => self.unusable(headers, refused),
        }
    }

    fn show_reset(
        &self,
        headers: &HeaderMap,
        flow: &Flow<Resetting>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.ui_locales());
        let back = self.back(flow.request.as_ref());
        if flow.step.is_done {
            let page = NoticePage { view, title: Text::RecoveryDone, text: Text::RecoverySignIn, link: back };
            return view.respond(status, &page, NO_FORM, Frames::Nobody);
        }
        let fields = vec![
            Field::required("code", Label::Text(Text::VerifyCode), Input::Code, ""),
            Field::required("password", Label::Text(Text::NewPasswordLabel), Input::NewPassword, ""),
        ];
        let page = FormPage {
            view,
            title: Text::RecoveryTitle,
            alert: flow.alert(),
            lead: vec![Sentence::from(Text::RecoverySent).named("user", flow.step.username.as_str())],
            action: routes::RESET_PASSWORD,
            carried,
            fields,
            submit: Text::NewPasswordSubmit,
            others: &[],
            links: &[back],
        };
        self.form_page(&page, view, status, flow.request.as_ref())
    }

    /// Handles the code and the password. The user signs in with it afterwards: there may be a second factor.
    pub(crate) async fn reset_password(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = self.recovery() else { return Ok(self.not_found(headers)) };
        let mut flow = match self.flow::<Resetting>(headers, RESET, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let (Some(code), Some(password)) = (field(form, "code"), field(form, "password")) else {
            return Ok(self.twice(headers));
        };
        let (code, password) = (Secret::new(code.trim().to_owned()), Secret::new(password.to_owned()));
        let show = |flow: &Flow<Resetting>, carried: &str, status| self.show_reset(headers, flow, carried, status);
        if code.expose().is_empty() || password.expose().is_empty() {
            return Ok(self.flow_again(headers, RESET, flow, Notice::incomplete(), show));
        }
        let (subject, now) = (flow.step.subject.clone(), self.clock.now());
        if let Err(wait) = service.limits.admit(Operation::ConfirmReset, &subject, client, now) {
            return Ok(self.flow_again(headers, RESET, flow, Notice::too_many(wait), show));
        }
        let visit = visit(headers, client, flow.request.as_ref());
        let notice = match service.recover(subject, code, password, (&visit, now)).await? {
            Recovered::Yes => {
                flow.step.is_done = true;
                return Ok(self.flow_on(headers, RESET, &Flow::new(flow.request, flow.step), show));
            }
            Recovered::Wrong => Notice::fault("code.wrong", Text::CodeWrong),
            Recovered::TooMany => Notice::fault("code.too_many_tries", Text::CodeTooManyTries),
            Recovered::Expired => Notice::fault("code.expired", Text::CodeExpired),
            Recovered::Refused(fault) => Notice::fault("form.password", fault.sentence()),
            Recovered::Busy => Notice::busy(),
        };
        Ok(self.flow_again(headers, RESET, flow, notice, show))
    }

    /// Back to the sign-in page, with the request of the application.
    pub(super) fn back(&self, request: Option<&AuthorizationRequest>) -> Link {
        self.link(Text::LinkSignInPage, routes::SIGN_IN, request)
    }
}
