//! Groups and their members (pool §2.6).

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::directory::record::Records;

/// Maximum number of groups of a pool.
pub(crate) const GROUPS_MAX: i64 = 10_000;
/// Maximum number of groups of a user.
pub(crate) const GROUPS_OF_USER_MAX: i64 = 100;

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub name: String,
    pub description: Option<String>,
    /// The smallest is the strongest. `None`: weaker than all.
    pub precedence: Option<i64>,
}

impl Records {
    /// The groups of a user, the strongest first.
    pub(crate) fn groups_of(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Vec<String>, Error> {
        let sql = "SELECT g.name FROM members m JOIN user_groups g ON g.pool = m.pool AND g.name = m.group_name \
                   WHERE m.pool = ?1 AND m.sub = ?2 ORDER BY g.precedence IS NULL, g.precedence, g.name";
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into()])?;
        rows.into_iter().map(|mut row| row.text(0)).collect()
    }

    /// Whether the pool has as many groups as it may, and this is none of them.
    pub(crate) fn is_one_group_too_many(&self, on: &mut Transaction<'_>, name: &str) -> Result<bool, Error> {
        let sql = "SELECT COUNT(*) FROM user_groups WHERE pool = ?1 AND name <> ?2";
        let row = on.query_one(sql, &[Value::from(&*self.pool), name.into()])?;
        Ok(row.map(|mut row| row.integer(0)).transpose()?.unwrap_or_default() >= GROUPS_MAX)
    }

    /// Whether the user is in as many groups as a user may be, besides this one.
    pub(crate) fn is_in_too_many(&self, on: &mut Transaction<'_>, subject: &str, group: &str) -> Result<bool, Error> {
        let sql = "SELECT COUNT(*) FROM members WHERE pool = ?1 AND sub = ?2 AND group_name <> ?3";
        let row = on.query_one(sql, &[Value::from(&*self.pool), subject.into(), group.into()])?;
        Ok(row.map(|mut row| row.integer(0)).transpose()?.unwrap_or_default() >= GROUPS_OF_USER_MAX)
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
