//! The pages of the account: what users see and change of themselves. `gate` lets them in, `form` is what their forms have in common, and each page
//! is a file.

mod form;
mod gate;
mod overview;
mod password;

use std::net::IpAddr;

use http::HeaderMap;

use crate::database;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::user_pool::hosted_ui::ui::HostedUi;
use crate::user_pool::routes::account::Section;

use gate::{At, Halt};

impl HostedUi {
    /// Shows a page.
    pub(crate) async fn account_page(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        section: Section,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(account) = &self.account else { return Ok(self.not_found(headers)) };
        let at = At { account, headers, form, client, section, is_form: false };
        let page = match section {
            Section::Overview => self.account_overview(&at).await,
            Section::Password => self.account_password_page(&at).await,
        };
        page.or_else(Halt::answer)
    }

    /// Takes a form.
    pub(crate) async fn account_form(
        &self,
        headers: &HeaderMap,
        form: &Form<'_>,
        section: Section,
        client: IpAddr,
    ) -> Result<WholeResponse, database::Error> {
        let Some(account) = &self.account else { return Ok(self.not_found(headers)) };
        let at = At { account, headers, form, client, section, is_form: true };
        let answer = match section {
            Section::Password => self.account_password(&at).await,
            // It has no form.
            Section::Overview => Ok(self.not_found(headers)),
        };
        answer.or_else(Halt::answer)
    }
}
