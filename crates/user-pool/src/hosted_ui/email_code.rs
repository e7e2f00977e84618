//! The pages that sign in with a code by mail: one takes a name, the next one the code. They are the same for everybody.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::hosted_ui::asking::Ask;
use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::tries::Tries;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::hosted_ui::whose::Whose;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::{Operation, Try, Visitor};
use crate::oauth::request::AuthorizationRequest;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Input, Label};
use crate::page::{Sentence, Text};
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::email_code::Proved;
use crate::self_service::{Bringer, SelfService};
use crate::signin::proof::{Proof, Proofs};
use crate::signin::step::UnderWay;
use crate::verification::code;

const ASK: Ask = Ask {
    place: Place { path: routes::EMAIL_CODE, purpose: Purpose::EmailCode },
    title: Text::EmailCodeTitle,
    lead: Text::EmailCodeLead,
    operation: Operation::SignIn,
    // The code is good in this browser only.
    have_code: None,
};
const ANSWER: Place = Place { path: routes::EMAIL_CODE_ANSWER, purpose: Purpose::EmailCodeAnswer };

/// Who may bring the code.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Answering {
    username: String,
    subject: Whose,
    #[serde(default)]
    tries: Tries,
}

impl HostedUi {
    fn email_codes(&self) -> Option<&SelfService> {
        self.service.as_ref().filter(|service| service.has_email_codes())
    }

    /// The link to the page that takes a name. `None` if nobody signs in with a code alone.
    pub(super) fn email_code_link(&self, request: Option<&AuthorizationRequest>) -> Option<Link> {
        self.email_codes()?;
        Some(self.link(Text::EmailCodeLink, routes::EMAIL_CODE, request))
    }

    /// Shows the page that takes a name.
    pub(crate) fn email_code_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let Some(service) = self.email_codes() else { return self.not_found(headers) };
        self.asking_page(headers, form, service, ASK)
    }

    /// Handles the name.
    pub(crate) async fn email_code(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = self.email_codes() else { return Ok(self.not_found(headers)) };
        let (flow, username) = match self.asked(headers, form, (service, ASK), client) {
            Ok(asked) => asked,
            Err(answer) => return Ok(*answer),
        };
        let language = self.view(headers, flow.request.as_ref()).language().to_owned();
        let now = self.clock.now();
        let subject = Whose(service.begin_sign_in(&username, language, now).await?);
        let tries = Tries::begun(code::Purpose::SignIn.lifetime(), now);
        let next = Flow::new(flow.request, Answering { username: flow.step.username, subject, tries });
        Ok(self
            .flow_on(headers, ANSWER, &next, |flow, carried, status| self.show_answer(headers, flow, carried, status)))
    }

    /// Shows the page that takes the code.
    pub(crate) fn email_code_answer_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        if self.email_codes().is_none() {
            return self.not_found(headers);
        }
        match self.flow::<Answering>(headers, ANSWER, form, false) {
            Ok(received) => self.show_answer(headers, &received.flow, &received.carried, StatusCode::OK),
            // Reached by redirect only.
            Err(refused) => self.unusable(headers, refused),
        }
    }

    fn show_answer(
        &self,
        headers: &HeaderMap,
        flow: &Flow<Answering>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.request.as_ref());
        let request = flow.request.as_ref();
        let page = FormPage {
            view,
            title: Text::EmailCodeTitle,
            alert: flow.alert(),
            lead: vec![Sentence::from(Text::EmailCodeSent).named("user", flow.step.username.as_str())],
            action: routes::EMAIL_CODE_ANSWER,
            carried,
            fields: vec![Field::required("code", Label::Text(Text::VerifyCode), Input::Code, "")],
            submit: Text::MfaSubmit,
            others: &[],
            links: &[self.link(Text::MfaSendAgain, routes::EMAIL_CODE, request), self.back(request)],
        };
        self.form_page(&page, view, status, request)
    }

    /// Handles the code. A second factor is asked for afterwards, if the user has one.
    pub(crate) async fn answer_email_code(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = self.email_codes() else { return Ok(self.not_found(headers)) };
        let mut flow = match self.flow::<Answering>(headers, ANSWER, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let Some(code) = field(form, "code") else { return Ok(self.twice(headers)) };
        let code = Secret::new(code.trim().to_owned());
        let show = |flow: &Flow<Answering>, carried: &str, status| self.show_answer(headers, flow, carried, status);
        if code.expose().is_empty() {
            return Ok(self.flow_again(headers, ANSWER, flow, Notice::incomplete(), show));
        }
        let (subject, now) = (flow.step.subject.0.clone(), self.clock.now());
        // A browser of somebody else gives no more tries.
        let known = self.known_browser(headers).filter(|known| known.is_of_subject(&subject));
        let visitor = Visitor { client, browser: known.as_ref().map(|known| &*known.id) };
        let username = flow.step.username.clone();
        let counted = (&*service.counted_name(&username), &*subject);
        let bringer = match service.limits.admit_try(Operation::ConfirmSignIn, counted, visitor, now) {
            Ok(Try::Counts) => Bringer::known(subject),
            Ok(Try::InVain(_)) => service.in_vain(&username),
            Err(wait) => return Ok(self.flow_again(headers, ANSWER, flow, Notice::too_many(wait), show)),
        };
        let visit = visit(headers, client, flow.request.as_ref());
        let notice = match service.sign_in_with_code(bringer, code, (&visit, now)).await? {
            Proved::Yes(user) => {
                let under_way = UnderWay::of(&user, Proofs::first(Proof::EmailCode));
                return self.go_on(headers, under_way, flow.request, client).await;
            }
            Proved::Wrong | Proved::TooMany => flow.step.tries.wrong(now),
            Proved::Expired => Notice::fault("code.expired", Text::CodeExpired),
        };
        Ok(self.flow_again(headers, ANSWER, flow, notice, show))
    }
}
