//! The page that takes the code of a sign-up, and sends another one.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::directory::user::User;
use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::{Operation, Try};
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Input, Label, Other};
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::Bringer;
use crate::self_service::settings::Address;
use crate::self_service::sign_up::SignedUp;
use crate::self_service::verify::Confirmed;
use crate::signin::proof::{Proof, Proofs};
use crate::signin::step::UnderWay;

const PLACE: Place = Place { path: routes::VERIFY, purpose: Purpose::Verify };

/// Who has to confirm what. Whoever has this page knows the password, or has just chosen it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Verifying {
    subject: String,
    address: Option<Address>,
    /// Whether another code was asked for.
    was_resent: bool,
}

impl Verifying {
    /// After a sign-up.
    pub(super) fn signed_up(SignedUp { subject, address }: SignedUp) -> Self {
        Self { subject, address, was_resent: false }
    }
}

impl HostedUi {
    /// Goes on at the page, after the right password of a user who is not confirmed. `None` if the pool has no such users.
    pub(super) async fn ask_unconfirmed(
        &self,
        headers: &HeaderMap,
        user: &User,
        request: Option<AuthorizationRequest>,
    ) -> Result<Option<WholeResponse>, database::Error> {
        let Some(service) = &self.service else { return Ok(None) };
        let address = service.address_of(user.subject()).await?;
        let verifying = Verifying { subject: user.subject().to_owned(), address, was_resent: false };
        Ok(Some(self.ask_to_verify(headers, Flow::new(request, verifying))))
    }

    /// Goes on at the page.
    pub(super) fn ask_to_verify(&self, headers: &HeaderMap, flow: Flow<Verifying>) -> WholeResponse {
        self.flow_on(headers, PLACE, &flow, |flow, carried, status| self.show_verify(headers, flow, carried, status))
    }

    /// Shows the page.
    pub(crate) fn verify_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        match self.flow::<Verifying>(headers, PLACE, form, false) {
            Ok(received) => self.show_verify(headers, &received.flow, &received.carried, StatusCode::OK),
            // Reached by redirect only.
            Err(refused) => self.unusable(headers, refused),
        }
    }

    fn show_verify(
        &self,
        headers: &HeaderMap,
        flow: &Flow<Verifying>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.request.as_ref());
        let lead = match (flow.step.address, flow.step.was_resent) {
            (None, _) => Text::VerifyByAdministrator,
            (Some(Address::Email), false) => Text::VerifyEmail,
            (Some(Address::PhoneNumber), false) => Text::VerifyPhone,
            (Some(_), true) => Text::VerifyResent,
        };
        if flow.step.address.is_none() {
            let link = Link::here(Text::LinkSignInPage, routes::SIGN_IN);
            let page = crate::page::pages::Notice { view, title: Text::VerifyTitle, text: lead, link };
            return view.respond(status, &page, "'none'", crate::page::headers::Frames::Nobody);
        }
        let links = [self.link(Text::LinkSignInPage, routes::SIGN_IN, flow.request.as_ref())];
        let page = FormPage {
            view,
            title: Text::VerifyTitle,
            alert: flow.alert(),
            lead: vec![lead.into()],
            action: routes::VERIFY,
            carried,
            fields: vec![Field::required("code", Label::Text(Text::VerifyCode), Input::Code, "")],
            submit: Text::VerifySubmit,
            others: &[Other { action: routes::RESEND, label: Text::VerifyResend }],
            links: &links,
        };
        self.form_page(&page, view, status, flow.request.as_ref())
    }

    /// Handles the form with the code. With the right one, the user is signed in: the password was typed or chosen in this browser.
    pub(crate) async fn verify(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = &self.service else { return Ok(self.not_found(headers)) };
        let flow = match self.flow::<Verifying>(headers, PLACE, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let Some(code) = field(form, "code") else { return Ok(self.twice(headers)) };
        let code = code.trim().to_owned();
        let show = |flow: &Flow<Verifying>, carried: &str, status| self.show_verify(headers, flow, carried, status);
        let Some(address) = flow.step.address.filter(|_| !code.is_empty()) else {
            return Ok(self.flow_again(headers, PLACE, flow, Notice::incomplete(), show));
        };
        let subject = flow.step.subject.clone();
        let now = self.clock.now();
        // Nobody has typed a name, and whoever has this page knows the password: this may be told.
        match service.limits.admit_try(Operation::ConfirmSignUp, (&subject, &subject), client, now) {
            Ok(Try::Counts) => {}
            Ok(Try::InVain(wait)) | Err(wait) => {
                return Ok(self.flow_again(headers, PLACE, flow, Notice::too_many(wait), show));
            }
        }
        let visit = visit(headers, client, flow.request.as_ref());
        match service.confirm(Bringer::known(subject.clone()), address, Secret::new(code), (&visit, now)).await? {
            Confirmed::Yes => match service.user(&subject).await? {
                Some(user) => {
                    let under_way = UnderWay::of(&user, Proofs::first(Proof::Password));
                    self.go_on(headers, under_way, flow.request, client).await
                }
                None => Ok(self.ask(headers, flow.request.as_ref(), None)),
            },
            refused => Ok(self.flow_again(headers, PLACE, flow, refused.notice(), show)),
        }
    }

    /// Sends another code.
    pub(crate) async fn resend(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = &self.service else { return Ok(self.not_found(headers)) };
        let mut flow = match self.flow::<Verifying>(headers, PLACE, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let show = |flow: &Flow<Verifying>, carried: &str, status| self.show_verify(headers, flow, carried, status);
        let Some(address) = flow.step.address else { return Ok(self.ask_to_verify(headers, flow)) };
        let subject = flow.step.subject.clone();
        if let Err(wait) = service.limits.admit(Operation::Resend, &subject, client, self.clock.now()) {
            return Ok(self.flow_again(headers, PLACE, flow, Notice::too_many(wait), show));
        }
        let language = self.view(headers, flow.request.as_ref()).language().to_owned();
        let visit = visit(headers, client, flow.request.as_ref());
        service.resend(subject, address, language, (&visit, self.clock.now())).await?;
        flow.step.was_resent = true;
        Ok(self.ask_to_verify(headers, Flow::new(flow.request, flow.step)))
    }
}

impl Confirmed {
    /// What the page says.
    pub(super) fn notice(self) -> Notice {
        match self {
            Self::Yes | Self::Wrong => Notice::fault("code.wrong", Text::CodeWrong),
            Self::TooMany => Notice::fault("code.too_many_tries", Text::CodeTooManyTries),
            Self::Expired => Notice::fault("code.expired", Text::CodeExpired),
            Self::AddressTaken => Notice::new("verify.address_taken", StatusCode::CONFLICT, Text::VerifyAddressTaken),
        }
    }
}
