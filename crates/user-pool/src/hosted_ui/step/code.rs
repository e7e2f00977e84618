//! Asks for the code of a second factor, and takes it.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderMap;

use crate::database;
use crate::events::event::Challenge;
use crate::factors::settings::Factor;
use crate::hosted_ui::page::{self, Notice};
use crate::hosted_ui::sign_in::{BUSY_FOR, whole_seconds};
use crate::hosted_ui::step::sealed::{Asked, Frame, Page};
use crate::hosted_ui::step::ways;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::headers::Frames;
use crate::page::pages::{Code as CodePage, CodeKind};
use crate::page::{Sentence, Text};
use crate::routes;
use crate::signin::proof::Proof;
use crate::signin::second::Answer;
use crate::signin::step::{UnderWay, Ways};

/// The page that asks.
pub(super) fn show(frame: &Frame<'_>, (asked, ways): (&Asked, &Ways), trusts_for: Option<Duration>) -> WholeResponse {
    let user = &frame.page.under_way.username;
    let (kind, lead) = match asked {
        Asked::Totp => (CodeKind::Digits, Sentence::from(Text::MfaTotpLead).named("user", user)),
        Asked::RecoveryCode => (CodeKind::Recovery, Sentence::from(Text::MfaRecoveryLead).named("user", user)),
        Asked::Sent { masked, is_another, .. } => {
            let text = if *is_another { Text::MfaSentAgainLead } else { Text::MfaSentLead };
            (CodeKind::Digits, Sentence::from(text).named("address", masked))
        }
    };
    let page = CodePage {
        view: frame.view,
        lead,
        kind,
        action: routes::STEP,
        carried: frame.carried,
        trust_days: trusts_for.map(|lifetime| lifetime.as_secs() / 86_400).filter(|days| *days > 0),
        others: &ways::others(ways, asked.way()),
        alert: frame.page.notice.map(Notice::alert),
    };
    frame.view.respond(frame.status, &page, &frame.form_action(), Frames::Nobody)
}

impl HostedUi {
    /// Takes the code, or turns to another question.
    pub(super) async fn answer_code(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        page: Page,
        (asked, ways): (Asked, Ways),
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        if let Some(way) = ways::chosen(form, &ways) {
            return self.ask_for(headers, page, way, ways, client).await;
        }
        let typed = form.one("code").ok().flatten().unwrap_or_default();
        if typed.trim().is_empty() {
            return Ok(self.lead_to(headers, &page.with(Notice::NoCode)));
        }
        let known = self.known_browser(headers);
        let from = (client, known.as_ref());
        let (proof, answer) = match asked {
            Asked::Totp => (Proof::Totp, self.sign_in.totp(&page.under_way, typed, from).await?),
            Asked::RecoveryCode => {
                (Proof::RecoveryCode, self.sign_in.recovery_code(&page.under_way, typed, from).await?)
            }
            Asked::Sent { factor, .. } => {
                let proof = if factor == Factor::Sms { Proof::SmsCode } else { Proof::EmailCode };
                (proof, self.sign_in.sent_code(&page.under_way, factor, typed, from).await?)
            }
        };
        let challenge = match asked {
            Asked::Totp => Challenge::Mfa,
            Asked::RecoveryCode => Challenge::RecoveryCode,
            Asked::Sent { .. } => Challenge::SentCode,
        };
        match answer {
            Answer::Wrong | Answer::TooManyTries | Answer::NoCode => {
                self.record_wrong(headers, client, &page, Some(challenge));
            }
            Answer::TooMany(_) => self.record_wrong(headers, client, &page, None),
            Answer::Right | Answer::Busy | Answer::Over => {}
        }
        match answer {
            Answer::Right => {
                let trusts = form.one("trust").ok().flatten() == Some("yes");
                let under_way = UnderWay { proofs: page.under_way.proofs.and(proof), trusts, ..page.under_way };
                self.go_on(headers, under_way, page.request, client).await
            }
            Answer::Wrong => {
                self.metrics.wrong_code.increment();
                Ok(self.lead_to(headers, &page.with(Notice::WrongCode)))
            }
            Answer::TooManyTries => {
                self.metrics.wrong_code.increment();
                Ok(self.lead_to(headers, &page.with(Notice::TooManyTries)))
            }
            Answer::NoCode => {
                self.metrics.wrong_code.increment();
                Ok(self.lead_to(headers, &page.with(Notice::CodeExpired)))
            }
            Answer::TooMany(wait) => {
                self.metrics.rate_limited.increment();
                Ok(self.lead_to(headers, &page.with(Notice::TooMany(whole_seconds(wait)))))
            }
            Answer::Busy => {
                self.metrics.busy.increment();
                Ok(self.lead_to(headers, &page.with(Notice::Busy(whole_seconds(BUSY_FOR)))))
            }
            Answer::Over => {
                let again = self.again_location(page.request.as_ref());
                Ok(self.refused(headers, page::Refused::Expired, again))
            }
        }
    }
}
