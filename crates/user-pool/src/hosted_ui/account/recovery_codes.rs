//! The page that shows new recovery codes, once. They are sealed in its address, so that it can be loaded again until it is left.

use http::StatusCode;

use crate::account::Visitor;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::pages::RecoveryCodes;
use crate::reply;
use crate::routes::account::Section;
use crate::secret::Secret;
use crate::signin::step::UnderWay;

/// The codes. None: the page was opened by its address alone.
type Codes = Vec<String>;

impl HostedUi {
    /// Leads to the page, after something else.
    pub(super) fn show_new_codes(&self, at: &At<'_>, who: &Visitor, codes: &[Secret<String>]) -> WholeResponse {
        let codes: Codes = codes.iter().map(|code| code.expose().clone()).collect();
        let at = At { section: Section::RecoveryCodes, ..*at };
        let page = self.account_flow(&at, who, codes);
        self.account_lead(&at, &page, |page, carried, status| self.show_account_codes(&at, page, carried, status))
    }

    /// Shows the page again, as long as it was not left.
    pub(super) async fn account_codes_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let who = self.account_visitor(at).await?;
        let page: Page<Codes> = self.account_shown(at, &who, Vec::new);
        let under_way = UnderWay::of_session(who.session());
        if !self.sign_in.are_codes_shown(&under_way, &page.step.step).await? {
            return Ok(reply::see_other(Section::Factors.path()));
        }
        Ok(self.account_show(at, &page, |page, carried, status| self.show_account_codes(at, page, carried, status)))
    }

    fn show_account_codes(&self, at: &At<'_>, page: &Page<Codes>, carried: &str, status: StatusCode) -> WholeResponse {
        let view = self.view(at.headers, None);
        let action = Section::RecoveryCodes.path();
        let codes = RecoveryCodes { view, codes: &page.step.step, action, carried };
        view.respond(status, &codes, "'self'", Frames::Nobody)
    }

    /// The user has written the codes down. From now on nobody sees them in the history of the browser.
    pub(super) async fn account_codes(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (who, page) = self.account_left::<Codes>(at).await?;
        self.sign_in.leave_codes(&UnderWay::of_session(who.session()), &page.step.step).await?;
        Ok(reply::see_other(Section::Factors.path()))
    }
}
