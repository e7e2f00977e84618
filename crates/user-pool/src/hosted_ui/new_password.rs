//! The page on which a user changes a temporary password, and gives what the pool requires (pool §2.3).

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::directory::user::User;
use crate::hosted_ui::fields::{attribute_field, wrong_attribute};
use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::pages::Form as FormPage;
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::first_password::Refused;
use crate::signin::proof::{Proof, Proofs};
use crate::signin::step::UnderWay;

const PLACE: Place = Place { path: routes::NEW_PASSWORD, purpose: Purpose::NewPassword };

/// Whose temporary password was typed.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Changing {
    subject: String,
    /// The fingerprint of the user with the temporary password.
    fingerprint: String,
    /// Names of the attributes that are missing, and what was typed.
    missing: Vec<(String, String)>,
}

impl HostedUi {
    /// Goes on at the page, after the right temporary password. `None` if the pool has no such users.
    pub(super) async fn ask_new_password(
        &self,
        headers: &HeaderMap,
        user: &User,
        request: Option<AuthorizationRequest>,
    ) -> Result<Option<WholeResponse>, database::Error> {
        let Some(service) = &self.service else { return Ok(None) };
        let missing = service.missing(user.subject()).await?.into_iter().map(|name| (name, String::new())).collect();
        let (subject, fingerprint) = (user.subject().to_owned(), user.fingerprint().to_owned());
        let flow = Flow::new(request, Changing { subject, fingerprint, missing });
        Ok(Some(self.flow_on(headers, PLACE, &flow, |flow, carried, status| {
            self.show_new_password(headers, flow, carried, status)
        })))
    }

    /// Shows the page.
    pub(crate) fn new_password_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        match self.flow::<Changing>(headers, PLACE, form, false) {
            Ok(received) => self.show_new_password(headers, &received.flow, &received.carried, StatusCode::OK),
            // Reached by redirect only.
            Err(refused) => self.unusable(headers, refused),
        }
    }

    fn show_new_password(
        &self,
        headers: &HeaderMap,
        flow: &Flow<Changing>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.request.as_ref());
        let mut fields: Vec<_> = flow.step.missing.iter().map(|(name, value)| attribute_field(name, value)).collect();
        fields.push(self.new_password_field(Text::NewPasswordLabel));
        let page = FormPage {
            view,
            title: Text::NewPasswordTitle,
            alert: flow.alert(),
            lead: vec![Text::NewPasswordLead.into()],
            action: routes::NEW_PASSWORD,
            carried,
            fields,
            submit: Text::NewPasswordSubmit,
            others: &[],
            links: &[self.back(flow.request.as_ref())],
        };
        self.form_page(&page, view, status, flow.request.as_ref())
    }

    /// Handles the form. The user is signed in with the new password.
    pub(crate) async fn new_password(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = &self.service else { return Ok(self.not_found(headers)) };
        let mut flow = match self.flow::<Changing>(headers, PLACE, form, true) {
            Ok(received) => received.flow,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        for (name, value) in &mut flow.step.missing {
            let Some(typed) = field(form, name) else { return Ok(self.twice(headers)) };
            typed.clone_into(value);
        }
        let Some(password) = field(form, "password") else { return Ok(self.twice(headers)) };
        let password = Secret::new(password.to_owned());
        let show =
            |flow: &Flow<Changing>, carried: &str, status| self.show_new_password(headers, flow, carried, status);
        if password.expose().is_empty() {
            return Ok(self.flow_again(headers, PLACE, flow, Notice::incomplete(), show));
        }
        let Changing { subject, fingerprint, missing } = flow.step.clone();
        let visit = visit(headers, client, flow.request.as_ref());
        let when = (&visit, self.clock.now());
        match service.set_first_password(&subject, &fingerprint, missing, password, when).await {
            Ok(()) => match service.user(&subject).await? {
                Some(user) => {
                    let under_way = UnderWay::of(&user, Proofs::first(Proof::Password));
                    self.go_on(headers, under_way, flow.request, client).await
                }
                None => Ok(self.ask(headers, flow.request.as_ref(), None)),
            },
            Err(Refused::Database(error)) => Err(error),
            Err(refused) => Ok(self.flow_again(headers, PLACE, flow, refused.into(), show)),
        }
    }
}

impl From<Refused> for Notice {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Password(fault) => Self::fault("form.password", fault.sentence()),
            Refused::Attribute(fault) => Self::fault("form.attribute", wrong_attribute(fault.attribute())),
            Refused::Missing(name) => Self::fault("form.attribute", wrong_attribute(&name)),
            Refused::AliasTaken => Self::new("sign_up.user_name_taken", StatusCode::CONFLICT, Text::SignUpTaken),
            Refused::Busy => Self::busy(),
            Refused::Changed | Refused::Database(_) => {
                Self::new("new_password.changed", StatusCode::CONFLICT, Text::NewPasswordChanged)
            }
        }
    }
}
