//! The page to sign up on, and its form. Whether an address is somebody's cannot be seen here (pool §5.3).

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::database;
use crate::directory::settings::{Alias, Usernames};
use crate::hosted_ui::fields::{attribute_field, wrong_attribute};
use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::verify::Verifying;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::Operation;
use crate::oauth::request::AuthorizationRequest;
use crate::page::Text;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Input, Label};
use crate::routes;
use crate::seal::Purpose;
use crate::secret::Secret;
use crate::self_service::SelfService;
use crate::self_service::sign_up::{self, Refused};

const PLACE: Place = Place { path: routes::SIGN_UP, purpose: Purpose::SignUp };

/// What was typed, apart from the password.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Typed(Vec<(String, String)>);

impl Typed {
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(typed, _)| typed == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }
}

impl HostedUi {
    /// The link to the page. `None` if nobody can sign up.
    pub(super) fn sign_up_link(&self, request: Option<&AuthorizationRequest>) -> Option<Link> {
        self.service.as_ref()?.sign_up_settings()?;
        Some(self.link(Text::SignUpLink, routes::SIGN_UP, request))
    }

    /// Shows the page.
    pub(crate) fn sign_up_page(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let Some(service) = self.service.as_ref().filter(|service| service.sign_up_settings().is_some()) else {
            return self.not_found(headers);
        };
        match self.flow::<Typed>(headers, PLACE, form, false) {
            Ok(received) => self.show_sign_up(headers, service, &received.flow, &received.carried, StatusCode::OK),
            Err(Some(refused)) => *refused,
            Err(None) => {
                let flow = Flow::new(self.kept_request(form), Typed::default());
                self.first_page(headers, PLACE, &flow, |carried| {
                    self.show_sign_up(headers, service, &flow, carried, StatusCode::OK)
                })
            }
        }
    }

    fn show_sign_up(
        &self,
        headers: &HeaderMap,
        service: &SelfService,
        flow: &Flow<Typed>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.request.as_ref());
        let (rules, typed) = (&service.rules, &flow.step);
        let mut fields = Vec::new();
        if rules.usernames == Usernames::Chosen {
            let label = Label::Text(Text::SignInUserName);
            fields.push(Field::required("username", label, Input::Username, typed.get("username")));
        }
        let asked = service.asked_at_sign_up();
        fields.extend(asked.iter().map(|name| attribute_field(name, typed.get(name))));
        fields.push(self.new_password_field(Text::SignInPassword));
        let have_code = service.confirmed_address().map(|_| Link::here(Text::RecoveryHaveCode, routes::CONFIRM_USER));
        let sign_in = self.link(Text::SignUpSignIn, routes::SIGN_IN, flow.request.as_ref());
        let links: Vec<_> = std::iter::once(sign_in).chain(have_code).collect();
        let page = FormPage {
            view,
            title: Text::SignUpTitle,
            alert: flow.alert(),
            lead: Vec::new(),
            action: routes::SIGN_UP,
            carried,
            fields,
            submit: Text::SignUpSubmit,
            others: &[],
            links: &links,
        };
        self.form_page(&page, view, status, flow.request.as_ref())
    }

    /// Handles the form.
    pub(crate) async fn sign_up(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(service) = self.service.as_ref().filter(|service| service.sign_up_settings().is_some()) else {
            return Ok(self.not_found(headers));
        };
        let received = match self.flow::<Typed>(headers, PLACE, form, true) {
            Ok(received) => received,
            Err(refused) => return Ok(self.unusable(headers, refused)),
        };
        let mut flow = received.flow;
        let asked = service.asked_at_sign_up();
        let mut typed = Vec::new();
        let names = service.are_names_chosen().then_some("username");
        for name in asked.iter().copied().chain(names) {
            let Some(value) = field(form, name) else { return Ok(self.twice(headers)) };
            typed.push((name.to_owned(), value.to_owned()));
        }
        let Some(password) = field(form, "password") else { return Ok(self.twice(headers)) };
        let password = Secret::new(password.to_owned());
        flow.step = Typed(typed.clone());
        let show =
            |flow: &Flow<Typed>, carried: &str, status| self.show_sign_up(headers, service, flow, carried, status);
        if password.expose().is_empty() {
            return Ok(self.flow_again(headers, PLACE, flow, Notice::incomplete(), show));
        }
        // By the address: whoever chooses names has as many as he likes.
        let counted = ["email", "username"].map(|name| flow.step.get(name).trim());
        let name = service.counted_name(counted.into_iter().find(|value| !value.is_empty()).unwrap_or_default());
        if let Err(wait) = service.limits.admit(Operation::SignUp, &name, client, self.clock.now()) {
            return Ok(self.flow_again(headers, PLACE, flow, Notice::too_many(wait), show));
        }
        let username = names.and_then(|_| typed.pop()).map(|(_, username)| username).unwrap_or_default();
        let language = self.view(headers, flow.request.as_ref()).language().to_owned();
        let visit = visit(headers, client, flow.request.as_ref());
        let form = sign_up::Form { username, attributes: typed, password, language, visit };
        match service.sign_up(form, self.clock.now()).await {
            Ok(signed_up) => {
                let verifying = Verifying::signed_up(signed_up);
                Ok(self.ask_to_verify(headers, Flow::new(flow.request, verifying)))
            }
            Err(Refused::Database(error)) => Err(error),
            Err(refused) => Ok(self.flow_again(headers, PLACE, flow, refused.into(), show)),
        }
    }
}

impl From<Refused> for Notice {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Domain => Self::fault("sign_up.domain", Text::SignUpDomain),
            Refused::Username => Self::fault("sign_up.user_name", Text::SignUpUserName),
            Refused::LooksLikeAlias(Alias::PhoneNumber) => Self::fault("sign_up.user_name", Text::SignUpNotPhone),
            Refused::LooksLikeAlias(_) => Self::fault("sign_up.user_name", Text::SignUpNotEmail),
            Refused::Taken | Refused::AliasTaken => {
                Self::new("sign_up.user_name_taken", StatusCode::CONFLICT, Text::SignUpTaken)
            }
            Refused::Attribute(fault) => Self::fault("form.attribute", wrong_attribute(fault.attribute())),
            Refused::Missing(name) => Self::fault("form.attribute", wrong_attribute(&name)),
            Refused::Password(fault) => Self::fault("form.password", fault.sentence()),
            Refused::Busy => Self::busy(),
            Refused::Closed | Refused::Database(_) => Self::fault("form.incomplete", Text::FormIncomplete),
        }
    }
}
