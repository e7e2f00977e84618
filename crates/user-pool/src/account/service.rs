//! What the use cases have in common: every one of them runs in [`Account::read`] or [`Account::change`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::account::gate::{Fresh, Here, Visitor};
use crate::account::settings::Settings as AccountSettings;
use crate::clock::{Clock, Timestamp};
use crate::credential::hasher::{Hasher, costs};
use crate::database::{Error, Transaction};
use crate::directory;
use crate::directory::StoredUsers;
use crate::directory::record::Record;
use crate::events::audit::{Actor, AuditRows, Done};
use crate::events::log::EventLog;
use crate::federation::Federation;
use crate::memory::PoolMemory;
use crate::messages::limits::Operation;
use crate::messages::outgoing::Outgoing;
use crate::passwords::Passwords;
use crate::self_service::settings::SignUp;
use crate::settings::Settings;
use crate::signin::SignIn;
use crate::signin::sso::{Rows, Session};

/// The account of each user of one pool that has a store. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(super) stored: StoredUsers,
    pub(super) sessions: Rows,
    pub(super) sign_in: Arc<SignIn>,
    pub(super) settings: Arc<AccountSettings>,
    /// The attributes of the pool, and its aliases.
    pub(super) rules: Arc<directory::settings::Settings>,
    /// Whose addresses may be used.
    pub(super) sign_up: Option<SignUp>,
    pub(super) passwords: Passwords,
    /// Sends codes and notices.
    pub(super) outgoing: Outgoing,
    /// The sign-in log.
    pub(super) events: EventLog,
    pub(super) clock: Clock,
    /// The providers that say what some attributes of their users are.
    pub(super) federation: Arc<Federation>,
}

/// What became of a change that is limited by the hour.
#[derive(Debug)]
pub(crate) enum Change<T> {
    Made(T),
    /// Too many changes. The next one is permitted after this time.
    TooMany(Duration),
    /// The session has ended.
    Over,
}

impl<T> From<Option<T>> for Change<T> {
    /// `None`: the session has ended.
    fn from(made: Option<T>) -> Self {
        made.map_or(Self::Over, Self::Made)
    }
}

impl Account {
    /// Of the users of this database. `None` if the pool has none. `memory` is that of the pool.
    pub(crate) fn new(
        settings: &Settings,
        memory: &PoolMemory,
        stored: Option<&StoredUsers>,
        (sign_in, federation): (&Arc<SignIn>, &Arc<Federation>),
        (events, clock): (EventLog, Clock),
    ) -> Option<Self> {
        let (stored, outgoing) = (stored?.clone(), Outgoing::new(settings, memory)?);
        let hasher = Hasher::new(settings.hashing_max, costs([]), memory.hashing.clone());
        Some(Self {
            sessions: Rows::new(Arc::clone(&stored.records.pool)),
            sign_in: Arc::clone(sign_in),
            settings: Arc::clone(&settings.account),
            rules: Arc::clone(&settings.directory),
            sign_up: settings.self_service.sign_up.clone(),
            passwords: Passwords::new(stored.clone(), settings.password_policy.clone(), hasher),
            outgoing,
            federation: Arc::clone(federation),
            events,
            clock,
            stored,
        })
    }

    /// The user of a session that a browser has. `None` if the user has to sign in.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn enter(&self, session: Session) -> Result<Option<Visitor>, Error> {
        Visitor::enter(session, &self.sign_in).await
    }

    /// Writes to the audit what the user has done.
    pub(super) fn audit(&self, on: &mut Transaction<'_>, done: Done<'_>, now: Timestamp) -> Result<(), Error> {
        AuditRows { pool: Arc::clone(&self.stored.records.pool) }.record(on, &Actor::User, done, now)
    }

    /// Counts a change of a user, whatever comes of it.
    ///
    /// # Errors
    ///
    /// How long the user has to wait.
    pub(super) fn admit(&self, operation: Operation, who: &Fresh, client: IpAddr) -> Result<(), Duration> {
        self.outgoing.limits.admit(operation, who.subject(), client, self.now())
    }

    /// The time of the pool.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Reads something about a user. `None` if the session has ended meanwhile.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        who: &Visitor,
        work: impl FnOnce(&mut Transaction<'_>, &Here) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let (account, who) = (self.clone(), who.clone());
        let read = move |on: &mut Transaction<'_>| account.run(on, &who, work);
        self.stored.database.read(read).await
    }

    /// Changes something about a user. `None` if the session has ended meanwhile: then nothing was done.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        who: &Fresh,
        work: impl FnOnce(&mut Transaction<'_>, &Here) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let (account, who) = (self.clone(), who.visitor().clone());
        let change = move |on: &mut Transaction<'_>| account.run(on, &who, work);
        self.stored.database.write(change).await
    }

    /// Changes something about a user of the database. `None` if the session has ended meanwhile, or if the user is of the configuration: then nothing
    /// was done.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn change_user<T: Send + 'static>(
        &self,
        who: &Fresh,
        work: impl FnOnce(&mut Transaction<'_>, &Record) -> Result<T, Error> + Send + 'static,
    ) -> Result<Option<T>, Error> {
        let change = move |on: &mut Transaction<'_>, here: &Here| here.record().map(|user| work(on, user)).transpose();
        Ok(self.change(who, change).await?.flatten())
    }

    fn run<T>(
        &self,
        on: &mut Transaction<'_>,
        who: &Visitor,
        work: impl FnOnce(&mut Transaction<'_>, &Here) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        match who.here(on, (&self.stored.records, &self.sessions))? {
            Some(here) => work(on, &here).map(Some),
            None => Ok(None),
        }
    }
}
