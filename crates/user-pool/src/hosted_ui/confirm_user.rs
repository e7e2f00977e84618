//! The link of a message that confirms a sign-up. Opening it confirms nothing, because programs that read mail follow links (pool §9.7): the page has a
//! button.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::hosted_ui::flow::{Flow, Notice, Place};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::Operation;
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{Form as FormPage, Notice as NoticePage};
use crate::page::site::NO_FORM;
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::settings::Address;
use crate::self_service::verify::Confirmed;

const PLACE: Place = Place { path: routes::CONFIRM_USER, purpose: Purpose::ConfirmUser };

/// What the link says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Opened {
    subject: String,
    code: String,
    /// Whether the button was used.
    is_done: bool,
}

impl HostedUi {
    /// Shows the page: with the button, or with the result.
    pub(crate) fn confirm_user_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        if self.service.is_none() {
            return self.not_found(headers);
        }
        match self.flow::<Opened>(headers, PLACE, form, false) {
            Ok(received) => self.show_opened(headers, &received.flow, &received.carried, StatusCode::OK),
            Err(Some(refused)) => *refused,
            Err(None) => {
                let given = |name| form.one(name).ok().flatten().unwrap_or_default().chars().take(64).collect();
                let opened = Opened { subject: given("user_name"), code: given("confirmation_code"), is_done: false };
                let flow = Flow::new(None, opened);
                self.first_page(headers, PLACE, &flow, |carried| {
                    self.show_opened(headers, &flow, carried, StatusCode::OK)
                })
            }
        }
    }

    fn show_opened(
        &self,
        headers: &HeaderMap,
        flow: &Flow<Opened>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, None);
        let sign_in = Link::here(Text::LinkSignInPage, routes::SIGN_IN);
        if flow.step.is_done {
            let page = NoticePage { view, title: Text::ConfirmUserDone, text: Text::ConfirmUserSignIn, link: sign_in };
            return view.respond(status, &page, NO_FORM, Frames::Nobody);
        }
        let page = FormPage {
            view,
            title: Text::ConfirmUserTitle,
            alert: flow.alert(),
            lead: vec![Text::ConfirmUserLead.into()],
            action: routes::CONFIRM_USER,
            carried,
            fields: Vec::new(),
            submit: Text::ConfirmUserSubmit,
            others: &[],
            links: &[sign_in],
        };
        self.form_page(&page, view, status, None)
    }

    /// Handles the button. It may be pressed in another browser than the one of the sign-up, so nobody is signed in.
    pub(crate) async fn confirm_user(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = &self.service else { return Ok(self.not_found(headers)) };
        let mut flow = match self.flow::<Opened>(headers, PLACE, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let show = |flow: &Flow<Opened>, carried: &str, status| self.show_opened(headers, flow, carried, status);
        let (subject, now) = (flow.step.subject.clone(), self.clock.now());
        if let Err(wait) = service.limits.admit(Operation::ConfirmSignUp, &subject, client, now) {
            return Ok(self.flow_again(headers, PLACE, flow, Notice::too_many(wait), show));
        }
        // Links are in mails only.
        let code = Secret::new(flow.step.code.clone());
        match service.confirm(subject, Address::Email, code, (&visit(headers, client, None), now)).await? {
            Confirmed::Yes => {
                flow.step.is_done = true;
                Ok(self.flow_on(headers, PLACE, &Flow::new(None, flow.step), show))
            }
            Confirmed::AddressTaken => {
                Ok(self.flow_again(headers, PLACE, flow, Confirmed::AddressTaken.notice(), show))
            }
            // Not why: the link may be anybody's.
            Confirmed::Wrong | Confirmed::TooMany | Confirmed::Expired => {
                let notice = Notice::fault("code.expired", Text::ConfirmUserExpired);
                Ok(self.flow_again(headers, PLACE, flow, notice, show))
            }
        }
    }
}
