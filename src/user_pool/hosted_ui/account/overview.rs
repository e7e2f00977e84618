//! The overview: what there is of the user, and where to change it.

use http::StatusCode;

use crate::message::WholeResponse;
use crate::page::headers::Frames;
use crate::page::link::Link;
use crate::page::pages::{AccountPart, Overview};
use crate::page::site::NO_FORM;
use crate::page::{Sentence, Text};
use crate::user_pool::account::Visitor;
use crate::user_pool::account::overview::Seen;
use crate::user_pool::hosted_ui::account::form::Page;
use crate::user_pool::hosted_ui::account::gate::{At, Halt};
use crate::user_pool::hosted_ui::ui::HostedUi;
use crate::user_pool::routes;
use crate::user_pool::routes::account::Section;

impl HostedUi {
    /// Shows the overview.
    pub(super) async fn account_overview(&self, at: &At<'_>) -> Result<WholeResponse, Halt> {
        let who = self.account_visitor(at).await?;
        let page: Page<()> = self.account_shown(at, &who, || ());
        let Some(seen) = at.account.overview(&who).await? else { return Err(self.account_over(at)) };
        let view = self.view(at.headers, None);
        let overview = Overview {
            view,
            done: page.alert(),
            parts: self.account_parts(&who, &seen),
            links: vec![Link::here(Text::LinkApplications, routes::SIGN_IN)],
        };
        Ok(self.account_show(at, &page, |_, _, status: StatusCode| {
            view.respond(status, &overview, NO_FORM, Frames::Nobody)
        }))
    }

    /// The parts of the overview, in their order. Each has a function of its own.
    fn account_parts(&self, who: &Visitor, seen: &Seen) -> Vec<AccountPart> {
        let name = (Sentence::from(Text::SignInUserName), Sentence::verbatim(who.user().shown_name()));
        let Some(_) = seen.record else {
            return vec![AccountPart {
                title: Text::AccountProfileTitle,
                facts: vec![name],
                notes: vec![Text::AccountDeclared.into()],
                links: vec![],
            }];
        };
        vec![
            AccountPart { title: Text::AccountProfileTitle, facts: vec![name], notes: vec![], links: vec![] },
            account_password_part(seen),
            // The second factors, passkeys, recovery codes and trusted browsers come here.
        ]
    }
}

fn account_password_part(seen: &Seen) -> AccountPart {
    let (note, link) = match seen.has_password() {
        true => (None, Text::AccountPasswordLink),
        false => (Some(Text::AccountNoPassword.into()), Text::AccountPasswordSetLink),
    };
    AccountPart {
        title: Text::SignInPassword,
        facts: vec![],
        notes: note.into_iter().collect(),
        links: vec![Link::here(link, Section::Password.path())],
    }
}
