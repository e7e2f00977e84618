//! Users as rows of the database. Each method is one use case inside of a transaction.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::directory::attribute::Attributes;
use crate::directory::name::UserName;
use crate::directory::status::Status;
use crate::endings::rows::EndingRows;
use crate::logouts::LogoutRows;
use crate::secret::Secret;

/// A user of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// `sub`. It never changes, and nobody else ever gets it.
    pub subject: String,
    /// As typed. Its canonical form finds the user.
    pub username: String,
    pub status: Status,
    /// A user who is not enabled cannot sign in, and nothing that was issued before counts.
    pub is_enabled: bool,
    pub attributes: Attributes,
    /// In PHC form. `None`: the user has no password. Only `passwords` sets one.
    pub password_hash: Option<Secret<String>>,
    pub(crate) password_set_at: Option<Timestamp>,
    /// Until when the password is good for choosing another one, and for nothing else. `None`: it stays.
    pub temporary_until: Option<Timestamp>,
    /// Sessions, codes and tokens of an earlier epoch count no more. It is also the first second that a sign-in may have as its `auth_time`
    /// (docs/decisions/0097): so others see from the time of a sign-in whether it has ended.
    pub(crate) epoch: i64,
    pub created_at: Timestamp,
    pub modified_at: Timestamp,
    /// The strongest first.
    pub groups: Vec<String>,
    /// Whom the user is at other providers. The first is the oldest.
    pub(crate) identities: Vec<ExternalIdentity>,
}

/// Whom a user is at another provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalIdentity {
    /// The name of the provider in the configuration of the pool.
    pub(crate) provider: String,
    pub(crate) issuer: String,
    /// `sub` there.
    pub(crate) subject: String,
    pub(crate) linked_at: Timestamp,
}

impl Record {
    /// What the user is called in messages and on pages: the user name, or the address where users have no other name.
    pub fn shown_name(&self) -> &str {
        let is_nameless = self.username == self.subject;
        self.attributes.get("email").filter(|_| is_nameless).unwrap_or(&self.username)
    }

    /// The name of the provider at which the user signs in. `None`: here.
    pub fn provider(&self) -> Option<&str> {
        self.identities.first().map(|identity| &*identity.provider)
    }
}

/// The rows of one pool.
#[derive(Clone, Debug)]
pub struct Records {
    /// The name of the pool in the configuration.
    pub pool: Arc<str>,
}

/// What [`Records::read`] reads.
pub(super) const COLUMNS: &str = "SELECT sub, username, status, enabled, attributes, password_hash, epoch, created_at, modified_at, password_set_at, \
     temporary_until FROM users";

