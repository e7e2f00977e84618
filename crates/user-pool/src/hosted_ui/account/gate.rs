//! Lets users in to the pages of their account: to see, who is signed in; to change, who has just signed in. Everybody else is asked to sign in, and
//! comes back to the page.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderMap, header};

use crate::account::{Account, Change, Fresh, Visitor};
use crate::database;
use crate::hosted_ui::flow;
use crate::hosted_ui::page::Notice;
use crate::hosted_ui::ui::HostedUi;
use crate::message::form::Form;
use crate::message::{WholeResponse, cookie};
use crate::oauth::request::AuthorizationRequest;
use crate::routes::account::Section;
use crate::{reply, routes};

/// How long a sign-in may take that leads back to a page.
const NEXT_FOR: Duration = Duration::from_mins(15);

/// The parameter of a page that asks for a sign-in of just now.
const CONFIRM: &str = "confirm";

/// A request for a page of the account.
pub(super) struct At<'r> {
    pub(super) account: &'r Account,
    pub(super) headers: &'r HeaderMap,
    pub(super) form: &'r Form<'r>,
    pub(super) client: IpAddr,
    pub(super) section: Section,
    /// Whether it sends a form.
    pub(super) is_form: bool,
}

/// Why a page goes no further.
#[derive(Debug)]
pub(super) enum Halt {
    /// Another page is the answer.
    Answer(Box<WholeResponse>),
    Database(database::Error),
}

impl From<database::Error> for Halt {
    fn from(error: database::Error) -> Self {
        Self::Database(error)
    }
}

impl From<WholeResponse> for Halt {
    fn from(response: WholeResponse) -> Self {
        Self::Answer(Box::new(response))
    }
}

impl Halt {
    /// The answer to the request.
    pub(super) fn answer(self) -> Result<WholeResponse, database::Error> {
        match self {
            Self::Answer(response) => Ok(*response),
            Self::Database(error) => Err(error),
        }
    }
}

impl At<'_> {
    /// The same page, for who has just signed in.
    pub(super) fn confirmed(&self) -> String {
        format!("{}?{CONFIRM}", self.section.page().path())
    }
}

impl HostedUi {
    /// Who sees the page.
    ///
    /// # Errors
    ///
    /// The sign-in page, if nobody is signed in, or if the address asks for a sign-in of just now.
    pub(super) async fn account_visitor(&self, at: &At<'_>) -> Result<Visitor, Halt> {
        let visitor = match self.opened(at.headers).await? {
            Some(session) => at.account.enter(session).await?,
            None => None,
        };
        let Some(visitor) = visitor else { return Err(self.ask_for_account(at, None, None)) };
        let asks_again = !at.is_form && at.form.one(CONFIRM).is_ok_and(|asked| asked.is_some());
        if asks_again && !visitor.is_fresh(at.account.now()) {
            return Err(self.ask_visitor(at, &visitor));
        }
        Ok(visitor)
    }

    /// Who changes something on the page.
    ///
    /// # Errors
    ///
    /// The sign-in page, if the user has not just signed in.
    pub(super) async fn account_fresh(&self, at: &At<'_>) -> Result<Fresh, Halt> {
        let visitor = self.account_visitor(at).await?;
        let now = at.account.now();
        if !visitor.is_fresh(now) {
            return Err(self.ask_visitor(at, &visitor));
        }
        visitor.fresh(now).ok_or_else(|| self.account_over(at))
    }

    /// Asks a user for a sign-in of now. Says so where another provider has just been told to ask.
    fn ask_visitor(&self, at: &At<'_>, visitor: &Visitor) -> Halt {
        let notice = visitor.was_not_asked(at.account.now()).then_some(Notice::NotAsked);
        self.ask_for_account(at, Some(visitor.user().shown_name()), notice)
    }

    /// The answer to a use case that has found the session ended.
    pub(super) fn account_over(&self, at: &At<'_>) -> Halt {
        self.ask_for_account(at, None, None)
    }

    /// What a change has led to, or what the page says instead.
    ///
    /// # Errors
    ///
    /// The sign-in page, if the session has ended.
    pub(super) fn account_change<T>(&self, at: &At<'_>, change: Change<T>) -> Result<Result<T, flow::Notice>, Halt> {
        match change {
            Change::Made(made) => Ok(Ok(made)),
            Change::TooMany(wait) => Ok(Err(flow::Notice::too_many(wait))),
            Change::Over => Err(self.account_over(at)),
        }
    }

    /// Asks for a sign-in, which leads back to the page. A form is answered with a redirect, so that the history has no page that answers a `POST`
    /// (decision 43).
    fn ask_for_account(&self, at: &At<'_>, hint: Option<&str>, notice: Option<Notice>) -> Halt {
        if at.is_form {
            return reply::see_other(&at.confirmed()).into();
        }
        let mut response = self.ask_again_for_account(at.headers, hint, notice);
        let next = cookie::set(&self.cookies.next, at.section.path(), NEXT_FOR.as_secs());
        response.headers_mut().append(header::SET_COOKIE, next);
        response.into()
    }

    /// The page of the account that the user wanted to see before the sign-in. The browser can name only pages that there are.
    fn next_section(&self, headers: &HeaderMap) -> Option<Section> {
        self.account.as_ref()?;
        let named = cookie::pairs(headers).find(|(name, _)| *name == self.cookies.next);
        named.and_then(|(_, path)| Section::page_of(path))
    }

    /// Whether a sign-in leads to a page of the account: no application has asked for it, but such a page has.
    pub(in crate::hosted_ui) fn is_for_account(
        &self,
        headers: &HeaderMap,
        request: Option<&AuthorizationRequest>,
    ) -> bool {
        request.is_none() && self.next_section(headers).is_some()
    }

    /// Leads to where a user goes after a sign-in that no application has asked for.
    pub(in crate::hosted_ui) fn after_sign_in(&self, headers: &HeaderMap) -> WholeResponse {
        let Some(section) = self.next_section(headers) else { return reply::see_other(routes::SIGN_IN) };
        let mut response = reply::see_other(section.path());
        response.headers_mut().append(header::SET_COOKIE, cookie::delete(&self.cookies.next));
        response
    }
}
