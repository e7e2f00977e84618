//! The page from which an answer is sent to the relying party by a form (`response_mode=form_post`).

use http::{HeaderMap, StatusCode};

use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::oauth::error::PageError;
use crate::oauth::request::form_action;
use crate::page::headers::Frames;
use crate::page::pages::PostBack;

impl HostedUi {
    /// Shows the form and its button.
    pub(crate) fn post_back(&self, headers: &HeaderMap, form: &Form<'_>) -> WholeResponse {
        let Some(answer) = self.provider.posted_answer(form) else {
            return self.page_error(headers, PageError::Malformed);
        };
        let view = self.view(headers, None);
        let page = PostBack { view, action: &answer.redirect_uri, fields: &answer.fields };
        view.respond(StatusCode::OK, &page, &form_action(&answer.redirect_uri), Frames::Nobody)
    }
}
