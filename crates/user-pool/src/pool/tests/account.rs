//! The pages of the account, as browsers see them. What their tests have in common is here.

mod address;
mod data;
mod gate;
mod password;
mod phone;
mod profile;
mod sessions;

use super::mfa::vault;
use super::stored::Stored;
use super::*;
use crate::account::settings::Settings as AccountSettings;
use crate::directory::settings::{Alias, Settings as Rules};
use crate::events::event_rows::EventRows;
use crate::management::NewUser;
use crate::messages::courier::console::Console;
use crate::messages::settings::MailBy;
use crate::passwords::tests::first;
use crate::self_service::settings::{Address, Settings as SelfService};
use crate::settings::Store;

const OVERVIEW: &str = "/account";
const PASSWORD_PAGE: &str = "/account/password";

/// A pool with Grace in its database, who signs in by her address, too.
async fn pool() -> Stored {
    with(|_| ()).await
}

async fn with(change: impl FnOnce(&mut Settings)) -> Stored {
    Stored::with(|settings| {
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.messages.mail = Some(MailBy::Console(Console::default()));
        settings.directory = Arc::new(Rules { aliases: vec![Alias::Email], ..Rules::default() });
        settings.self_service = Arc::new(SelfService { sign_up: None, recovery: vec![Address::Email] });
        settings.account = Arc::new(AccountSettings { may_delete: true, ..AccountSettings::default() });
        change(settings);
    })
    .await
}

impl Stored {
    /// Adds another user with a verified address.
    async fn add_heidi(&self) {
        let heidi = NewUser {
            username: "heidi".into(),
            password: Some(first("second compiler")),
            attributes: vec![("email".into(), "heidi@example.com".into()), ("email_verified".into(), "true".into())],
            groups: vec![],
        };
        self.users.add(heidi, START).await.expect("added");
    }

    /// A browser in which Grace has just signed in.
    async fn grace(&self) -> Browser<'_> {
        self.signed_in("grace", "first compiler").await
    }

    async fn signed_in(&self, username: &str, password: &str) -> Browser<'_> {
        let mut browser = self.fixture.browser();
        let page = browser.get(OVERVIEW).await;
        let answer = browser.submit(&page, username, password).await;
        assert_eq!(answer.header("location"), OVERVIEW, "{}", answer.text());
        browser
    }

    /// Writes the events that wait.
    async fn write_events(&self) {
        for event in self.fixture.events() {
            let rows = EventRows { pool: "demo".into() };
            self.database.write(move |on| rows.record(on, &event)).await.expect("written");
        }
    }

    /// What the audit says of Grace, the newest first.
    async fn audited(&self) -> Vec<String> {
        let entries = self.users.audited(Some("grace"), 9).await.expect("read");
        entries.into_iter().map(|entry| format!("{} {}", entry.actor, entry.operation)).collect()
    }
}

impl Browser<'_> {
    /// Sends the form of a page, and follows to the next page of ours.
    async fn fill(&mut self, path: &str, page: &Answer, fields: &[(&str, &str)]) -> Answer {
        let hidden = page.hidden();
        self.send_form(path, &[&[("request", &*hidden)], fields].concat()).await
    }

    /// Loads a page, and sends its form.
    async fn open_and_fill(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let page = self.get(path).await;
        self.fill(path, &page, fields).await
    }
}

#[track_caller]
fn says(page: &Answer, text: &str) {
    assert!(page.text().contains(text), "{text}: {}", page.text());
}