impl Records {
    /// The user with this `sub`.
    pub(crate) fn of_subject(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Option<Record>, Error> {
        let values = [Value::from(&*self.pool), subject.into()];
        self.find(on, "WHERE pool = ?1 AND sub = ?2", &values)
    }

    /// Returns `found`. If it is nobody, reads another user first, whoever that is: to read a user takes time, which would tell a stranger that there is
    /// one (attacks U-01).
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn as_long(&self, on: &mut Transaction<'_>, found: Option<Record>) -> Result<Option<Record>, Error> {
        if found.is_none() {
            let anybody = self.find(on, "WHERE pool = ?1 LIMIT 1", &[Value::from(&*self.pool)])?;
            drop(std::hint::black_box(anybody));
        }
        Ok(found)
    }

    /// The user of a statement that goes on after the columns.
    pub(super) fn find(
        &self,
        on: &mut Transaction<'_>,
        rest: &str,
        values: &[Value<'_>],
    ) -> Result<Option<Record>, Error> {
        Ok(self.find_all(on, rest, values)?.pop())
    }

    /// The users of a statement that goes on after the columns, in its order.
    pub(super) fn find_all(
        &self,
        on: &mut Transaction<'_>,
        rest: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Record>, Error> {
        let rows = on.query(&format!("{COLUMNS} {rest}"), values)?;
        rows.into_iter().map(|row| self.read(on, row)).collect()
    }

    fn read(&self, on: &mut Transaction<'_>, mut row: Row) -> Result<Record, Error> {
        let subject = row.text(0)?;
        let groups = self.groups_of(on, &subject)?;
        let status: Status = row.text(2)?.parse()?;
        // Nobody else has any, and most users are somebody else.
        let identities = match status {
            Status::ExternalProvider => self.identities_of(on, &subject)?,
            _ => Vec::new(),
        };
        Ok(Record {
            username: row.text(1)?,
            status,
            is_enabled: row.boolean(3)?,
            attributes: Attributes::from_json(&row.text(4)?).ok_or(Error::Malformed("JSON object of attributes"))?,
            password_hash: row.optional_text(5)?.map(Secret::new),
            epoch: row.integer(6)?,
            created_at: row.timestamp(7)?,
            modified_at: row.timestamp(8)?,
            password_set_at: row.optional_timestamp(9)?,
            temporary_until: row.optional_timestamp(10)?,
            groups,
            identities,
            subject,
        })
    }

    fn identities_of(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Vec<ExternalIdentity>, Error> {
        let sql = "SELECT provider, issuer, subject, created_at FROM provider_links WHERE pool = ?1 AND sub = ?2 \
                   ORDER BY created_at, provider";
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into()])?;
        let read = |mut row: Row| {
            Ok(ExternalIdentity {
                provider: row.text(0)?,
                issuer: row.text(1)?,
                subject: row.text(2)?,
                linked_at: row.timestamp(3)?,
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// What the hashes of other systems cost that users have: different ones, at most `limit`. Reads as many rows of an index, however many users have
    /// one.
    pub(crate) fn foreign_costs(&self, on: &mut Transaction<'_>, limit: i64) -> Result<Vec<String>, Error> {
        let sql = "WITH RECURSIVE costs (cost) AS ( \
                   SELECT min(foreign_cost) FROM users WHERE pool = ?1 AND foreign_cost IS NOT NULL UNION ALL \
                   SELECT (SELECT min(foreign_cost) FROM users WHERE pool = ?1 AND foreign_cost > cost) FROM costs WHERE cost IS NOT NULL) \
                   SELECT cost FROM costs WHERE cost IS NOT NULL LIMIT ?2";
        let rows = on.query(sql, &[Value::from(&*self.pool), limit.into()])?;
        rows.into_iter().map(|mut row| row.text(0)).collect()
    }

    /// How many users there are.
    pub(crate) fn count(&self, on: &mut Transaction<'_>) -> Result<u64, Error> {
        let row = on.query_one("SELECT count(*) FROM users WHERE pool = ?1", &[Value::from(&*self.pool)])?;
        Ok(row.map_or(Ok(0), |mut row| row.integer(0))?.try_into().unwrap_or(0))
    }

    /// Adds a user, without a password: `passwords` sets that. `false` if the name is taken. Groups are joined by [`join`](Self::join).
    pub(crate) fn add(&self, on: &mut Transaction<'_>, record: &Record, name: &UserName) -> Result<bool, Error> {
        let attributes = record.attributes.to_json();
        let values = [
            Value::from(&*self.pool),
            (&record.subject).into(),
            (&record.username).into(),
            name.as_str().into(),
            record.status.as_str().into(),
            record.is_enabled.into(),
            (&attributes).into(),
            record.created_at.into(),
        ];
        let sql = "INSERT INTO users (pool, sub, username, username_key, status, enabled, attributes, epoch, \
                   created_at, modified_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?8) \
                   ON CONFLICT DO NOTHING";
        let added = on.execute(sql, &values)? == 1;
        if added {
            self.index(on, &record.subject, &record.attributes)?;
        }
        Ok(added)
    }

    /// Makes what a user is found by that of the attributes.
    fn index(&self, on: &mut Transaction<'_>, subject: &str, attributes: &Attributes) -> Result<(), Error> {
        self.index_aliases(on, subject, attributes)?;
        self.index_search(on, subject, attributes)
    }

    /// Sets the state. A state without sessions ends those of before for good.
    pub(crate) fn set_status(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        status: Status,
        now: Timestamp,
    ) -> Result<(), Error> {
        let values = [Value::from(&*self.pool), subject.into(), status.as_str().into(), now.into()];
        on.execute("UPDATE users SET status = ?3, modified_at = ?4 WHERE pool = ?1 AND sub = ?2", &values)?;
        if status.may_have_sessions() { Ok(()) } else { self.end(on, subject, now).map(drop) }
    }

    /// Lets a user sign in, or does not. What was issued before never counts again.
    pub(crate) fn set_enabled(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        is_enabled: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE users SET enabled = ?3, modified_at = ?4 WHERE pool = ?1 AND sub = ?2";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), is_enabled.into(), now.into()])?;
        self.end(on, subject, now).map(drop)
    }

    /// Ends all sessions, codes and tokens of a user, at the pool and at the rules of every process that serves it.
    /// Returns the new epoch. `None` if there is no such user.
    pub(crate) fn end(&self, on: &mut Transaction<'_>, subject: &str, now: Timestamp) -> Result<Option<i64>, Error> {
        let next = self.first_second_after(on, subject, now)?;
        LogoutRows::new(Arc::clone(&self.pool)).end_user(on, subject, now)?;
        let sql = "UPDATE users SET epoch = CASE WHEN epoch < ?3 THEN ?3 ELSE epoch + 1 END \
                   WHERE pool = ?1 AND sub = ?2 RETURNING epoch";
        let row = on.query_one(sql, &[Value::from(&*self.pool), subject.into(), next.into()])?;
        let Some(epoch) = row.map(|mut row| row.integer(0)).transpose()? else { return Ok(None) };
        self.endings().end_user(on, subject, epoch, now)?;
        Ok(Some(epoch))
    }

    /// The same for a user of the configuration, who has no row and no epoch.
    pub(crate) fn end_declared(&self, on: &mut Transaction<'_>, subject: &str, now: Timestamp) -> Result<(), Error> {
        let before = self.first_second_after(on, subject, now)?;
        LogoutRows::new(Arc::clone(&self.pool)).end_user(on, subject, now)?;
        self.endings().end_user(on, subject, before, now)
    }

    /// The first second after all sign-ins of a user. A sign-in of the same second may have been before or after. Whatever comes after gets a later
    /// `auth_time`. The sign-ins that were before are known, whatever the clock of this process says.
    fn first_second_after(&self, on: &mut Transaction<'_>, subject: &str, now: Timestamp) -> Result<i64, Error> {
        let key = [Value::from(&*self.pool), subject.into()];
        let last = on.query_one("SELECT max(auth_time) FROM sso WHERE pool = ?1 AND sub = ?2", &key)?;
        let last = last.map(|mut row| row.optional_integer(0)).transpose()?.flatten().unwrap_or_default() / 1000;
        Ok(i64::try_from(now.seconds()).unwrap_or(i64::MAX).max(last).saturating_add(1))
    }

    fn endings(&self) -> EndingRows {
        EndingRows { pool: Arc::clone(&self.pool) }
    }

    /// Replaces the attributes. An alias that another user has stays there: [`conflict`](super::settings::Settings::conflict) tells before.
    pub(crate) fn set_attributes(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE users SET attributes = ?3, modified_at = ?4 WHERE pool = ?1 AND sub = ?2";
        let json = attributes.to_json();
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), (&json).into(), now.into()])?;
        self.index(on, subject, attributes)
    }

    /// Deletes a user with all that belongs to this user, and ends what was issued.
    pub(crate) fn delete(&self, on: &mut Transaction<'_>, subject: &str, now: Timestamp) -> Result<(), Error> {
        self.end(on, subject, now)?;
        on.execute("DELETE FROM users WHERE pool = ?1 AND sub = ?2", &[Value::from(&*self.pool), subject.into()])
            .map(drop)
    }
}
