//! Asks for a passkey as a second factor, and adds one.

use std::net::IpAddr;

use http::HeaderMap;

use crate::credential::webauthn::{Question, Registration};
use crate::database;
use crate::events::event::{Challenge, Kind as EventKind, Response};
use crate::factors::settings::Factor;
use crate::hosted_ui::page::{self, Notice};
use crate::hosted_ui::step::sealed::{Frame, Kind, Page};
use crate::hosted_ui::step::ways;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Text;
use crate::page::pages::{Passkey as PasskeyPage, PasskeyForm};
use crate::routes;
use crate::signin::passkey::NewPasskey;
use crate::signin::step::{UnderWay, Way, Ways};

/// The page that asks. `options` is what the script passes to the browser.
pub(super) fn show(frame: &Frame<'_>, options: &str, ways: &Ways) -> WholeResponse {
    let others = ways::others(ways, Way::Factor(Factor::Passkey));
    respond(frame, options, "get", (Text::MfaTitle, Text::MfaPasskeyLead), &others)
}

/// The page that adds one.
pub(super) fn show_set_up(frame: &Frame<'_>, registration: &Registration) -> WholeResponse {
    let options = registration.options().to_string();
    respond(frame, &options, "create", (Text::PasskeyAddTitle, Text::PasskeyAddLead), &[])
}

fn respond(
    frame: &Frame<'_>,
    options: &str,
    what: &'static str,
    (title, lead): (Text, Text),
    others: &[(&'static str, Text)],
) -> WholeResponse {
    let form = PasskeyForm { what, options, action: routes::STEP, carried: frame.carried, script: frame.script };
    let page = PasskeyPage {
        view: frame.view,
        user: &frame.page.under_way.username,
        title,
        lead,
        form,
        others,
        alert: frame.page.notice.map(Notice::alert),
    };
    frame.view.respond_with_script(frame.status, &page, &frame.form_action(), frame.script)
}

impl HostedUi {
    /// Takes the answer of the authenticator, or turns to another question.
    pub(super) async fn answer_passkey(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        page: Page,
        (question, ways): (Question, Ways),
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        if let Some(way) = ways::chosen(form, &ways) {
            return self.ask_for(headers, page, way, ways, client).await;
        }
        let answer = form.one("credential").ok().flatten().unwrap_or_default();
        match self.sign_in.second_passkey(&page.under_way, answer, question).await? {
            Some(proof) => {
                let under_way = UnderWay { proofs: page.under_way.proofs.and(proof), ..page.under_way };
                self.go_on(headers, under_way, page.request, client).await
            }
            None => {
                self.metrics.wrong_code.increment();
                self.record_wrong(headers, client, &page, Some(Challenge::Mfa));
                // A new question: each is answered once.
                let page = match (page.kind.clone(), self.sign_in.ask_passkey()) {
                    (Kind::Passkey { ids, ways, .. }, Some(question)) => {
                        Page { kind: Kind::Passkey { question: Box::new(question), ids, ways }, ..page }
                    }
                    _ => page,
                };
                Ok(self.lead_to(headers, &page.with(Notice::PasskeyRefused)))
            }
        }
    }

    /// Adds the passkey that has answered.
    pub(super) async fn set_up_passkey(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        page: Page,
        registration: &Registration,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let answer = form.one("credential").ok().flatten().unwrap_or_default();
        let added = self.sign_in.add_first_passkey(&page.under_way, answer, registration).await?;
        self.record_added(headers, client, &page, &added);
        match added {
            NewPasskey::Added(proof, codes) => {
                let under_way = UnderWay { proofs: page.under_way.proofs.and(proof), ..page.under_way };
                if codes.is_empty() {
                    return self.go_on(headers, under_way, page.request, client).await;
                }
                let codes = codes.iter().map(|code| code.expose().clone()).collect();
                Ok(self.turn_to(headers, Kind::RecoveryCodes(codes), under_way, page.request))
            }
            NewPasskey::Refused => Ok(self.lead_to(headers, &page.with(Notice::PasskeyRefused))),
            NewPasskey::TooMany => Ok(self.lead_to(headers, &page.with(Notice::TooManyPasskeys))),
            NewPasskey::Over => {
                let again = self.again_location(page.request.as_ref());
                Ok(self.refused(headers, page::Refused::Expired, again))
            }
        }
    }

    /// Tells the sign-in log of a passkey that is added or refused.
    fn record_added(&self, headers: &HeaderMap, client: IpAddr, page: &Page, added: &NewPasskey) {
        let (response, is_right) = match added {
            NewPasskey::Added(..) => (Response::Pass, true),
            NewPasskey::Refused => (Response::Fail, false),
            NewPasskey::TooMany | NewPasskey::Over => return,
        };
        let (visit, what) = (visit(headers, client, page.request.as_ref()), (EventKind::FactorChange, response));
        self.events.answered(Some(&page.under_way.subject), what, (Challenge::Mfa, is_right), &visit);
    }
}
