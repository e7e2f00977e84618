//! Users in pages, found by indexes: a page costs the same among a thousand users and among a million.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::database::{Error, Transaction, Value};
use crate::directory::attribute::Attributes;
use crate::directory::filter::{Filter, Match, SEARCHED, canonical};
use crate::directory::record::{Record, Records};

/// A place in a list of users: everything up to it was seen. It belongs to one filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// What the list is in the order of.
    key: String,
    /// The `sub` of the last user, where several users can have one key.
    subject: String,
}

impl Cursor {
    /// As text, to come back with.
    pub fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}\0{}", self.key, self.subject))
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (key, subject) = text.split_once('\0')?;
        Some(Self { key: key.to_owned(), subject: subject.to_owned() })
    }
}

/// Users of one page, and where the next one begins. `None` at the end.
#[derive(Debug)]
pub struct Page {
    pub users: Vec<Record>,
    pub next: Option<Cursor>,
}

/// The statement of a filter, after the columns, and its values.
type Search = (&'static str, Vec<String>, bool);

impl Records {
    /// At most `limit` users, from the start or after a page.
    pub(crate) fn search(
        &self,
        on: &mut Transaction<'_>,
        filter: &Filter,
        after: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, Error> {
        let start = Cursor::default();
        let after = after.unwrap_or(&start);
        let Some((sql, texts, by_attribute)) = statement(filter, after) else {
            return Ok(Page { users: Vec::new(), next: None });
        };
        // One more than asked for says whether there are more.
        let rows = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
        let mut values = vec![Value::from(&*self.pool), rows.into()];
        values.extend(texts.iter().map(Value::from));
        let mut users = self.find_all(on, sql, &values)?;
        let more = users.len() > limit;
        users.truncate(limit);
        let cursor = |user: &Record| {
            let key = match filter {
                Filter::Attribute(name, _) => user.attributes.get(name).map(canonical).unwrap_or_default(),
                Filter::Subject(_) => user.subject.clone(),
                _ => canonical(&user.username),
            };
            Cursor { key, subject: if by_attribute { user.subject.clone() } else { String::new() } }
        };
        let next = users.last().filter(|_| more).map(cursor);
        Ok(Page { users, next })
    }

    /// The newest user with this e-mail address who has signed up and is not confirmed: the address is nobody's name yet. `address` is in canonical form.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn signed_up_with(&self, on: &mut Transaction<'_>, address: &str) -> Result<Option<Record>, Error> {
        let newest = "WHERE pool = ?1 AND sub = (SELECT user_search.sub FROM user_search JOIN users USING (pool, sub) \
                      WHERE pool = ?1 AND name = 'email' AND key = ?2 AND status = 'UNCONFIRMED' \
                      ORDER BY created_at DESC LIMIT 1)";
        self.find(on, newest, &[Value::from(&*self.pool), address.into()])
    }

    /// Makes what a user is found by that of the attributes.
    pub(super) fn index_search(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        attributes: &Attributes,
    ) -> Result<(), Error> {
        on.execute(
            "DELETE FROM user_search WHERE pool = ?1 AND sub = ?2",
            &[Value::from(&*self.pool), subject.into()],
        )?;
        for name in SEARCHED {
            let key = attributes.get(name).map(canonical).filter(|key| !key.is_empty());
            if let Some(key) = key {
                let sql = "INSERT INTO user_search (pool, name, key, sub) VALUES (?1, ?2, ?3, ?4)";
                on.execute(sql, &[Value::from(&*self.pool), name.into(), (&key).into(), subject.into()])?;
            }
        }
        Ok(())
    }
}

/// `?1` is the pool, `?2` the limit. `None`: nobody.
///
/// A statement names one place where it begins. With two, the start of the filter and the end of the page before, SQLite looks one of them up and reads
/// everybody up to the other.
fn statement(filter: &Filter, after: &Cursor) -> Option<Search> {
    let key = after.key.clone();
    Some(match filter {
        Filter::All => ("WHERE pool = ?1 AND username_key > ?3 ORDER BY username_key LIMIT ?2", vec![key], false),
        Filter::Username(Match::Equals(name)) => (
            "WHERE pool = ?1 AND username_key = ?3 AND username_key > ?4 ORDER BY username_key LIMIT ?2",
            vec![name.clone(), key],
            false,
        ),
        Filter::Username(Match::Prefix(start)) if key < *start => (
            "WHERE pool = ?1 AND username_key >= ?3 AND username_key < ?4 ORDER BY username_key LIMIT ?2",
            vec![start.clone(), end_of(start)],
            false,
        ),
        Filter::Username(Match::Prefix(start)) => (
            "WHERE pool = ?1 AND username_key > ?3 AND username_key < ?4 ORDER BY username_key LIMIT ?2",
            vec![key, end_of(start)],
            false,
        ),
        Filter::Subject(Match::Equals(subject)) => {
            ("WHERE pool = ?1 AND sub = ?3 AND sub > ?4 ORDER BY sub LIMIT ?2", vec![subject.clone(), key], false)
        }
        Filter::Subject(Match::Prefix(start)) if key < *start => (
            "WHERE pool = ?1 AND sub >= ?3 AND sub < ?4 ORDER BY sub LIMIT ?2",
            vec![start.clone(), end_of(start)],
            false,
        ),
        Filter::Subject(Match::Prefix(start)) => {
            ("WHERE pool = ?1 AND sub > ?3 AND sub < ?4 ORDER BY sub LIMIT ?2", vec![key, end_of(start)], false)
        }
        Filter::Status(status) => (
            "WHERE pool = ?1 AND status = ?3 AND username_key > ?4 ORDER BY username_key LIMIT ?2",
            vec![status.as_str().to_owned(), key],
            false,
        ),
        Filter::Enabled(is_enabled) => (
            if *is_enabled {
                "WHERE pool = ?1 AND enabled = 1 AND username_key > ?3 ORDER BY username_key LIMIT ?2"
            } else {
                "WHERE pool = ?1 AND enabled = 0 AND username_key > ?3 ORDER BY username_key LIMIT ?2"
            },
            vec![key],
            false,
        ),
        Filter::Attribute(name, how) => {
            let (from, to) = match how {
                Match::Equals(value) => (value.clone(), value.clone()),
                Match::Prefix(start) => (start.clone(), end_of(start)),
            };
            // No user has an empty `sub`: so everybody with the first key comes after it.
            let (key, subject) = (key, after.subject.clone()).max((from, String::new()));
            (
                "JOIN (SELECT key, sub AS found FROM user_search WHERE pool = ?1 AND name = ?3 AND (key, sub) > (?4, ?5) \
                 AND key <= ?6 ORDER BY key, sub LIMIT ?2) AS search ON sub = search.found \
                 WHERE pool = ?1 ORDER BY search.key, search.found",
                vec![(*name).to_owned(), key, subject, to],
                true,
            )
        }
        Filter::Nobody => return None,
    })
}

/// The first text after all that begin with this one. No text has a character after the last one of Unicode.
fn end_of(start: &str) -> String {
    format!("{start}{}", char::MAX)
}

#[cfg(test)]
mod tests;
