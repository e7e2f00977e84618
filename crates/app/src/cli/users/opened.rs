//! What commands for the users of a pool begin with: the configuration is read, and the database is opened.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::cli::terminal::{for_stderr, print};
use crate::clock::{Clock, Timestamp};
use crate::config::document::source::Source;
use crate::config::{self, MissingKeys};
use crate::database::{Database, Others};
use crate::user_pool::credential::hasher::{Hasher, Hashing, costs};
use crate::user_pool::events::audit::{Actor, Outcome};
use crate::user_pool::events::log::EventLog;
use crate::user_pool::management::Management;
use crate::user_pool::messages::outgoing::Outgoing;
use crate::user_pool::passwords::Passwords;
use crate::user_pool::self_service::SelfService;
use crate::user_pool::settings::Settings;
use crate::user_pool::{MIGRATIONS, PoolMemory, Records, StoredUsers};

/// Which pool.
#[derive(Debug, clap::Args)]
pub(crate) struct Of {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// The name of the pool in `user_pools`. Not needed if only one pool has a `store`.
    #[arg(long, value_name = "NAME")]
    pub(super) pool: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

/// The users of a pool, as its configuration says.
pub(super) struct Opened<'c> {
    pub(super) settings: &'c Settings,
    pub(super) stored: StoredUsers,
    pub(super) users: Management,
    pub(super) now: Timestamp,
}

impl Opened<'_> {
    /// Reads something of people. Whether it was read is in the audit before anything of it is shown.
    pub(super) async fn reading<T, E: Into<anyhow::Error>>(
        &self,
        operation: &'static str,
        who: Option<&str>,
        work: impl Future<Output = Result<T, E>>,
    ) -> anyhow::Result<T> {
        let read = work.await.map_err(Into::into);
        self.users.note((operation, Outcome::of(&read)), who, self.now).await?;
        read
    }

    /// Does something that takes a while or writes a file. The audit has it before it begins, and when it has ended.
    pub(super) async fn taking_a_while<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        self.users.note((operation, Outcome::Begun), None, self.now).await?;
        self.reading(operation, None, work).await
    }

    /// What sets passwords, and tells users of it.
    pub(super) fn passwords(&self) -> Passwords {
        // One password is hashed at a time: a command has one.
        let hasher = Hasher::new(1, costs([]), Hashing::default());
        let passwords = Passwords::new(self.stored.clone(), self.settings.password_policy.clone(), hasher);
        passwords.telling(Outgoing::new(self.settings, &PoolMemory::default())).by(Actor::of_this_command())
    }

    /// What sends codes and invitations.
    pub(super) fn service(&self) -> anyhow::Result<SelfService> {
        // What a command does is in the audit, not in the sign-in log.
        let events = EventLog::new(None, Clock::system());
        let service = SelfService::new(self.settings, &PoolMemory::default(), Some(&self.stored), &events);
        Ok(service.context("the pool has a store")?.by(&Actor::of_this_command()))
    }
}

/// Opens the pool, does the work, and prints the text.
pub(super) fn run(
    of: &Of,
    work: impl AsyncFnOnce(Opened<'_>) -> anyhow::Result<(String, ExitCode)>,
) -> anyhow::Result<ExitCode> {
    let Some(config) = load(of) else { return Ok(ExitCode::FAILURE) };
    let settings = pool(&config, of.pool.as_deref())?;
    let now = Clock::system().now();
    let stored = users_of(settings, now)?;
    let rules = Arc::clone(&settings.directory);
    let users = Management::new(stored.clone()).with_rules(rules).by(Actor::of_this_command());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (text, code) = runtime.block_on(work(Opened { settings, stored, users, now }))?;
    print(&text)?;
    Ok(code)
}

/// Loads the configuration. If it is not valid, prints why, and returns `None`.
pub(super) fn load(of: &Of) -> Option<config::Config> {
    let loaded = Source::read(&of.config).and_then(|source| config::load(&source, MissingKeys::Refuse));
    if let Err(diagnostics) = &loaded {
        eprintln!("{}", for_stderr(diagnostics));
    }
    loaded.ok()
}

/// The pool of this name, or the only one with a database.
pub(super) fn pool<'c>(config: &'c config::Config, name: Option<&str>) -> anyhow::Result<&'c Settings> {
    let stored = config.user_pools.iter().filter(|pool| pool.settings.store.is_some());
    let pools: Vec<_> = stored.filter(|pool| name.is_none_or(|name| *pool.settings.name == *name)).collect();
    match (&pools[..], name) {
        ([pool], _) => Ok(&pool.settings),
        ([], Some(name)) => bail!("no pool `{name}` with a `store` is in `user_pools`"),
        ([], None) => bail!("no pool of `user_pools` has a `store`: its users are in the configuration file"),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|pool| &*pool.settings.name).collect();
            bail!("several pools have a `store`: name one of them with --pool: {}", names.join(", "))
        }
    }
}

/// The users of the pool, in its database.
pub(in crate::cli) fn users_of(pool: &Settings, now: Timestamp) -> anyhow::Result<StoredUsers> {
    let store = pool.store.as_ref().context("the pool has a store")?;
    let database = Database::open(&store.sqlite, MIGRATIONS, Others::Server, now)?;
    database.unlock(&store.vault)?;
    Ok(StoredUsers { database: Arc::new(database), records: Records { pool: Arc::clone(&pool.name) } })
}
