//! What a page shows that sets up an app for one-time passwords: a picture to scan, and the same as text.

use http::StatusCode;
use qrcode::{Color, EcLevel, QrCode};

use crate::credential::totp::Seed;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::pages::{Picture, SetUpTotp as SetUpPage};
use crate::page::{Sentence, Text, View};
use crate::secret::Secret;

/// An app that is set up.
pub(super) struct SetUpApp<'a> {
    pub(super) view: View<'a>,
    pub(super) seed: &'a Seed,
    pub(super) username: &'a str,
    /// What the app calls the pool.
    pub(super) service: &'a str,
    /// The path that the form is sent to, with the hidden value.
    pub(super) form: (&'a str, &'a str),
}

impl SetUpApp<'_> {
    /// The page.
    pub(super) fn show(
        &self,
        lead: Text,
        alert: Option<Sentence>,
        (status, form_action): (StatusCode, &str),
    ) -> WholeResponse {
        let uri = self.seed.uri(self.service, self.username);
        let secret = self.seed.base32();
        let groups: Vec<&str> =
            (0..secret.expose().len()).step_by(4).filter_map(|at| secret.expose().get(at..at + 4)).collect();
        let (action, carried) = self.form;
        let (picture, uri) = (picture(&uri), uri.expose());
        let page = SetUpPage { view: self.view, lead, picture, groups: &groups, uri, action, carried, alert };
        self.view.respond(status, &page, form_action, Frames::Nobody)
    }
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
