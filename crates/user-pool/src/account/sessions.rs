//! Where a user is signed in: browsers, and applications that have refresh tokens. And what the sign-in log has.

use std::net::IpAddr;
use std::sync::Arc;

use crate::account::gate::{Fresh, Here, Visitor};
use crate::account::service::{Account, Change};
use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::events::audit::Done;
use crate::events::event::{Event, Kind, Response, Visit};
use crate::events::event_rows::EventRows;
use crate::issued::Issued;
use crate::logouts::LogoutRows;
use crate::messages::limits::Operation;
use crate::signin::sso::{StoredSession, Which};

/// Events that the page shows, at most.
const EVENTS_MAX: i64 = 50;
/// Applications that the page shows, at most.
const APPLICATIONS_MAX: i64 = 100;

/// An application that has refresh tokens of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Application {
    pub(crate) client_id: String,
    /// The first and the last use of them.
    pub(crate) created_at: Timestamp,
    pub(crate) used_at: Timestamp,
}

/// Where a user is signed in.
#[derive(Debug)]
pub(crate) struct SignedIn {
    /// The last used first.
    pub(crate) sessions: Vec<StoredSession>,
    /// The last used first.
    pub(crate) applications: Vec<Application>,
}

/// What ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The session with this ID.
    Session(String),
    /// All but that of this browser.
    Others,
    /// What this client has.
    Application(String),
}

impl Account {
    /// Where a user is signed in. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn signed_in(&self, who: &Visitor) -> Result<Option<SignedIn>, Error> {
        let (account, now, fingerprint) = (self.clone(), self.clock.now(), who.session().fingerprint.clone());
        let read = move |on: &mut Transaction<'_>, here: &Here| {
            let mut sessions = account.sessions.of_subject(on, here.subject(), now)?;
            // Those that began before a new password are over.
            sessions.retain(|session| session.session.fingerprint == fingerprint);
            let applications = account.applications(on, (here.subject(), &fingerprint), now)?;
            Ok(SignedIn { sessions, applications })
        };
        self.read(who, read).await
    }

    fn applications(
        &self,
        on: &mut Transaction<'_>,
        (subject, fingerprint): (&str, &str),
        now: Timestamp,
    ) -> Result<Vec<Application>, Error> {
        let sql = "SELECT client_id, min(created_at), max(used_at) FROM families WHERE pool = ?1 AND sub = ?2 AND fingerprint = ?3 \
                   AND revoked_at IS NULL AND expires_at > ?4 GROUP BY client_id ORDER BY 3 DESC, 1 LIMIT ?5";
        let values =
            [Value::from(self.pool()), subject.into(), fingerprint.into(), now.into(), APPLICATIONS_MAX.into()];
        let read = |mut row: Row| {
            Ok(Application { client_id: row.text(0)?, created_at: row.timestamp(1)?, used_at: row.timestamp(2)? })
        };
        on.query(sql, &values)?.into_iter().map(read).collect()
    }

    /// Ends sessions or what an application has. The session of this browser never ends by this. Returns whether anything has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn end(
        &self,
        who: &Fresh,
        what: End,
        client: IpAddr,
        visit: &Visit,
    ) -> Result<Change<bool>, Error> {
        // All others can always be ended: whoever has taken over a session must not be able to use that up.
        if what != End::Others
            && let Err(wait) = self.admit(Operation::EndSession, who, client)
        {
            return Ok(Change::TooMany(wait));
        }
        let (account, now, own) = (self.clone(), self.clock.now(), who.visitor().session().id.clone());
        let end = move |on: &mut Transaction<'_>, here: &Here| {
            let subject = here.subject();
            let (count, operation, detail) = match &what {
                End::Session(id) if *id == own => return Ok(false),
                End::Session(id) => {
                    (account.sessions.end_of(on, subject, &Which::This(id.clone()), now)?, "session.end", None)
                }
                End::Others => (account.sessions.end_of(on, subject, &Which::Others(own), now)?, "session.end", None),
                End::Application(client) => {
                    (account.end_application(on, (subject, client), now)?, "application.end", Some(&**client))
                }
            };
            if count > 0 {
                account.audit(on, Done { operation, subject: Some(subject), detail }, now)?;
            }
            Ok(count > 0)
        };
        let ended = self.change(who, end).await?;
        if ended == Some(true) {
            self.events.record(Some(who.subject()), (Kind::SessionsEnded, Response::Pass), visit);
        }
        Ok(ended.into())
    }

    /// Ends the refresh tokens that a client has of a user, and tells the client.
    fn end_application(
        &self,
        on: &mut Transaction<'_>,
        (subject, client): (&str, &str),
        now: Timestamp,
    ) -> Result<usize, Error> {
        let (issued, logouts) = (Issued::new(self.pool_name()), LogoutRows::new(self.pool_name()));
        let sql = "SELECT id, session_id FROM families WHERE pool = ?1 AND sub = ?2 AND client_id = ?3 AND revoked_at IS NULL";
        let rows = on.query(sql, &[Value::from(self.pool()), subject.into(), client.into()])?;
        let count = rows.len();
        for mut row in rows {
            let (family, session) = (row.text(0)?, row.text(1)?);
            issued.end_family(on, &family, now)?;
            logouts.add(on, client, (subject, &session), now)?;
        }
        Ok(count)
    }

    /// What the sign-in log has of a user, the newest first. `None` if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn history(&self, who: &Visitor) -> Result<Option<Vec<Event>>, Error> {
        let rows = EventRows { pool: self.pool_name() };
        self.read(who, move |on, here| rows.of_user(on, here.subject(), EVENTS_MAX)).await
    }

    fn pool(&self) -> &str {
        &self.stored.records.pool
    }

    fn pool_name(&self) -> Arc<str> {
        Arc::clone(&self.stored.records.pool)
    }
}
