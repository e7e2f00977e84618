//! Asks which second factor to set up.

use http::HeaderMap;

use crate::credential::totp::Seed;
use crate::database;
use crate::factors::settings::Factor;
use crate::hosted_ui::step::sealed::{Frame, Kind, Page};
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::Text;
use crate::page::headers::Frames;
use crate::page::pages::ChooseFactor;
use crate::routes;
use crate::signin::step::UnderWay;

/// The page.
pub(super) fn show(frame: &Frame<'_>, factors: &[Factor]) -> WholeResponse {
    let choices: Vec<_> = factors.iter().filter_map(|factor| Some((factor.name(), text(*factor)?))).collect();
    let page = ChooseFactor { view: frame.view, choices: &choices, action: routes::STEP, carried: frame.carried };
    frame.view.respond(frame.status, &page, &frame.form_action(), Frames::Nobody)
}

/// `None`: a verified address is a factor without being set up.
const fn text(factor: Factor) -> Option<Text> {
    match factor {
        Factor::Passkey => Some(Text::MfaSetUpPasskey),
        Factor::Totp => Some(Text::MfaSetUpTotp),
        Factor::Email | Factor::Sms => None,
    }
}

impl HostedUi {
    /// Leads to the page that sets up what the user has chosen.
    pub(super) async fn choose_set_up(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        page: Page,
        factors: &[Factor],
    ) -> Result<WholeResponse, database::Error> {
        let wanted = form.one("set_up").ok().flatten();
        match factors.iter().find(|factor| Some(factor.name()) == wanted) {
            Some(factor) => self.set_up(headers, page, *factor).await,
            None => Ok(self.lead_to(headers, &page)),
        }
    }

    /// Leads to the page that sets up a factor.
    pub(super) async fn set_up(
        &self,
        headers: &HeaderMap,
        page: Page,
        factor: Factor,
    ) -> Result<WholeResponse, database::Error> {
        let kind = match factor {
            Factor::Totp => Kind::SetUpTotp(Seed::random()),
            Factor::Email | Factor::Sms => return Ok(self.nothing_to_set_up(headers)),
            Factor::Passkey => {
                let UnderWay { subject, username, .. } = &page.under_way;
                match self.sign_in.begin_passkey(subject, username).await? {
                    Some(registration) => Kind::SetUpPasskey(Box::new(registration)),
                    None => return Ok(self.nothing_to_set_up(headers)),
                }
            }
        };
        Ok(self.lead_to(headers, &Page { kind, notice: None, ..page }))
    }
}
