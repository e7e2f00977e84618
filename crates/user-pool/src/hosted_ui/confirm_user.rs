//! The link of a message that confirms a sign-up. Opening it confirms nothing, because programs that read mail follow links (pool §9.7): the page has a
//! button. Without what the link brings, the page asks for the name and the code.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::hosted_ui::asking::NAME_MAX;
use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::{Operation, Try};
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Input, Label, Notice as NoticePage};
use crate::page::site::NO_FORM;
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::Bringer;
use crate::self_service::settings::Address;
use crate::self_service::verify::Confirmed;

const PLACE: Place = Place { path: routes::CONFIRM_USER, purpose: Purpose::ConfirmUser };

/// What the link says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Opened {
    subject: String,
    /// Empty: the page asks for it, and for the name.
    code: String,
    /// What was typed there.
    #[serde(default)]
    username: String,
    /// Whether the button was used.
    is_done: bool,
}

impl HostedUi {
    /// Shows the page: with the button, or with the result.
    pub(crate) fn confirm_user_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let Some(service) = &self.service else { return self.not_found(headers) };
        match self.flow::<Opened>(headers, PLACE, form, false) {
            Ok(received) => self.show_opened(headers, &received.flow, &received.carried, StatusCode::OK),
            Err(Some(refused)) => *refused,
            Err(None) => {
                let given = |name| form.one(name).ok().flatten().unwrap_or_default().chars().take(64).collect();
                let (subject, code): (String, String) = (given("user_name"), given("confirmation_code"));
                if code.is_empty() && service.confirmed_address().is_none() {
                    return self.not_found(headers);
                }
                let opened = Opened { subject, code, username: String::new(), is_done: false };
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
        let (lead, fields, submit) = if flow.step.code.is_empty() {
            let name =
                Field::required("username", Label::Text(self.name_label()), Input::Username, &flow.step.username);
            let code = Field::required("code", Label::Text(Text::VerifyCode), Input::Code, "");
            (Text::ConfirmUserBring, vec![name, code], Text::VerifySubmit)
        } else {
            (Text::ConfirmUserLead, Vec::new(), Text::ConfirmUserSubmit)
        };
        let page = FormPage {
            view,
            title: Text::ConfirmUserTitle,
            alert: flow.alert(),
            lead: vec![lead.into()],
            action: routes::CONFIRM_USER,
            carried,
            fields,
            submit,
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
        let now = self.clock.now();
        let (bringer, address, code) = if flow.step.code.is_empty() {
            let (Some(username), Some(code)) = (field(form, "username"), field(form, "code")) else {
                return Ok(self.twice(headers));
            };
            flow.step.username = username.trim().chars().take(NAME_MAX).collect();
            let code = code.trim().to_owned();
            if flow.step.username.is_empty() || code.is_empty() {
                return Ok(self.flow_again(headers, PLACE, flow, Notice::incomplete(), show));
            }
            let confirming = service.confirming(&flow.step.username).await?;
            let Some((bringer, address)) = confirming else { return Ok(self.not_found(headers)) };
            (bringer, address, code)
        } else {
            // Links are in mails only.
            (Bringer::known(flow.step.subject.clone()), Address::Email, flow.step.code.clone())
        };
        // A link names the `sub` alone.
        let name = if bringer.is_named { service.counted_name(&flow.step.username) } else { bringer.subject.clone() };
        let (is_named, counted) = (bringer.is_named, (&*name, &*bringer.subject));
        let bringer = match service.limits.admit_try(Operation::ConfirmSignUp, counted, client, now) {
            Ok(Try::Counts) => bringer,
            Ok(Try::InVain(_)) => service.in_vain(&name),
            Err(wait) => return Ok(self.flow_again(headers, PLACE, flow, Notice::too_many(wait), show)),
        };
        let code = Secret::new(code);
        match service.confirm(bringer, address, code, (&visit(headers, client, None), now)).await? {
            Confirmed::Yes => {
                flow.step.is_done = true;
                Ok(self.flow_on(headers, PLACE, &Flow::new(None, flow.step), show))
            }
            Confirmed::AddressTaken => {
                Ok(self.flow_again(headers, PLACE, flow, Confirmed::AddressTaken.notice(), show))
            }
            // Not why: there may be nobody of this name.
            Confirmed::Wrong | Confirmed::TooMany | Confirmed::Expired if is_named => {
                Ok(self.flow_again(headers, PLACE, flow, Notice::not_of_name(), show))
            }
            // Not why: the link may be anybody's.
            Confirmed::Wrong | Confirmed::TooMany | Confirmed::Expired => {
                let notice = Notice::fault("code.expired", Text::ConfirmUserExpired);
                Ok(self.flow_again(headers, PLACE, flow, notice, show))
            }
        }
    }
}
