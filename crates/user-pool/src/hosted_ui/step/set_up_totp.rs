//! Sets up one-time passwords of an app, with a code that shows that the app has the secret.

use std::net::IpAddr;

use http::HeaderMap;

use crate::credential::totp::Seed;
use crate::database;
use crate::events::event::{Challenge, Kind as EventKind, Response};
use crate::hosted_ui::page::{self, Notice};
use crate::hosted_ui::set_up_app::SetUpApp;
use crate::hosted_ui::step::sealed::{Frame, Kind, Page};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Text;
use crate::routes;
use crate::signin::proof::Proof;
use crate::signin::second::SetUp;
use crate::signin::step::UnderWay;

/// The page. `service` is what the app calls the pool.
pub(super) fn show(frame: &Frame<'_>, seed: &Seed, service: &str) -> WholeResponse {
    let (username, form) = (&*frame.page.under_way.username, (routes::STEP, frame.carried));
    let app = SetUpApp { view: frame.view, seed, username, service, form };
    let alert = frame.page.notice.map(Notice::alert);
    app.show(Text::MfaSetUpLead, alert, (frame.status, &frame.form_action()))
}

impl HostedUi {
    /// Takes the code that the app shows.
    pub(super) async fn set_up_totp(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        page: Page,
        seed: &Seed,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let typed = form.one("code").ok().flatten().unwrap_or_default();
        if typed.trim().is_empty() {
            return Ok(self.lead_to(headers, &page.with(Notice::NoCode)));
        }
        let (subject, visit) = (page.under_way.subject.clone(), visit(headers, client, page.request.as_ref()));
        let record = |response, is_right| {
            let what = (EventKind::FactorChange, response);
            self.events.answered(Some(&subject), what, (Challenge::Mfa, is_right), &visit);
        };
        match self.sign_in.set_up_totp(&page.under_way, seed, typed).await? {
            SetUp::Done(codes) => {
                record(Response::Pass, true);
                let under_way = UnderWay { proofs: page.under_way.proofs.and(Proof::Totp), ..page.under_way };
                let codes = codes.iter().map(|code| code.expose().clone()).collect();
                Ok(self.turn_to(headers, Kind::RecoveryCodes(codes), under_way, page.request))
            }
            SetUp::Wrong => {
                record(Response::Fail, false);
                Ok(self.lead_to(headers, &page.with(Notice::WrongCode)))
            }
            SetUp::Over => {
                let again = self.again_location(page.request.as_ref());
                Ok(self.refused(headers, page::Refused::Expired, again))
            }
        }
    }
}
