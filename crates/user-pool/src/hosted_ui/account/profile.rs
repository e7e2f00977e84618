//! The page of the attributes that a user changes at once.

use http::StatusCode;

use crate::account::Fresh;
use crate::account::profile::Saved;
use crate::directory::record::Record;
use crate::hosted_ui::account::form::{OneForm, Page};
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::fields::{attribute_field, attribute_name, wrong_attribute};
use crate::hosted_ui::flow::Notice;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::page::pages::Field;
use crate::page::{Sentence, Text};
use crate::routes::account::Section;

/// Names of attributes and their values, in the order of the page.
type Values = Vec<(String, String)>;

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_profile_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let Some(user) = self.profile_of(at, &fresh).await? else { return Ok(self.not_found(at.headers)) };
        let page: Page<Values> = self.account_shown(at, fresh.visitor(), Values::new);
        // The form brings the values itself. They would make it too long.
        let bare = self.account_flow(at, fresh.visitor(), Values::new());
        Ok(self.account_show(at, &bare, |_, carried, status| {
            self.show_account_profile(at, &user, &page, (carried, status))
        }))
    }

    /// The user, if there is something that users change here.
    async fn profile_of(&self, at: &At<'_>, fresh: &Fresh) -> Result<Option<Record>, Halt> {
        let seen = at.account.overview(fresh.visitor()).await?.ok_or_else(|| self.account_over(at))?;
        Ok(seen.record.filter(|_| at.account.profile_names().next().is_some()))
    }

    fn show_account_profile(
        &self,
        at: &At<'_>,
        user: &Record,
        page: &Page<Values>,
        (carried, status): (&str, StatusCode),
    ) -> WholeResponse {
        let typed = &page.step.step;
        let (mut lead, mut fields) = (Vec::new(), Vec::new());
        for name in at.account.profile_names() {
            let now = user.attributes.get(name);
            if let Some(provider) = at.account.given_by(user, name) {
                let sentence = Sentence::from(Text::AccountProfileGiven).words("attribute", attribute_name(name));
                lead.extend(now.map(|now| sentence.quoted("value", now).named("provider", provider)));
                continue;
            }
            let value = typed.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).or(now);
            let field = attribute_field(name, value.unwrap_or_default());
            let is_required = at.account.is_required(name);
            // What nobody asks for, and the user has not filled in, is out of the way.
            let is_folded = !is_required && value.is_none_or(str::is_empty);
            fields.push(Field { is_required, is_folded, ..field });
        }
        let one = OneForm { title: Text::AccountProfileLink, lead, fields, submit: Text::AccountSave, others: &[] };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Takes the form.
    pub(super) async fn account_profile(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, mut page) = self.account_sent::<Values>(at).await?;
        page.step.step.clear();
        for name in at.account.profile_names() {
            let Ok(typed) = at.form.one(name) else { return Ok(self.twice(at.headers)) };
            page.step.step.extend(typed.map(|typed| (name.to_owned(), typed.to_owned())));
        }
        let (values, visit) = (page.step.step.clone(), visit(at.headers, at.client, None));
        let notice = match at.account.change_profile(&fresh, values, at.client, &visit).await? {
            Saved::Yes => {
                let session = &fresh.visitor().session().id;
                return Ok(self.account_done(at, session, Section::Overview, Text::AccountProfileDone));
            }
            Saved::Wrong(name) => Notice::fault("form.attribute", wrong_attribute(&name)),
            Saved::Given(name) => {
                let sentence = Sentence::from(Text::AccountProfileStays).words("attribute", attribute_name(&name));
                Notice::fault("form.attribute", sentence)
            }
            Saved::AliasTaken => Notice::new("sign_up.user_name_taken", StatusCode::CONFLICT, Text::SignUpTaken),
            Saved::TooMany(wait) => Notice::too_many(wait),
            Saved::Over => return Err(self.account_over(at)),
        };
        let Some(user) = self.profile_of(at, &fresh).await? else { return Err(self.account_over(at)) };
        Ok(self.account_again(at, page, notice, |page, carried, status| {
            self.show_account_profile(at, &user, page, (carried, status))
        }))
    }
}
