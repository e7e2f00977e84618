//! Sessions as rows of the database. Each method is one use case inside of a transaction.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::database::{Error, Row, Transaction, Value};
use crate::issued::Issued;
use crate::seen::Seen;
use crate::signin::proof::Proof;
use crate::signin::sso::session::Session;

/// Maximum number of sessions of a user. The one that was not used for the longest time is ended.
const PER_USER_MAX: i64 = 100;
/// Number of expired rows that a new session removes, at most. More than one, so that the table shrinks.
const SWEPT: i64 = 10;
/// Maximum number of clients that are remembered for a session.
const CLIENTS_MAX: usize = 100;

/// The sessions of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pool: Arc<str>,
    issued: Issued,
}

/// A session, as users and operators see it in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    pub session: Session,
    /// The clients that got a code in it.
    pub clients: Vec<String>,
    /// Where it was used when the user signed in.
    pub seen: Seen,
    pub created_at: Timestamp,
    /// Up to a minute ago.
    pub used_at: Timestamp,
    pub expires_at: Timestamp,
}

impl Rows {
    /// Of the pool with this name in the configuration.
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self { issued: Issued::new(Arc::clone(&pool)), pool }
    }

    /// Writes a session that begins or continues, with the hash of its new cookie. Returns it as it was written: one that has ended since it was
    /// read gets another ID.
    pub(super) fn begin(
        &self,
        on: &mut Transaction<'_>,
        mut session: Session,
        former: &Former,
        (hash, seen): (&[u8; 32], &Seen),
        now: Timestamp,
    ) -> Result<Session, Error> {
        match former {
            Former::OfAnother(ended) => {
                self.issued.end_session(on, ended, now)?;
            }
            Former::Same if !self.is_there(on, &session)? => session.id = octets::token(),
            Former::Same | Former::None => {}
        }
        self.sweep(on, now)?;
        let proofs = String::from(session.proofs.clone());
        let values = [
            Value::from(&*self.pool),
            (&session.id).into(),
            (&hash[..]).into(),
            (&session.subject).into(),
            (&session.fingerprint).into(),
            Timestamp::from_seconds(session.auth_time).into(),
            (&proofs).into(),
            (&seen.address).into(),
            (&seen.agent).into(),
            now.into(),
            Timestamp::from_seconds(session.expires_at).into(),
        ];
        let sql = "INSERT INTO sso (pool, id, hash, sub, fingerprint, auth_time, proofs, clients, address, agent, created_at, used_at, expires_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, '[]', ?8, ?9, ?10, ?10, ?11) \
                   ON CONFLICT (pool, id) DO UPDATE SET hash = excluded.hash, fingerprint = excluded.fingerprint, \
                   auth_time = excluded.auth_time, proofs = excluded.proofs, address = excluded.address, agent = excluded.agent, \
                   used_at = excluded.used_at, expires_at = excluded.expires_at";
        on.execute(sql, &values)?;
        self.make_room(on, &session, now)?;
        Ok(session)
    }

    /// Whether a session of this user is there. It may have expired.
    pub(crate) fn is_there(&self, on: &mut Transaction<'_>, session: &Session) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM sso WHERE pool = ?1 AND id = ?2 AND sub = ?3";
        let key = [Value::from(&*self.pool), (&session.id).into(), (&session.subject).into()];
        Ok(on.query_one(sql, &key)?.is_some())
    }

    /// The user of a session has proved something more, while signed in. A factor that was proved before is not proved again.
    pub(crate) fn prove(&self, on: &mut Transaction<'_>, session: &Session, proof: Proof) -> Result<(), Error> {
        let proofs = String::from(session.proofs.clone().and_if_new(proof));
        let sql = "UPDATE sso SET proofs = ?3 WHERE pool = ?1 AND id = ?2";
        on.execute(sql, &[Value::from(&*self.pool), (&session.id).into(), (&proofs).into()]).map(drop)
    }

    /// The session of a cookie, and when it was used last. It may have expired.
    pub(super) fn of_cookie(
        &self,
        on: &mut Transaction<'_>,
        hash: &[u8; 32],
    ) -> Result<Option<(Session, Timestamp)>, Error> {
        let sql = "SELECT id, sub, fingerprint, auth_time, expires_at, proofs, used_at FROM sso WHERE pool = ?1 AND hash = ?2";
        let row = on.query_one(sql, &[Value::from(&*self.pool), (&hash[..]).into()])?;
        row.map(|mut row| Ok((read(&mut row)?, row.timestamp(6)?))).transpose()
    }

    /// The sessions of a user that have not expired, the last used first.
    pub(crate) fn of_subject(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, Error> {
        let sql = "SELECT id, sub, fingerprint, auth_time, expires_at, proofs, used_at, clients, address, agent, created_at FROM sso \
                   WHERE pool = ?1 AND sub = ?2 AND expires_at > ?3 ORDER BY used_at DESC, id";
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into(), now.into()])?;
        let read = |mut row: Row| {
            let session = read(&mut row)?;
            Ok(StoredSession {
                expires_at: Timestamp::from_seconds(session.expires_at),
                session,
                clients: clients(&row.text(7)?)?,
                seen: Seen { address: row.text(8)?, agent: row.text(9)? },
                created_at: row.timestamp(10)?,
                used_at: row.timestamp(6)?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Notes that a session was used.
    pub(super) fn use_at(&self, on: &mut Transaction<'_>, id: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE sso SET used_at = ?3 WHERE pool = ?1 AND id = ?2";
        on.execute(sql, &[Value::from(&*self.pool), id.into(), now.into()]).map(drop)
    }

    /// Notes that a client takes part in a session. `false` if the session has ended.
    pub(crate) fn take_part(&self, on: &mut Transaction<'_>, id: &str, client_id: &str) -> Result<bool, Error> {
        let key = [Value::from(&*self.pool), id.into()];
        let sql = "SELECT clients FROM sso WHERE pool = ?1 AND id = ?2";
        let Some(mut row) = on.query_one(sql, &key)? else { return Ok(false) };
        let mut clients = clients(&row.text(0)?)?;
        if clients.iter().all(|known| known != client_id) && clients.len() < CLIENTS_MAX {
            clients.push(client_id.to_owned());
            let clients = serde_json::to_string(&clients).expect("a list of texts has a JSON form");
            let sql = "UPDATE sso SET clients = ?3 WHERE pool = ?1 AND id = ?2";
            on.execute(sql, &[Value::from(&*self.pool), id.into(), (&clients).into()])?;
        }
        Ok(true)
    }

    /// Ends a session, and what was issued in it without `offline_access`. `false` if there is none.
    pub(super) fn end(&self, on: &mut Transaction<'_>, id: &str, now: Timestamp) -> Result<bool, Error> {
        self.issued.end_session(on, id, now)
    }

    /// Ends sessions of a user: the one with this id, or all others. Returns how many.
    pub(crate) fn end_of(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        which: &Which,
        now: Timestamp,
    ) -> Result<usize, Error> {
        let (id, sql) = match which {
            Which::This(id) => (id, "SELECT id FROM sso WHERE pool = ?1 AND sub = ?2 AND id = ?3"),
            Which::Others(id) => (id, "SELECT id FROM sso WHERE pool = ?1 AND sub = ?2 AND id <> ?3"),
        };
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into(), id.into()])?;
        let count = rows.len();
        for mut row in rows {
            self.issued.end_session(on, &row.text(0)?, now)?;
        }
        Ok(count)
    }

    /// Ends sessions of the same user if there are too many. The new one stays.
    fn make_room(&self, on: &mut Transaction<'_>, new: &Session, now: Timestamp) -> Result<(), Error> {
        let sql =
            "SELECT id FROM sso WHERE pool = ?1 AND sub = ?2 AND id <> ?3 ORDER BY used_at DESC LIMIT 10 OFFSET ?4";
        let values = [Value::from(&*self.pool), (&new.subject).into(), (&new.id).into(), (PER_USER_MAX - 1).into()];
        for mut row in on.query(sql, &values)? {
            self.issued.end_session(on, &row.text(0)?, now)?;
        }
        Ok(())
    }

    /// What was issued in an expired session may live on.
    fn sweep(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM sso WHERE pool = ?1 AND id IN \
                   (SELECT id FROM sso WHERE pool = ?1 AND expires_at <= ?2 LIMIT ?3)";
        on.execute(sql, &[Value::from(&*self.pool), now.into(), SWEPT.into()]).map(drop)
    }
}

/// The session that the browser had before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Former {
    None,
    /// That of the same user: it continues with its ID.
    Same,
    /// Another one with this ID: it ends.
    OfAnother(String),
}

/// Which sessions of a user.
#[derive(Clone, Debug)]
pub enum Which {
    /// The one with this ID.
    This(String),
    /// All but this one.
    Others(String),
}

fn read(row: &mut Row) -> Result<Session, Error> {
    Ok(Session {
        id: row.text(0)?,
        subject: row.text(1)?,
        fingerprint: row.text(2)?,
        auth_time: row.timestamp(3)?.seconds(),
        expires_at: row.timestamp(4)?.seconds(),
        proofs: row.text(5)?.parse().map_err(|_| Error::Malformed("list of proofs"))?,
    })
}

fn clients(text: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(text).map_err(|_| Error::Malformed("JSON list of clients"))
}
