//! Shows the recovery codes of a user, once.

use crate::hosted_ui::step::sealed::Frame;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::pages::RecoveryCodes;
use crate::routes;

/// The page.
pub(super) fn show(frame: &Frame<'_>, codes: &[String]) -> WholeResponse {
    let page = RecoveryCodes { view: frame.view, codes, action: routes::STEP, carried: frame.carried };
    frame.view.respond(frame.status, &page, &frame.form_action(), Frames::Nobody)
}
