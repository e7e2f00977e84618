//! The buttons that lead from one second factor to another.

use std::net::IpAddr;

use http::HeaderMap;

use crate::database;
use crate::factors::settings::Factor;
use crate::hosted_ui::page::{self, Notice};
use crate::hosted_ui::sign_in::whole_seconds;
use crate::hosted_ui::step::sealed::{Asked, Kind, Page};
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Text;
use crate::signin::step::{Way, Ways};

/// The ways other than this one: what their buttons send, and what they say. If a code was sent, the first one sends another.
pub(super) fn others(ways: &Ways, shown: Way) -> Vec<(&'static str, Text)> {
    let is_sent = matches!(shown, Way::Factor(factor) if factor.address().is_some());
    let again = is_sent.then_some((name(shown), Text::MfaSendAgain));
    again.into_iter().chain(ways.iter().filter(|way| *way != shown).map(|way| (name(way), text(way)))).collect()
}

const fn name(way: Way) -> &'static str {
    match way {
        Way::Factor(factor) => factor.name(),
        Way::RecoveryCode => "recovery_code",
    }
}

const fn text(way: Way) -> Text {
    match way {
        Way::Factor(Factor::Passkey) => Text::MfaUsePasskey,
        Way::Factor(Factor::Totp) => Text::MfaUseTotp,
        Way::Factor(Factor::Email) => Text::MfaUseEmail,
        Way::Factor(Factor::Sms) => Text::MfaUseSms,
        Way::RecoveryCode => Text::MfaUseRecovery,
    }
}

/// The way that the user has chosen by a button, if it is one of these.
pub(super) fn chosen(form: &Form<'_>, ways: &Ways) -> Option<Way> {
    let wanted = form.one("instead").ok().flatten()?;
    ways.iter().find(|way| name(*way) == wanted)
}

impl HostedUi {
    /// Asks for another second factor. The time to answer goes on.
    pub(super) async fn ask_for(
        &self,
        headers: &HeaderMap,
        page: Page,
        way: Way,
        ways: Ways,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let kind = match way {
            Way::Factor(Factor::Totp) => Kind::Code(Asked::Totp, ways),
            Way::RecoveryCode => Kind::Code(Asked::RecoveryCode, ways),
            Way::Factor(factor @ (Factor::Email | Factor::Sms)) => {
                return self.send_and_ask(headers, page, factor, ways, client).await;
            }
            Way::Factor(Factor::Passkey) => {
                let ids = self.sign_in.passkey_ids(&page.under_way.subject).await?;
                match self.sign_in.ask_passkey() {
                    Some(question) => Kind::Passkey { question: Box::new(question), ids, ways },
                    None => return Ok(self.nothing_to_set_up(headers)),
                }
            }
        };
        Ok(self.lead_to(headers, &Page { kind, notice: None, ..page }))
    }

    /// Has a code sent, and asks for it.
    async fn send_and_ask(
        &self,
        headers: &HeaderMap,
        page: Page,
        factor: Factor,
        ways: Ways,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let language = self.view(headers, page.request.as_ref()).language();
        let Some(sent) = self.sign_in.send_code(&page.under_way, factor, language, client).await? else {
            let again = self.again_location(page.request.as_ref());
            return Ok(self.refused(headers, page::Refused::Expired, again));
        };
        let was_sent = matches!(&page.kind, Kind::Code(Asked::Sent { factor: of, .. }, _) if *of == factor);
        let is_another = was_sent && sent.too_many.is_none();
        let asked = Asked::Sent { factor, masked: sent.masked, is_another };
        let notice = sent.too_many.map(|wait| Notice::TooMany(whole_seconds(wait)));
        if notice.is_some() {
            self.metrics.rate_limited.increment();
        }
        Ok(self.lead_to(headers, &Page { kind: Kind::Code(asked, ways), notice, ..page }))
    }
}
