//! Sets up one-time passwords of an app: a picture to scan, the same as text, and a code that shows that the app has it.

use std::net::IpAddr;

use http::HeaderMap;
use qrcode::{Color, EcLevel, QrCode};

use crate::database;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::page::headers::Frames;
use crate::page::pages::{Picture, SetUpTotp as SetUpPage};
use crate::secret::Secret;
use crate::user_pool::credential::totp::Seed;
use crate::user_pool::events::event::{Challenge, Kind as EventKind, Response};
use crate::user_pool::hosted_ui::page::{self, Notice};
use crate::user_pool::hosted_ui::step::sealed::{Frame, Kind, Page};
use crate::user_pool::hosted_ui::ui::HostedUi;
use crate::user_pool::hosted_ui::visitor::visit;
use crate::user_pool::routes;
use crate::user_pool::signin::proof::Proof;
use crate::user_pool::signin::second::SetUp;
use crate::user_pool::signin::step::UnderWay;

/// The page. `service` is what the app calls the pool.
pub(super) fn show(frame: &Frame<'_>, seed: &Seed, service: &str) -> WholeResponse {
    let uri = seed.uri(service, &frame.page.under_way.username);
    let secret = seed.base32();
    let groups: Vec<&str> =
        (0..secret.expose().len()).step_by(4).filter_map(|at| secret.expose().get(at..at + 4)).collect();
    let page = SetUpPage {
        view: frame.view,
        picture: picture(&uri),
        groups: &groups,
        uri: uri.expose(),
        action: routes::STEP,
        carried: frame.carried,
        alert: frame.page.notice.map(Notice::alert),
    };
    frame.view.respond(frame.status, &page, &frame.form_action(), Frames::Nobody)
}

/// The QR code: squares of one path. `None` if the text is too long for one.
fn picture(text: &Secret<String>) -> Option<Picture> {
    let code = QrCode::with_error_correction_level(text.expose(), EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            path.push_str(&format!("M{} {}h1v1h-1z", at % width, at / width));
        }
    }
    Some(Picture { width, path })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_has_a_picture_too() {
        let seed = Seed::random();
        let picture = picture(&seed.uri(&"é".repeat(100), &"ü".repeat(128))).expect("a picture");
        assert!(picture.path.starts_with("M0 0h1v1h-1z"), "the corner of a finder pattern");
    }
}
