//! The page that sets up an app for one-time passwords, or another one.

use http::StatusCode;

use crate::account::factors::{NewApp, Shown};
use crate::credential::totp::Seed;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::set_up_app::SetUpApp;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::page::Text;
use crate::reply;
use crate::routes::account::Section;

/// Who it is for, and what the app gets.
type AppFor = (String, Seed);

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_app_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let who = fresh.visitor();
        let name = who.user().shown_name().to_owned();
        let page: Page<AppFor> = self.account_shown(at, who, || (name, Seed::random()));
        match at.account.may_show_app(who, &page.step.step.1).await?.ok_or_else(|| self.account_over(at))? {
            Shown::Yes => {}
            Shown::NotOffered => return Ok(self.not_found(at.headers)),
            // Somebody goes back in the history of the browser: the secret of an app that is set up is shown to nobody.
            Shown::InUse => return Ok(reply::see_other(Section::Factors.path())),
        }
        Ok(self.account_show(at, &page, |page, carried, status| self.show_account_app(at, page, carried, status)))
    }

    fn show_account_app(&self, at: &At<'_>, page: &Page<AppFor>, carried: &str, status: StatusCode) -> WholeResponse {
        let view = self.view(at.headers, None);
        let (username, seed) = &page.step.step;
        let (service, form) = (self.service_name(), (Section::App.path(), carried));
        let app = SetUpApp { view, seed, username, service: &service, form };
        app.show(Text::FactorsAppLead, page.alert(), (status, "'self'"))
    }

    /// Takes the code that the app shows.
    pub(super) async fn account_app(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<AppFor>(at).await?;
        let show = |page: &Page<AppFor>, carried: &str, status| self.show_account_app(at, page, carried, status);
        let typed = field(at.form, "code").unwrap_or_default();
        if typed.trim().is_empty() {
            return Ok(self.account_again(at, page, Notice::fault("sign_in.no_code", Text::MfaNoCode), show));
        }
        let set = at.account.set_app(&fresh, (&page.step.step.1, typed), at.client).await?;
        let set = match self.account_change(at, set)? {
            Ok(set) => set,
            Err(too_many) => return Ok(self.account_again(at, page, too_many, show)),
        };
        match set {
            NewApp::Set { is_another, codes } => {
                self.record_new_factor(at, &fresh, true);
                if !codes.is_empty() {
                    return Ok(self.show_new_codes(at, fresh.visitor(), &codes));
                }
                let said = if is_another { Text::FactorsAppReplaced } else { Text::FactorsAppAdded };
                Ok(self.account_done(at, &fresh.visitor().session().id, Section::Factors, said))
            }
            NewApp::Wrong => {
                self.record_new_factor(at, &fresh, false);
                let notice = Notice::new("sign_in.wrong_code", StatusCode::UNAUTHORIZED, Text::MfaWrongCode);
                Ok(self.account_again(at, page, notice, show))
            }
            NewApp::NotOffered => Ok(self.not_found(at.headers)),
        }
    }
}
