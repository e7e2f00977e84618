//! Who may see and change an account. Only this file makes a [`Visitor`] and a [`Fresh`] one.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Error, Transaction};
use crate::directory::record::{Record, Records};
use crate::directory::user::User;
use crate::signin::SignIn;
use crate::signin::sso::{Rows, Session};
use crate::signin::step::{Step, UnderWay};

/// For how long after a sign-in a user can change something (docs/decisions/0102).
const FRESH_FOR: Duration = Duration::from_mins(5);

/// A user who is signed in at the pool, in a browser whose session is as good as a sign-in of today.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    session: Session,
    user: Arc<User>,
}

/// The same, who was asked within the last five minutes: by the pool or another provider, and not by the trust of a browser.
#[derive(Clone, Debug)]
pub(crate) struct Fresh(Visitor);

/// The user as the database has the user in this moment.
#[derive(Debug)]
pub(crate) enum Here {
    /// A user of the database.
    Stored(Box<Record>),
    /// A user of the configuration, with this `sub`. Only its sessions are in the database.
    Declared(String),
}

impl Visitor {
    /// The user of a session. `None` if a sign-in would ask for more today than was proved when the session began, if the user must not have sessions,
    /// or has another password.
    pub(super) async fn enter(session: Session, sign_in: &SignIn) -> Result<Option<Self>, Error> {
        Ok(match sign_in.next(&UnderWay::of_session(&session)).await? {
            Some((user, Step::Done)) => Some(Self { session, user }),
            _ => None,
        })
    }

    /// Whether the user may change something now. A trusted browser has proved nothing about who sits before it, and neither has another provider that
    /// did not ask.
    pub(crate) fn is_fresh(&self, now: Timestamp) -> bool {
        let is_new = |at| now.since(Timestamp::from_seconds(at)) <= FRESH_FOR;
        self.session.asked_at().is_some_and(is_new) && !self.session.proofs.have_trusted_browser()
    }

    /// Whether the user has come from another provider within the last five minutes, which did not ask.
    pub(crate) fn was_not_asked(&self, now: Timestamp) -> bool {
        let auth_time = self.session.auth_time;
        self.session.asked_at() != Some(auth_time) && now.since(Timestamp::from_seconds(auth_time)) <= FRESH_FOR
    }

    /// The same user, if the user may change something now.
    pub(crate) fn fresh(self, now: Timestamp) -> Option<Fresh> {
        self.is_fresh(now).then_some(Fresh(self))
    }

    /// The user, as it was when the request came.
    pub(crate) fn user(&self) -> &User {
        &self.user
    }

    /// The same, to be kept.
    pub(super) fn shared_user(&self) -> &Arc<User> {
        &self.user
    }

    /// The session of this browser.
    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    /// The user in this transaction. `None` if the session has ended since the request came, or if the user has.
    pub(super) fn here(
        &self,
        on: &mut Transaction<'_>,
        (records, sessions): (&Records, &Rows),
    ) -> Result<Option<Here>, Error> {
        if !sessions.is_there(on, &self.session)? {
            return Ok(None);
        }
        if !self.user.is_stored() {
            return Ok(Some(Here::Declared(self.session.subject.clone())));
        }
        let Some(record) = records.of_subject(on, &self.session.subject)? else { return Ok(None) };
        let user = User::stored(record.clone());
        let is_good =
            user.is_some_and(|user| user.may_have_sessions() && user.fingerprint() == self.session.fingerprint);
        Ok(is_good.then(|| Here::Stored(Box::new(record))))
    }
}

impl Fresh {
    /// The same user, who may also see.
    pub(crate) fn visitor(&self) -> &Visitor {
        &self.0
    }

    /// `sub`.
    pub(crate) fn subject(&self) -> &str {
        &self.0.session.subject
    }
}

impl Here {
    /// `sub`.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Self::Stored(record) => &record.subject,
            Self::Declared(subject) => subject,
        }
    }

    /// A user of the database.
    pub(crate) fn record(&self) -> Option<&Record> {
        match self {
            Self::Stored(record) => Some(record),
            Self::Declared(_) => None,
        }
    }
}
