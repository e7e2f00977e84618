//! Sign-up, recovery and the first password of one's own: what they have in common is here.

mod any_browser;
mod former_address;
mod hosts;
mod recovery;
mod sign_up;

use super::*;
use crate::database::{Database, Others, Vault};
use crate::directory;
use crate::management::{Management, NewUser};
use crate::messages::queue::{Due, Queue};
use crate::passwords::FirstPassword;
use crate::self_service::settings::{Address, Settings as SelfService, SignUp};
use crate::settings::Store;
use crate::testing::{Directory, temporary_directory};
use crate::{MIGRATIONS, Records};

/// A password that the policy takes.
pub(super) const PASSWORD: &str = "a compiler for everybody";

/// A pool with a database, on which people can sign up.
pub(super) struct Open {
    pub(super) fixture: Fixture,
    pub(super) users: Management,
    pub(super) database: Arc<Database>,
    queue: Queue,
    _directory: Directory,
}

pub(super) fn by_address() -> directory::settings::Settings {
    directory::settings::Settings { usernames: directory::settings::Usernames::Email, ..Default::default() }
}

impl Open {
    pub(super) async fn new(rules: directory::settings::Settings) -> Self {
        let sign_up = SignUp { allowed_domains: vec![], verify: vec![Address::Email] };
        Self::with(rules, SelfService { sign_up: Some(sign_up), recovery: vec![Address::Email] }).await
    }

    pub(super) async fn with(rules: directory::settings::Settings, self_service: SelfService) -> Self {
        Self::changed(rules, self_service, |_| ()).await
    }

    /// The same with other settings.
    pub(super) async fn changed(
        rules: directory::settings::Settings,
        self_service: SelfService,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let folder = temporary_directory("pool-self-service");
        let database = Database::open(&folder.join("pool.db"), MIGRATIONS, Others::Nobody, START);
        let database = Arc::new(database.expect("a database"));
        let vault = Vault::new([aead::Key::new(&Secret::new([9; 32]))].into());
        let stored = StoredUsers { database: Arc::clone(&database), records: Records { pool: "demo".into() } };
        let rules = Arc::new(rules);
        let mut settings = Settings {
            store: Some(Store { sqlite: folder.join("pool.db"), vault: vault.clone() }),
            directory: Arc::clone(&rules),
            self_service: Arc::new(self_service),
            ..settings()
        };
        change(&mut settings);
        let (clock, hand) = Clock::manual(START);
        let fixture = Fixture::of_store(settings, (PoolMemory::default(), clock), hand, Some(stored.clone()));
        let users = Management::new(stored).with_rules(rules);
        Self { fixture, users, database, queue: Queue::new("demo".into(), vault), _directory: folder }
    }

    /// Adds a user with a verified address.
    pub(super) async fn add(&self, username: &str, email: &str) {
        let attributes = vec![("email".into(), email.into()), ("email_verified".into(), "true".into())];
        let password = Some(FirstPassword::cheap("first compiler"));
        let user = NewUser { username: username.into(), password, attributes, groups: vec![] };
        self.users.add(user, START).await.expect("added");
    }

    /// The messages that would be sent now.
    pub(super) async fn messages(&self) -> Vec<Due> {
        let (queue, now) = (self.queue.clone(), self.fixture.clock.now());
        self.database.write(move |on| queue.claim(on, 100, now)).await.expect("claimed").due
    }

    /// The digits of the only message, which goes to this address.
    pub(super) async fn code(&self, to: &str) -> String {
        let messages = self.messages().await;
        let [message] = &messages[..] else { panic!("{} messages", messages.len()) };
        assert_eq!(message.body.to, to);
        message.body.secret.as_ref().expect("a code").expose().clone()
    }
}

/// Another code than this one.
pub(super) fn other_than(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().expect("digits") + 1) % 1_000_000)
}

impl Browser<'_> {
    /// The address of a link of a page.
    #[track_caller]
    pub(super) fn link(page: &Answer, start: &str) -> String {
        let (_, rest) =
            page.text().split_once(&format!("href=\"{start}")).unwrap_or_else(|| panic!("no link to {start}"));
        let address = format!("{start}{}", rest.split('"').next().unwrap_or_default());
        address.replace("&amp;", "&").replace("&#38;", "&")
    }

    /// Sends a form as a browser does that loads pages, and follows to the next page of ours.
    pub(super) async fn send_form(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
        let answer = self.post(path, fields).await;
        let location = answer.0.headers().get("location").map(|to| to.to_str().expect("ASCII").to_owned());
        match location {
            Some(location) if location.starts_with('/') => self.get(&location).await,
            _ => answer,
        }
    }
}

/// A page without what differs between two visits.
pub(super) fn shown(page: &Answer, names: &[&str]) -> (StatusCode, String) {
    let text = names.iter().fold(page.text().replace(&page.hidden(), "?"), |text, name| text.replace(name, "?"));
    // The request of the application is sealed anew in each link.
    let mut parts = text.split("?for=");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.split_once('"').map_or("", |(_, after)| after));
    (page.status(), rest.fold(first, |text, part| text + "?\"" + part))
}
