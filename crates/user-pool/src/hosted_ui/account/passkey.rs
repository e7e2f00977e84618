//! The page that adds a passkey.

use http::StatusCode;

use crate::credential::webauthn::Registration;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::page::Text;
use crate::page::pages::{Passkey as PasskeyPage, PasskeyForm};
use crate::routes::account::Section;
use crate::signin::passkey::NewPasskey;

/// Who it is for, and what the authenticator is asked.
type PasskeyFor = (String, Registration);

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_passkey_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let user = fresh.visitor().user();
        let begun = self.sign_in.begin_passkey(user.subject(), user.preferred_username()).await?;
        let Some(registration) = begun else { return Ok(self.not_found(at.headers)) };
        let page = self.account_shown(at, fresh.visitor(), || (user.shown_name().to_owned(), registration));
        Ok(self.account_show(at, &page, |page, carried, status| self.show_account_passkey(at, page, carried, status)))
    }

    fn show_account_passkey(
        &self,
        at: &At<'_>,
        page: &Page<PasskeyFor>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let (view, script) = (self.view(at.headers, None), self.script_url());
        let (user, registration) = &page.step.step;
        let options = registration.options().to_string();
        let action = Section::Passkey.path();
        let page = PasskeyPage {
            view,
            user,
            title: Text::PasskeyAddTitle,
            lead: Text::PasskeyAddLead,
            form: PasskeyForm { what: "create", options: &options, action, carried, script: &script },
            others: &[],
            alert: page.alert(),
        };
        view.respond_with_script(status, &page, "'self'", &script)
    }

    /// Takes the answer of the authenticator.
    pub(super) async fn account_passkey(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<PasskeyFor>(at).await?;
        let show =
            |page: &Page<PasskeyFor>, carried: &str, status| self.show_account_passkey(at, page, carried, status);
        let answer = field(at.form, "credential").unwrap_or_default();
        let added = at.account.add_passkey(&fresh, (answer, &page.step.step.1), at.client).await?;
        let notice = match self.account_change(at, added)? {
            Err(too_many) => too_many,
            Ok(NewPasskey::Added(_, codes)) => {
                self.record_new_factor(at, &fresh, true);
                if !codes.is_empty() {
                    return Ok(self.show_new_codes(at, fresh.visitor(), &codes));
                }
                let session = &fresh.visitor().session().id;
                return Ok(self.account_done(at, session, Section::Factors, Text::FactorsPasskeyAdded));
            }
            Ok(NewPasskey::Refused) => {
                self.record_new_factor(at, &fresh, false);
                Notice::new("sign_in.passkey_refused", StatusCode::UNAUTHORIZED, Text::PasskeyRefused)
            }
            Ok(NewPasskey::TooMany) => {
                Notice::new("sign_in.too_many_passkeys", StatusCode::FORBIDDEN, Text::PasskeyTooMany)
            }
            Ok(NewPasskey::Over) => return Err(self.account_over(at)),
        };
        Ok(self.account_again(at, page, notice, show))
    }
}
