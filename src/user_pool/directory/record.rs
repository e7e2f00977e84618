//! Users and groups as rows of the database. Each method is one use case inside of a transaction.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::secret::Secret;
use crate::user_pool::directory::attribute::Attributes;
use crate::user_pool::directory::name::UserName;
use crate::user_pool::directory::status::Status;

/// A user of the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// `sub`. It never changes, and nobody else ever gets it.
    pub(crate) subject: String,
    /// As typed. Its canonical form finds the user.
    pub(crate) username: String,
    pub(crate) status: Status,
    /// A user who is not enabled cannot sign in, and nothing that was issued before counts.
    pub(crate) is_enabled: bool,
    pub(crate) attributes: Attributes,
    /// In PHC form. `None`: the user has no password.
    pub(crate) password_hash: Option<Secret<String>>,
    /// Sessions, codes and tokens of an earlier epoch count no more.
    pub(crate) epoch: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) modified_at: Timestamp,
    /// The strongest first.
    pub(crate) groups: Vec<String>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    /// The smallest is the strongest. `None`: weaker than all.
    pub(crate) precedence: Option<i64>,
}

/// The rows of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Records {
    /// The name of the pool in the configuration.
    pub(crate) pool: Arc<str>,
}

/// A query for users.
macro_rules! users {
    ($rest:literal) => {
        concat!(
            "SELECT sub, username, status, enabled, attributes, password_hash, epoch, created_at, modified_at FROM users ",
            $rest
        )
    };
}

impl Records {
    /// The user of this name.
    pub(crate) fn named(&self, on: &mut Transaction<'_>, name: &UserName) -> Result<Option<Record>, Error> {
        let values = [Value::from(&*self.pool), name.as_str().into()];
        let row = on.query_one(users!("WHERE pool = ?1 AND username_key = ?2"), &values)?;
        row.map(|row| self.read(on, row)).transpose()
    }

    /// The user with this `sub`.
    pub(crate) fn of_subject(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Option<Record>, Error> {
        let values = [Value::from(&*self.pool), subject.into()];
        let row = on.query_one(users!("WHERE pool = ?1 AND sub = ?2"), &values)?;
        row.map(|row| self.read(on, row)).transpose()
    }

    /// At most `limit` users whose names come after `after`, in the order of their names.
    pub(crate) fn after(&self, on: &mut Transaction<'_>, after: &str, limit: i64) -> Result<Vec<Record>, Error> {
        let values = [Value::from(&*self.pool), after.into(), limit.into()];
        let sql = users!("WHERE pool = ?1 AND username_key > ?2 ORDER BY username_key LIMIT ?3");
        let rows = on.query(sql, &values)?;
        rows.into_iter().map(|row| self.read(on, row)).collect()
    }

    fn read(&self, on: &mut Transaction<'_>, mut row: Row) -> Result<Record, Error> {
        let subject = row.text(0)?;
        let groups = self.groups_of(on, &subject)?;
        Ok(Record {
            username: row.text(1)?,
            status: row.text(2)?.parse()?,
            is_enabled: row.boolean(3)?,
            attributes: Attributes::from_json(&row.text(4)?).ok_or(Error::Malformed("JSON object of attributes"))?,
            password_hash: row.optional_text(5)?.map(Secret::new),
            epoch: row.integer(6)?,
            created_at: row.timestamp(7)?,
            modified_at: row.timestamp(8)?,
            groups,
            subject,
        })
    }

    fn groups_of(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Vec<String>, Error> {
        let sql = "SELECT g.name FROM members m JOIN user_groups g ON g.pool = m.pool AND g.name = m.group_name \
                   WHERE m.pool = ?1 AND m.sub = ?2 ORDER BY g.precedence IS NULL, g.precedence, g.name";
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into()])?;
        rows.into_iter().map(|mut row| row.text(0)).collect()
    }

