//! The pages of the account: what users see and change of themselves. `gate` lets them in, `form` is what their forms have in common, and each page
//! is a file.

mod address;
mod agent;
mod app;
mod data;
mod factors;
mod form;
mod gate;
mod history;
mod overview;
mod passkey;
mod password;
mod phone;
mod profile;
mod recovery_codes;
mod sessions;

use std::net::IpAddr;

use http::HeaderMap;

use crate::database;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::message::form::Form;
use crate::routes::account::Section;
use crate::self_service::settings::Address;

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
            Section::Profile => self.account_profile_page(&at).await,
            Section::Email => self.account_address_page(&at, Address::Email).await,
            Section::EmailCode => self.account_code_page(&at, Address::Email).await,
            Section::Phone => self.account_address_page(&at, Address::PhoneNumber).await,
            Section::PhoneCode => self.account_code_page(&at, Address::PhoneNumber).await,
            Section::Sessions => self.account_sessions_page(&at).await,
            Section::History => self.account_history(&at).await,
            Section::Export => self.account_export_page(&at).await,
            Section::Delete => self.account_delete_page(&at).await,
            // They are no pages.
            Section::EmailAgain | Section::PhoneAgain | Section::PhoneRemove => Ok(self.not_found(headers)),
            Section::Factors => self.account_factors_page(&at).await,
            Section::App => self.account_app_page(&at).await,
            Section::Passkey => self.account_passkey_page(&at).await,
            Section::RecoveryCodes => self.account_codes_page(&at).await,
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
            Section::Profile => self.account_profile(&at).await,
            Section::Email => self.account_address(&at, Address::Email).await,
            Section::EmailCode => self.account_code(&at, Address::Email).await,
            Section::EmailAgain => self.account_code_again(&at, Address::Email).await,
            Section::Phone => self.account_address(&at, Address::PhoneNumber).await,
            Section::PhoneCode => self.account_code(&at, Address::PhoneNumber).await,
            Section::PhoneAgain => self.account_code_again(&at, Address::PhoneNumber).await,
            Section::PhoneRemove => self.account_remove_phone(&at).await,
            Section::Sessions => self.account_end(&at).await,
            Section::Export => self.account_export(&at).await,
            Section::Delete => self.account_delete(&at).await,
            // They have no form.
            Section::Overview | Section::History => Ok(self.not_found(headers)),
            Section::Factors => self.account_factors(&at).await,
            Section::App => self.account_app(&at).await,
            Section::Passkey => self.account_passkey(&at).await,
            Section::RecoveryCodes => self.account_codes(&at).await,
        };
        answer.or_else(Halt::answer)
    }
}
