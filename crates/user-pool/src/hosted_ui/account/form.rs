//! What the forms of the account have in common. The hidden value of a form names the page and the session, and is sealed for the browser: a form of
//! another site, browser, user or page is refused.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::account::{Fresh, Visitor};
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::{Flow, Notice, PARAMETER, Place};
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::{csrf, page};
use crate::message::WholeResponse;
use crate::page::link::Link;
use crate::page::pages::{Field, Form as FormPage, Other};
use crate::page::{Sentence, Text};
use crate::reply;
use crate::routes::account::Section;
use crate::seal::Purpose;
use crate::signin::state;

/// What the hidden value has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Bound<T> {
    section: Section,
    /// The ID of the session of the user.
    session: String,
    /// What is known so far, for example what was typed.
    pub(super) step: T,
}

/// A page of the account, with its hidden value.
pub(super) type Page<T> = Flow<Bound<T>>;

/// A page with one form.
pub(super) struct OneForm<'p> {
    pub(super) title: Text,
    pub(super) lead: Vec<Sentence>,
    pub(super) fields: Vec<Field<'p>>,
    pub(super) submit: Text,
    pub(super) others: &'p [Other],
}

const fn place(section: Section) -> Place {
    Place { path: section.page().path(), purpose: Purpose::Account }
}

impl HostedUi {
    /// The page of an address: with what was wrong, if a form has led to it, else for the first time.
    pub(super) fn account_shown<T: Serialize + DeserializeOwned>(
        &self,
        at: &At<'_>,
        who: &Visitor,
        first: impl FnOnce() -> T,
    ) -> Page<T> {
        let sealed = at.form.one(PARAMETER).ok().flatten();
        let shown = sealed.and_then(|sealed| self.account_opened(at, who, sealed).ok());
        shown.unwrap_or_else(|| self.account_flow(at, who, first()))
    }

    /// A page for this user.
    pub(super) fn account_flow<T: Serialize + DeserializeOwned>(&self, at: &At<'_>, who: &Visitor, step: T) -> Page<T> {
        Flow::new(None, Bound { section: at.section.page(), session: who.session().id.clone(), step })
    }

    /// Reads a form.
    ///
    /// # Errors
    ///
    /// The page that says why it is not taken, or the way to the sign-in page.
    pub(super) async fn account_sent<T: DeserializeOwned>(&self, at: &At<'_>) -> Result<(Fresh, Page<T>), Halt> {
        if csrf::is_from_elsewhere(at.headers, &self.origin) {
            return Err(self.account_refused(at, page::Refused::AccountForeign));
        }
        let fresh = self.account_fresh(at).await?;
        let page = self.account_received(at, fresh.visitor())?;
        Ok((fresh, page))
    }

    /// Reads a form that changes nothing: it only leaves the page.
    ///
    /// # Errors
    ///
    /// The same.
    pub(super) async fn account_left<T: DeserializeOwned>(&self, at: &At<'_>) -> Result<(Visitor, Page<T>), Halt> {
        if csrf::is_from_elsewhere(at.headers, &self.origin) {
            return Err(self.account_refused(at, page::Refused::AccountForeign));
        }
        let who = self.account_visitor(at).await?;
        let page = self.account_received(at, &who)?;
        Ok((who, page))
    }

    fn account_received<T: DeserializeOwned>(&self, at: &At<'_>, who: &Visitor) -> Result<Page<T>, Halt> {
        let sealed = at.form.one("request").ok().flatten().unwrap_or_default();
        self.account_opened(at, who, sealed).map_err(|why| self.account_refused(at, why))
    }

    fn account_opened<T: DeserializeOwned>(
        &self,
        at: &At<'_>,
        who: &Visitor,
        sealed: &str,
    ) -> Result<Page<T>, page::Refused> {
        let (browser, now) = (self.browser(at.headers), self.clock.now());
        let opened: Result<Page<T>, _> = state::receive(&self.seal, Purpose::Account, sealed, browser, now);
        let is_ours = |page: &Page<T>| {
            let bound = &page.step;
            bound.section == at.section.page() && bound.session == who.session().id
        };
        match opened {
            Ok(page) if is_ours(&page) => Ok(page),
            Err(state::Refused::Expired(page)) if is_ours(&page) => Err(page::Refused::AccountExpired),
            Ok(_) | Err(_) => Err(page::Refused::AccountForeign),
        }
    }

    fn account_refused(&self, at: &At<'_>, why: page::Refused) -> Halt {
        self.refused(at.headers, why, at.section.page().path().to_owned()).into()
    }

    /// Shows a page.
    pub(super) fn account_show<T: Serialize>(
        &self,
        at: &At<'_>,
        page: &Page<T>,
        show: impl FnOnce(&Page<T>, &str, StatusCode) -> WholeResponse,
    ) -> WholeResponse {
        self.first_page(at.headers, place(at.section), page, |carried| show(page, carried, StatusCode::OK))
    }

    /// Leads to a page, by a redirect where the client is a browser.
    pub(super) fn account_lead<T: Serialize>(
        &self,
        at: &At<'_>,
        page: &Page<T>,
        show: impl FnOnce(&Page<T>, &str, StatusCode) -> WholeResponse,
    ) -> WholeResponse {
        self.flow_on(at.headers, place(at.section), page, show)
    }

    /// Shows the page of a form again, with the reason.
    pub(super) fn account_again<T: Serialize>(
        &self,
        at: &At<'_>,
        page: Page<T>,
        notice: Notice,
        show: impl FnOnce(&Page<T>, &str, StatusCode) -> WholeResponse,
    ) -> WholeResponse {
        self.flow_again(at.headers, place(at.section), page, notice, show)
    }

    /// Leads to another page of the account, which says first what was done.
    pub(super) fn account_done(&self, at: &At<'_>, session: &str, to: Section, said: Text) -> WholeResponse {
        let said = self.view(at.headers, None).text(said).to_owned();
        let page = Flow::new(None, Bound { section: to, session: session.to_owned(), step: () }).saying(said);
        let browser = self.browser(at.headers).unwrap_or_default();
        let sealed = state::carry(&self.seal, Purpose::Account, page, browser, self.clock.now());
        reply::see_other(&format!("{}?{PARAMETER}={sealed}", to.path()))
    }

    /// A page with one form and a way back.
    pub(super) fn account_form_page(
        &self,
        at: &At<'_>,
        (alert, carried, status): (Option<Sentence>, &str, StatusCode),
        one: OneForm<'_>,
    ) -> WholeResponse {
        let view = self.view(at.headers, None);
        let page = FormPage {
            view,
            title: one.title,
            alert,
            lead: one.lead,
            action: at.section.page().path(),
            carried,
            fields: one.fields,
            submit: one.submit,
            others: one.others,
            links: &[Link::here(Text::AccountBack, Section::Overview.path())],
        };
        self.form_page(&page, view, status, None)
    }
}