    /// Adds a user. `false` if the name is taken. Groups are joined by [`join`](Self::join).
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
            record.password_hash.as_ref().map(Secret::expose).into(),
            record.created_at.into(),
        ];
        let sql = "INSERT INTO users (pool, sub, username, username_key, status, enabled, attributes, password_hash, \
                   password_set_at, epoch, created_at, modified_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?9, ?9) \
                   ON CONFLICT DO NOTHING";
        Ok(on.execute(sql, &values)? == 1)
    }

    /// Sets the state. A state without sessions ends those of before for good.
    pub(crate) fn set_status(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        status: Status,
        now: Timestamp,
    ) -> Result<(), Error> {
        let ended = i64::from(!status.may_have_sessions());
        let values = [Value::from(&*self.pool), subject.into(), status.as_str().into(), ended.into(), now.into()];
        let sql = "UPDATE users SET status = ?3, epoch = epoch + ?4, modified_at = ?5 WHERE pool = ?1 AND sub = ?2";
        on.execute(sql, &values).map(drop)
    }

    /// Lets a user sign in, or does not. What was issued before never counts again.
    pub(crate) fn set_enabled(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        is_enabled: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE users SET enabled = ?3, epoch = epoch + 1, modified_at = ?4 WHERE pool = ?1 AND sub = ?2";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), is_enabled.into(), now.into()]).map(drop)
    }

    /// Ends all sessions and tokens of a user.
    pub(crate) fn sign_out(&self, on: &mut Transaction<'_>, subject: &str) -> Result<(), Error> {
        let sql = "UPDATE users SET epoch = epoch + 1 WHERE pool = ?1 AND sub = ?2";
        on.execute(sql, &[Value::from(&*self.pool), subject.into()]).map(drop)
    }

    /// Replaces the attributes.
    pub(crate) fn set_attributes(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        attributes: &Attributes,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "UPDATE users SET attributes = ?3, modified_at = ?4 WHERE pool = ?1 AND sub = ?2";
        let attributes = attributes.to_json();
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), (&attributes).into(), now.into()]).map(drop)
    }

    /// Deletes a user with all that belongs to this user.
    pub(crate) fn delete(&self, on: &mut Transaction<'_>, subject: &str) -> Result<(), Error> {
        on.execute("DELETE FROM users WHERE pool = ?1 AND sub = ?2", &[Value::from(&*self.pool), subject.into()])
            .map(drop)
    }

    /// All groups, in the order of their names.
    pub(crate) fn groups(&self, on: &mut Transaction<'_>) -> Result<Vec<Group>, Error> {
        let sql = "SELECT name, description, precedence FROM user_groups WHERE pool = ?1 ORDER BY name";
        let rows = on.query(sql, &[Value::from(&*self.pool)])?;
        let read = |mut row: Row| {
            Ok(Group { name: row.text(0)?, description: row.optional_text(1)?, precedence: row.optional_integer(2)? })
        };
        rows.into_iter().map(read).collect()
    }

    /// Adds a group, or changes the one of this name.
    pub(crate) fn put_group(&self, on: &mut Transaction<'_>, group: &Group, now: Timestamp) -> Result<(), Error> {
        let values = [
            Value::from(&*self.pool),
            (&group.name).into(),
            group.description.as_ref().into(),
            group.precedence.into(),
            now.into(),
        ];
        let sql = "INSERT INTO user_groups (pool, name, description, precedence, created_at) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (pool, name) DO UPDATE SET description = excluded.description, precedence = excluded.precedence";
        on.execute(sql, &values).map(drop)
    }

    /// Deletes a group. Its members stay users. `false` if there is none.
    pub(crate) fn delete_group(&self, on: &mut Transaction<'_>, name: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM user_groups WHERE pool = ?1 AND name = ?2";
        Ok(on.execute(sql, &[Value::from(&*self.pool), name.into()])? == 1)
    }

    /// The first of these groups that does not exist.
    pub(crate) fn missing_group(&self, on: &mut Transaction<'_>, names: &[String]) -> Result<Option<String>, Error> {
        let sql = "SELECT 1 FROM user_groups WHERE pool = ?1 AND name = ?2";
        for name in names {
            if on.query_one(sql, &[Value::from(&*self.pool), name.into()])?.is_none() {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Adds a user to a group. `false` if there is no such group.
    pub(crate) fn join(&self, on: &mut Transaction<'_>, subject: &str, group: &str) -> Result<bool, Error> {
        if self.missing_group(on, &[group.to_owned()])?.is_some() {
            return Ok(false);
        }
        let values = [Value::from(&*self.pool), subject.into(), group.into()];
        let sql = "INSERT INTO members (pool, sub, group_name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        on.execute(sql, &values).map(|_| true)
    }

    /// Takes a user out of a group.
    pub(crate) fn leave(&self, on: &mut Transaction<'_>, subject: &str, group: &str) -> Result<(), Error> {
        let sql = "DELETE FROM members WHERE pool = ?1 AND sub = ?2 AND group_name = ?3";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), group.into()]).map(drop)
    }
}
