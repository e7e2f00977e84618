//! The buttons that lead from one second factor to another.

use http::HeaderMap;

use crate::database;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Text;
use crate::user_pool::factors::settings::Factor;
use crate::user_pool::hosted_ui::step::sealed::{Asked, Kind, Page};
use crate::user_pool::hosted_ui::ui::HostedUi;
use crate::user_pool::signin::step::{Way, Ways};

/// The ways other than this one: what their buttons send, and what they say.
pub(super) fn others(ways: &Ways, shown: Way) -> Vec<(&'static str, Text)> {
    ways.iter().filter(|way| *way != shown).map(|way| (name(way), text(way))).collect()
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
    ) -> Result<WholeResponse, database::Error> {
        let kind = match way {
            Way::Factor(Factor::Totp) => Kind::Code(Asked::Totp, ways),
            Way::RecoveryCode => Kind::Code(Asked::RecoveryCode, ways),
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
}
