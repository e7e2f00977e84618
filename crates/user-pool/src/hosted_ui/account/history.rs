//! The page of what the user has done: the sign-in log, in plain words.

use http::StatusCode;

use crate::events::event::{Event, Kind, Reason, Response};
use crate::hosted_ui::account::agent;
use crate::hosted_ui::account::gate::{At, Halt};
use crate::hosted_ui::account::sessions::time;
use crate::hosted_ui::ui::HostedUi;
use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{AccountItem, AccountList};
use crate::page::site::NO_FORM;
use crate::page::{Sentence, Text};
use crate::routes::account::Section;

impl HostedUi {
    /// Shows the page.
    pub(super) async fn account_history(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let who = self.account_visitor(at).await?;
        let events = at.account.history(&who).await?.ok_or_else(|| self.account_over(at))?;
        let view = self.view(at.headers, None);
        let list = AccountList {
            view,
            title: Text::AccountHistoryTitle,
            done: None,
            lead: vec![Text::AccountHistoryLead.into()],
            groups: vec![(Text::AccountHistoryNewest, events.iter().map(item).collect())],
            action: "",
            carried: "",
            press: None,
            links: vec![Link::here(Text::AccountBack, Section::Overview.path())],
        };
        Ok(view.respond(StatusCode::OK, &list, NO_FORM, Frames::Nobody))
    }
}

fn item(event: &Event) -> AccountItem {
    let seen = &event.visit.seen;
    let by = match seen.address.is_empty() {
        // A command, which has no address.
        true => Text::AccountByAdministrator.into(),
        false => Sentence::from(Text::AccountFrom).quoted("address", seen.address.as_str()),
    };
    let browser = (!seen.address.is_empty()).then(|| agent::named(&seen.agent));
    let facts = [Some(Sentence::verbatim(time(event.at))), browser, Some(by)];
    AccountItem { title: what(event), mark: None, facts: facts.into_iter().flatten().collect(), press: None }
}

fn what(event: &Event) -> Sentence {
    let text = match (event.kind, event.response) {
        (Kind::SignIn, Response::Pass) => Text::EventSignIn,
        (Kind::SignIn, Response::InProgress) => Text::EventSignInUnderWay,
        (Kind::SignIn, Response::Fail) if event.reason == Some(Reason::TooMany) => Text::EventSignInTooMany,
        (Kind::SignIn, Response::Fail) => Text::EventSignInFailed,
        (Kind::SignUp, Response::InProgress) => Text::EventSignUp,
        (Kind::SignUp, Response::Pass) => Text::EventConfirmed,
        (Kind::SignUp, Response::Fail) => Text::EventConfirmFailed,
        (Kind::ForgotPassword, Response::Pass) => Text::EventReset,
        (Kind::ForgotPassword, Response::InProgress) => Text::EventResetAsked,
        (Kind::ForgotPassword, Response::Fail) => Text::EventResetFailed,
        (Kind::PasswordChange, Response::Fail) => Text::EventPasswordFailed,
        (Kind::PasswordChange, _) => Text::EventPassword,
        (Kind::ResendCode, _) => Text::EventResend,
        (Kind::AttributeChange, Response::Fail) => Text::EventAttributesFailed,
        (Kind::AttributeChange, _) => Text::EventAttributes,
        (Kind::FactorChange, Response::Fail) => Text::EventFactorFailed,
        (Kind::FactorChange, _) => Text::EventFactor,
        (Kind::SignOut, _) => Text::EventSignOut,
        (Kind::SessionsEnded, _) => Text::EventSessionsEnded,
        (Kind::TokenReuse, _) => Text::EventTokenReuse,
    };
    text.into()
}
