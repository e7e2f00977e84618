//! The page of the attributes that a user changes at once.

use http::StatusCode;

use crate::account::profile::Saved;
use crate::hosted_ui::account::form::{OneForm, Page};
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::fields::{attribute_field, wrong_attribute};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::page::Text;
use crate::page::pages::Field;
use crate::routes::account::Section;

/// Names of attributes and their values, in the order of the page.
type Values = Vec<(String, String)>;

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_profile_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let seen = at.account.overview(fresh.visitor()).await?.ok_or_else(|| self.account_over(at))?;
        let Some(user) = seen.record.filter(|_| at.account.profile_names().next().is_some()) else {
            return Ok(self.not_found(at.headers));
        };
        let value = |name: &str| user.attributes.get(name).unwrap_or_default().to_owned();
        let values = || at.account.profile_names().map(|name| (name.to_owned(), value(name))).collect();
        let page: Page<Values> = self.account_shown(at, fresh.visitor(), values);
        // The form brings the values itself. They would make it too long.
        let bare = self.account_flow(at, fresh.visitor(), Values::new());
        Ok(self.account_show(at, &bare, |_, carried, status| self.show_account_profile(at, &page, carried, status)))
    }

    fn show_account_profile(
        &self,
        at: &At<'_>,
        page: &Page<Values>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let fields = page
            .step
            .step
            .iter()
            .map(|(name, value)| Field { is_required: at.account.is_required(name), ..attribute_field(name, value) });
        let one = OneForm {
            title: Text::AccountProfileLink,
            lead: vec![],
            fields: fields.collect(),
            submit: Text::AccountSave,
            others: &[],
        };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Takes the form.
    pub(super) async fn account_profile(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, mut page) = self.account_sent::<Values>(at).await?;
        page.step.step.clear();
        for name in at.account.profile_names() {
            let Some(typed) = field(at.form, name) else { return Ok(self.twice(at.headers)) };
            page.step.step.push((name.to_owned(), typed.to_owned()));
        }
        let (values, visit) = (page.step.step.clone(), visit(at.headers, at.client, None));
        let notice = match at.account.change_profile(&fresh, values, at.client, &visit).await? {
            Saved::Yes => {
                let session = &fresh.visitor().session().id;
                return Ok(self.account_done(at, session, Section::Overview, Text::AccountProfileDone));
            }
            Saved::Wrong(name) => Notice::fault("form.attribute", wrong_attribute(&name)),
            Saved::AliasTaken => Notice::new("sign_up.user_name_taken", StatusCode::CONFLICT, Text::SignUpTaken),
            Saved::TooMany(wait) => Notice::too_many(wait),
            Saved::Over => return Err(self.account_over(at)),
        };
        Ok(self.account_again(at, page, notice, |page, carried, status| {
            self.show_account_profile(at, page, carried, status)
        }))
    }
}
