//! The pages of what the pool knows of a user: to download it, and to delete the account.

use http::{HeaderName, HeaderValue, StatusCode, header};

use crate::account::Account;
use crate::hosted_ui::account::form::{OneForm, Page};
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::{Notice, field};
use crate::hosted_ui::ui::HostedUi;
use crate::message::{WholeResponse, cookie};
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{Field, Input, Label, Notice as NoticePage};
use crate::page::site::NO_FORM;
use crate::page::{Sentence, Text};
use crate::{reply, routes};

/// No page of another site gets the answer, not even as a script or a picture (Fetch §3.7).
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

impl HostedUi {
    /// Shows the page that downloads.
    pub(super) async fn account_export_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        if !fresh.visitor().user().is_stored() {
            return Ok(self.not_found(at.headers));
        }
        let page: Page<()> = self.account_shown(at, fresh.visitor(), || ());
        Ok(self.account_show(at, &page, |page, carried, status| self.show_account_export(at, page, carried, status)))
    }

    fn show_account_export(&self, at: &At<'_>, page: &Page<()>, carried: &str, status: StatusCode) -> WholeResponse {
        let one = OneForm {
            title: Text::AccountExportLink,
            lead: vec![Text::AccountExportLead.into()],
            fields: vec![],
            submit: Text::AccountExportSubmit,
            others: &[],
        };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Sends the file.
    pub(super) async fn account_export(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<()>(at).await?;
        let export = at.account.export(&fresh, at.client).await?;
        let everything = match self.account_change(at, export)? {
            Ok(everything) => everything,
            Err(too_many) => {
                return Ok(self.account_again(at, page, too_many, |page, carried, status| {
                    self.show_account_export(at, page, carried, status)
                }));
            }
        };
        let mut response = reply::own_json(&everything);
        let headers = response.headers_mut();
        let name = HeaderValue::from_static("attachment; filename=\"account.json\"");
        headers.insert(header::CONTENT_DISPOSITION, name);
        headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
        Ok(response)
    }

    /// Shows the page that deletes.
    pub(super) async fn account_delete_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let fresh = self.account_fresh(at).await?;
        let user = fresh.visitor().user();
        if !at.account.may_delete() || !user.is_stored() {
            return Ok(self.not_found(at.headers));
        }
        let page: Page<String> = self.account_shown(at, fresh.visitor(), || user.shown_name().to_owned());
        Ok(self.account_show(at, &page, |page, carried, status| self.show_account_delete(at, page, carried, status)))
    }

    fn show_account_delete(
        &self,
        at: &At<'_>,
        page: &Page<String>,
        carried: &str,
        status: StatusCode,
    ) -> WholeResponse {
        let one = OneForm {
            title: Text::AccountDeleteLink,
            lead: vec![
                Text::AccountDeleteLead.into(),
                Sentence::from(Text::AccountDeleteName).named("user", page.step.step.as_str()),
            ],
            fields: vec![Field::required("name", Label::Text(self.name_label()), Input::Text, "")],
            submit: Text::AccountDeleteSubmit,
            others: &[],
        };
        self.account_form_page(at, (page.alert(), carried, status), one)
    }

    /// Deletes the account.
    pub(super) async fn account_delete(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<String>(at).await?;
        if !at.account.may_delete() {
            return Ok(self.not_found(at.headers));
        }
        let Some(typed) = field(at.form, "name") else { return Ok(self.twice(at.headers)) };
        if !Account::is_name_of(fresh.visitor(), typed) {
            let notice = Notice::fault("account.other_name", Text::AccountDeleteOther);
            return Ok(self.account_again(at, page, notice, |page, carried, status| {
                self.show_account_delete(at, page, carried, status)
            }));
        }
        if at.account.delete(&fresh).await?.is_none() {
            return Err(self.account_over(at));
        }
        let view = self.view(at.headers, None);
        let link = Link::here(Text::LinkSignInPage, routes::SIGN_IN);
        let gone = NoticePage { view, title: Text::AccountDeleted, text: Text::AccountDeletedAdvice, link };
        let mut response = view.respond(StatusCode::OK, &gone, NO_FORM, Frames::Nobody);
        for name in [&self.cookies.session, &self.cookies.known, &self.cookies.trusted] {
            response.headers_mut().append(header::SET_COOKIE, cookie::delete(name));
        }
        Ok(response)
    }
}
