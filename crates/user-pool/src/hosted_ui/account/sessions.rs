//! The page that shows where a user is signed in, and ends it.

use http::StatusCode;

use crate::account::Visitor;
use crate::account::sessions::{End, SignedIn};
use crate::clock::Timestamp;
use crate::hosted_ui::account::agent;
use crate::hosted_ui::account::form::Page;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::flow::field;
use crate::hosted_ui::ui::HostedUi;
use crate::hosted_ui::visitor::visit;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{AccountItem, AccountList, Press};
use crate::page::{Sentence, Text};
use crate::routes::account::Section;

/// The names of the buttons.
const SESSION: &str = "session";
const OTHERS: &str = "others";
const APPLICATION: &str = "application";

impl HostedUi {
    /// Shows the page. Who has not just signed in sees it without buttons.
    pub(super) async fn account_sessions_page(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let who = self.account_visitor(at).await?;
        let page: Page<()> = self.account_shown(at, &who, || ());
        let signed_in = at.account.signed_in(&who).await?.ok_or_else(|| self.account_over(at))?;
        Ok(self.account_show(at, &page, |page, carried, status| {
            self.show_account_sessions(at, (page, carried, status), &who, &signed_in)
        }))
    }

    fn show_account_sessions(
        &self,
        at: &At<'_>,
        (page, carried, status): (&Page<()>, &str, StatusCode),
        who: &Visitor,
        signed_in: &SignedIn,
    ) -> WholeResponse {
        let view = self.view(at.headers, None);
        let is_fresh = who.is_fresh(at.account.now());
        let own = &who.session().id;
        let press = |name, value: &str, label| Press { name, value: value.to_owned(), label };
        let sessions = signed_in.sessions.iter().map(|session| {
            let is_own = session.session.id == *own;
            let times = since(session.created_at, session.used_at);
            AccountItem {
                title: agent::named(&session.seen.agent),
                mark: is_own.then_some(Text::AccountThisBrowser),
                facts: vec![times, from(&session.seen.address)],
                press: (is_fresh && !is_own).then(|| press(SESSION, &session.session.id, Text::AccountEnd)),
            }
        });
        let applications = signed_in.applications.iter().map(|application| AccountItem {
            title: Sentence::verbatim(self.provider.name_of(&application.client_id)),
            mark: None,
            facts: vec![since(application.created_at, application.used_at)],
            press: is_fresh.then(|| press(APPLICATION, &application.client_id, Text::AccountEndApplication)),
        });
        let has_others = signed_in.sessions.iter().any(|session| session.session.id != *own);
        let has_something = has_others || !signed_in.applications.is_empty();
        let confirm = (has_something && !is_fresh).then(|| Link::here(Text::AccountConfirm, at.confirmed()));
        let list = AccountList {
            view,
            title: Text::AccountSessionsTitle,
            done: page.alert(),
            lead: vec![],
            groups: vec![
                (Text::AccountBrowsers, sessions.collect()),
                (Text::AccountApplications, applications.collect::<Vec<_>>()),
            ],
            action: at.section.path(),
            carried,
            press: (is_fresh && has_others).then(|| press(OTHERS, "all", Text::AccountEndOthers)),
            links: confirm.into_iter().chain([Link::here(Text::AccountBack, Section::Overview.path())]).collect(),
        };
        view.respond(status, &list, "'self'", Frames::Nobody)
    }

    /// Takes the form.
    pub(super) async fn account_end(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let (fresh, page) = self.account_sent::<()>(at).await?;
        let (Some(session), Some(others), Some(application)) =
            (field(at.form, SESSION), field(at.form, OTHERS), field(at.form, APPLICATION))
        else {
            return Ok(self.twice(at.headers));
        };
        let what = match (session, others, application) {
            (session, "", "") if !session.is_empty() => End::Session(session.to_owned()),
            ("", "all", "") => End::Others,
            ("", "", client) if !client.is_empty() => End::Application(client.to_owned()),
            _ => return Ok(self.twice(at.headers)),
        };
        let said = match &what {
            End::Session(_) => Text::AccountEnded,
            End::Others => Text::AccountOthersEnded,
            End::Application(_) => Text::AccountApplicationEnded,
        };
        let visit = visit(at.headers, at.client, None);
        let ended = at.account.end(&fresh, what, at.client, &visit).await?;
        if let Err(too_many) = self.account_change(at, ended)? {
            let who = fresh.visitor();
            let signed_in = at.account.signed_in(who).await?.ok_or_else(|| self.account_over(at))?;
            return Ok(self.account_again(at, page, too_many, |page, carried, status| {
                self.show_account_sessions(at, (page, carried, status), who, &signed_in)
            }));
        }
        Ok(self.account_done(at, &fresh.visitor().session().id, Section::Sessions, said))
    }
}

/// When it began and was used last.
fn since(created_at: Timestamp, used_at: Timestamp) -> Sentence {
    Sentence::from(Text::AccountSince).quoted("began", time(created_at)).quoted("used", time(used_at))
}

fn from(address: &str) -> Sentence {
    Sentence::from(Text::AccountFrom).quoted("address", address)
}

/// A time as people read it: `2026-11-30 12:45 UTC`.
pub(super) fn time(at: Timestamp) -> String {
    let text = at.to_text();
    match (text.get(..10), text.get(11..16)) {
        (Some(day), Some(hour)) => format!("{day} {hour} UTC"),
        _ => text,
    }
}
