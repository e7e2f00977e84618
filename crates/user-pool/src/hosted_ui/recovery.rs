//! The pages for another password: one takes a name, the next one the code and the password (pool §6.3). They are the same for everybody.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::directory::user::User;
use crate::hosted_ui::asking::{Ask, Asking, NAME_MAX};
use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::tries::Tries;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::hosted_ui::whose::Whose;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::{Operation, Try, Visitor};
use crate::oauth::request::AuthorizationRequest;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Input, Label, Notice as NoticePage};
use crate::page::site::NO_FORM;
use crate::page::{Sentence, Text};
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::recovery::Recovered;
use crate::self_service::{Bringer, SelfService};
use crate::verification::code;

const FORGOT: Ask = Ask {
    place: Place { path: routes::FORGOT_PASSWORD, purpose: Purpose::ForgotPassword },
    title: Text::RecoveryTitle,
    lead: Text::RecoveryLead,
    operation: Operation::Reset,
    have_code: Some(routes::RESET_PASSWORD),
};
const RESET: Place = Place { path: routes::RESET_PASSWORD, purpose: Purpose::ResetPassword };

/// Who may set another password.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Resetting {
    username: String,
    /// `None`: the page was opened by the link of a message, and asks for the name, too.
    subject: Option<Whose>,
    #[serde(default)]
    tries: Tries,
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
        Some(self.flow_on(headers, FORGOT.place, &flow, |flow, carried, status| {
            self.show_asking(headers, service, FORGOT, (flow, carried), status)
        }))
    }

    /// Shows the page that takes a name.
    pub(crate) fn forgot_password_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let Some(service) = self.recovery() else { return self.not_found(headers) };
        self.asking_page(headers, form, service, FORGOT)
    }

    /// Handles the name.
    pub(crate) async fn forgot_password(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = self.recovery() else { return Ok(self.not_found(headers)) };
        let (flow, username) = match self.asked(headers, form, (service, FORGOT), client) {
            Ok(asked) => asked,
            Err(answer) => return Ok(*answer),
        };
        let language = self.view(headers, flow.request.as_ref()).language().to_owned();
        let visit = visit(headers, client, flow.request.as_ref());
        let now = self.clock.now();
        let subject = service.begin_recovery(&username, language, (&visit, now)).await?;
        let tries = Tries::begun(code::Purpose::Reset.lifetime(), now);
        let step = Resetting { username: flow.step.username, subject: Some(Whose(subject)), tries, is_done: false };
        let next = Flow::new(flow.request, step);
        Ok(self.flow_on(headers, RESET, &next, |flow, carried, status| self.show_reset(headers, flow, carried, status)))
    }

    /// Shows the page that takes the code and the password.
    pub(crate) fn reset_password_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        if self.recovery().is_none() {
            return self.not_found(headers);
        }
        match self.flow::<Resetting>(headers, RESET, form, false) {
            Ok(received) => self.show_reset(headers, &received.flow, &received.carried, StatusCode::OK),
            Err(Some(refused)) => *refused,
            Err(None) => {
                let flow = Flow::new(self.kept_request(form), Resetting::default());
                self.first_page(headers, RESET, &flow, |carried| {
                    self.show_reset(headers, &flow, carried, StatusCode::OK)
                })
            }
        }
    }

    fn show_reset(
        &self,
        headers: &HeaderMap,
        flow: &Flow<Resetting>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.request.as_ref());
        let back = self.back(flow.request.as_ref());
        if flow.step.is_done {
            let page = NoticePage { view, title: Text::RecoveryDone, text: Text::RecoverySignIn, link: back };
            return view.respond(status, &page, NO_FORM, Frames::Nobody);
        }
        let mut fields = vec![
            Field::required("code", Label::Text(Text::VerifyCode), Input::Code, ""),
            self.new_password_field(Text::NewPasswordLabel),
        ];
        let username = flow.step.username.as_str();
        let (lead, links) = match flow.step.subject {
            Some(_) => (Sentence::from(Text::RecoverySent).named("user", username), vec![back]),
            None => {
                let label = Label::Text(self.name_label());
                fields.insert(0, Field::required("username", label, Input::Username, username));
                let another = self.link(Text::MfaSendAgain, routes::FORGOT_PASSWORD, flow.request.as_ref());
                (Text::RecoveryBring.into(), vec![another, back])
            }
        };
        let page = FormPage {
            view,
            title: Text::RecoveryTitle,
            alert: flow.alert(),
            lead: vec![lead],
            action: routes::RESET_PASSWORD,
            carried,
            fields,
            submit: Text::NewPasswordSubmit,
            others: &[],
            links: &links,
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
        if flow.step.subject.is_none() {
            let Some(username) = field(form, "username") else { return Ok(self.twice(headers)) };
            flow.step.username = username.trim().chars().take(NAME_MAX).collect();
        }
        if code.expose().is_empty() || password.expose().is_empty() || flow.step.username.is_empty() {
            return Ok(self.flow_again(headers, RESET, flow, Notice::incomplete(), show));
        }
        let bringer = match &flow.step.subject {
            Some(subject) => Bringer::known(subject.0.clone()),
            None => service.recovering(&flow.step.username).await?,
        };
        let (is_named, now, username) = (bringer.is_named, self.clock.now(), flow.step.username.clone());
        // A browser of somebody else gives no more tries.
        let known = self.known_browser(headers).filter(|known| known.is_of_subject(&bringer.subject));
        let visitor = Visitor { client, browser: known.as_ref().map(|known| &*known.id) };
        let counted = (&*service.counted_name(&username), &*bringer.subject);
        let bringer = match service.limits.admit_try(Operation::ConfirmReset, counted, visitor, now) {
            Ok(Try::Counts) => bringer,
            Ok(Try::InVain(_)) => service.in_vain(&username),
            Err(wait) => return Ok(self.flow_again(headers, RESET, flow, Notice::too_many(wait), show)),
        };
        let visit = visit(headers, client, flow.request.as_ref());
        let notice = match service.recover(bringer, code, password, (&visit, now)).await? {
            Recovered::Yes => {
                flow.step.is_done = true;
                return Ok(self.flow_on(headers, RESET, &Flow::new(flow.request, flow.step), show));
            }
            // Not which: there may be no code of this name.
            Recovered::Wrong | Recovered::TooMany | Recovered::Expired if is_named => Notice::not_of_name(),
            Recovered::Wrong | Recovered::TooMany => flow.step.tries.wrong(now),
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
