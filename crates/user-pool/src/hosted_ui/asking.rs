//! The page that takes a name and has a code sent: to set another password, or to sign in with. It is the same for everybody.

use std::net::IpAddr;

use http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use crate::hosted_ui::flow::{Flow, Notice, Place, field};
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::messages::limits::{Operation, Visitor};
use crate::page::Text;
use crate::page::pages::{Field, Form as FormPage, Input, Label};
use crate::self_service::SelfService;

/// Letters of a name that the next page shows.
pub(super) const NAME_MAX: usize = 256;

/// Who wants a code.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Asking {
    /// What was typed.
    pub(super) username: String,
    /// Whether the password of before was right, and another one is needed.
    pub(super) is_required: bool,
}

/// One such page.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ask {
    pub(super) place: Place,
    pub(super) title: Text,
    pub(super) lead: Text,
    /// What is counted.
    pub(super) operation: Operation,
    /// The page for who has a code already.
    pub(super) have_code: Option<&'static str>,
}

impl HostedUi {
    /// Shows the page.
    pub(super) fn asking_page(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        service: &SelfService,
        ask: Ask,
    ) -> WholeResponse {
        match self.flow::<Asking>(headers, ask.place, form, false) {
            Ok(received) => {
                self.show_asking(headers, service, ask, (&received.flow, &received.carried), StatusCode::OK)
            }
            Err(Some(refused)) => *refused,
            Err(None) => {
                let flow = Flow::new(self.kept_request(form), Asking::default());
                self.first_page(headers, ask.place, &flow, |carried| {
                    self.show_asking(headers, service, ask, (&flow, carried), StatusCode::OK)
                })
            }
        }
    }

    /// The page with this form.
    pub(super) fn show_asking(
        &self,
        headers: &HeaderMap,
        service: &SelfService,
        ask: Ask,
        (flow, carried): (&Flow<Asking>, &str),
        status: StatusCode,
    ) -> WholeResponse {
        let view = self.view(headers, flow.request.as_ref());
        let lead = if flow.step.is_required { Text::RecoveryRequired } else { ask.lead };
        let label = Label::Text(service.name_label());
        let request = flow.request.as_ref();
        let have_code = ask.have_code.map(|path| self.link(Text::RecoveryHaveCode, path, request));
        let links: Vec<_> = have_code.into_iter().chain([self.back(request)]).collect();
        let page = FormPage {
            view,
            title: ask.title,
            alert: flow.alert(),
            lead: vec![lead.into()],
            action: ask.place.path,
            carried,
            fields: vec![Field::required("username", label, Input::Username, &flow.step.username)],
            submit: Text::RecoverySubmit,
            others: &[],
            links: &links,
        };
        self.form_page(&page, view, status, flow.request.as_ref())
    }

    /// Reads the form: what was typed, which was counted.
    ///
    /// # Errors
    ///
    /// The answer, if there is no name or if there were too many.
    pub(super) fn asked(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        (service, ask): (&SelfService, Ask),
        client: IpAddr,
    ) -> Result<(Flow<Asking>, String), Box<WholeResponse>> {
        let received = self.flow::<Asking>(headers, ask.place, form, true);
        let mut flow = received.map_err(|refused| self.unusable(headers, refused))?.flow;
        let Some(username) = field(form, "username") else { return Err(self.twice(headers).into()) };
        let username = username.trim().to_owned();
        flow.step.username = username.chars().take(NAME_MAX).collect();
        let notice = if username.is_empty() {
            Notice::incomplete()
        } else {
            let counted = service.counted_name(&username);
            let known = self.known_browser(headers);
            let visitor = Visitor { client, browser: known.as_ref().map(|known| &*known.id) };
            match service.limits.admit(ask.operation, &counted, visitor, self.clock.now()) {
                Ok(()) => return Ok((flow, username)),
                Err(wait) => Notice::too_many(wait),
            }
        };
        let show = |flow: &Flow<Asking>, carried: &str, status| {
            self.show_asking(headers, service, ask, (flow, carried), status)
        };
        Err(self.flow_again(headers, ask.place, flow, notice, show).into())
    }
}
