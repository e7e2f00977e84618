//! What is known of users, as JSON: of one for this user (GDPR, Article 15), and of all for another pool.

use serde_json::{Value as Json, json};

use crate::clock::Timestamp;
use crate::database::{Error as DatabaseError, Row, Transaction, Value};
use crate::directory::group::Group;
use crate::directory::record::Record;
use crate::events::audit::{Done, Entry, Outcome};
use crate::events::event::Event;
use crate::management::json;
use crate::management::users::{Error, Management};

/// More than are kept of one user.
const EVENTS_MAX: i64 = 100_000;

/// Everything that a pool knows of one user, apart from secrets.
#[derive(Debug)]
pub struct Everything {
    pub(crate) user: Record,
    /// By table: the rows, without secrets.
    pub(crate) rows: serde_json::Map<String, Json>,
    pub(crate) events: Vec<Event>,
    pub(crate) audit: Vec<Entry>,
}

/// A statement for the rows of one user, and the names of its columns. A name that ends with `_at` is a time.
type Part = (&'static str, &'static str, &'static [&'static str]);

/// What is told of each table. What is secret has no place in it: hashes, codes, and what is encrypted.
const PARTS: [Part; 10] = [
    ("names", "SELECT kind, value_key FROM aliases WHERE pool = ?1 AND sub = ?2 ORDER BY 1, 2", &["kind", "value"]),
    (
        "providers",
        "SELECT provider, issuer, subject, created_at FROM provider_links WHERE pool = ?1 AND sub = ?2 ORDER BY created_at",
        &["provider", "issuer", "subject", "created_at"],
    ),
    (
        "second_factors",
        "SELECT kind, created_at FROM factors WHERE pool = ?1 AND sub = ?2 ORDER BY 1",
        &["kind", "created_at"],
    ),
    (
        "recovery_codes",
        "SELECT count(*) FROM recovery_codes WHERE pool = ?1 AND sub = ?2 HAVING count(*) > 0",
        &["left"],
    ),
    (
        "passkeys",
        "SELECT id, name, created_at, used_at FROM passkeys WHERE pool = ?1 AND sub = ?2 ORDER BY created_at",
        &["id", "name", "created_at", "used_at"],
    ),
    (
        "trusted_browsers",
        "SELECT id, agent, created_at, used_at, expires_at FROM browsers WHERE pool = ?1 AND sub = ?2 ORDER BY created_at",
        &["id", "agent", "created_at", "used_at", "expires_at"],
    ),
    (
        "sessions",
        "SELECT id, clients, address, agent, created_at, used_at, expires_at FROM sso WHERE pool = ?1 AND sub = ?2 ORDER BY created_at",
        &["id", "clients", "address", "agent", "created_at", "used_at", "expires_at"],
    ),
    (
        "tokens",
        "SELECT client_id, scope, address, agent, created_at, used_at, expires_at, revoked_at FROM families WHERE pool = ?1 AND sub = ?2 \
         ORDER BY created_at",
        &["client_id", "scope", "address", "agent", "created_at", "used_at", "expires_at", "revoked_at"],
    ),
    (
        "codes",
        "SELECT purpose, target, pending, expires_at FROM codes WHERE pool = ?1 AND sub = ?2 ORDER BY 1, 2",
        &["purpose", "target", "pending", "expires_at"],
    ),
    (
        "messages",
        "SELECT kind, medium, created_at, dead_at FROM outbox WHERE pool = ?1 AND sub = ?2 AND expires_at > created_at ORDER BY created_at",
        &["kind", "medium", "created_at", "dead_at"],
    ),
];

impl Everything {
    /// As a JSON object.
    pub fn to_json(&self) -> Json {
        let mut object = self.rows.clone();
        object.insert("user".to_owned(), json::user(&self.user));
        object.insert("events".to_owned(), self.events.iter().map(json::event).collect());
        object.insert("audit".to_owned(), self.audit.iter().map(json::entry).collect());
        object.into()
    }
}

impl Management {
    /// Everything that is known of a user, apart from secrets.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn export(&self, who: &str, now: Timestamp) -> Result<Everything, Error> {
        let (users, key) = (self.clone(), who.to_owned());
        // The entry of the audit comes first: who has asked is in the export, too.
        let work = move |on: &mut Transaction<'_>| {
            let found = users.find_any(on, &key)?;
            let subject = found.as_ref().ok().map(|user| &*user.subject);
            let done = (Done { operation: "user.export", subject, detail: None }, Outcome::of(&found));
            users.audit().record_outcome(on, &users.actor, done, now)?;
            users.everything(on, &key)
        };
        self.stored.database.write(work).await?.ok_or_else(|| Error::NoUser(who.to_owned()))
    }

    /// The same, in a transaction. `None` if there is no such user.
    pub(crate) fn everything(&self, on: &mut Transaction<'_>, who: &str) -> Result<Option<Everything>, DatabaseError> {
        let Ok(user) = self.find_any(on, who)? else { return Ok(None) };
        let values = [Value::from(&*self.stored.records.pool), (&user.subject).into()];
        let mut parts = serde_json::Map::new();
        for (name, sql, columns) in PARTS {
            let rows = on.query(sql, &values)?.into_iter().map(|row| object(row, columns));
            parts.insert(name.to_owned(), rows.collect::<Result<Vec<_>, _>>()?.into());
        }
        Ok(Some(Everything {
            rows: parts,
            events: self.event_rows().of_user(on, &user.subject, EVENTS_MAX)?,
            audit: self.audit().newest(on, Some(&user.subject), EVENTS_MAX)?,
            user,
        }))
    }
}

fn object(mut row: Row, columns: &[&str]) -> Result<Json, DatabaseError> {
    let mut object = serde_json::Map::new();
    for (column, name) in columns.iter().enumerate() {
        let value = match *name {
            "left" => row.integer(column)?.into(),
            name if name.ends_with("_at") => row.optional_timestamp(column)?.map(|at| at.to_text()).into(),
            _ => row.optional_text(column)?.into(),
        };
        object.insert((*name).to_owned(), value);
    }
    Ok(object.into())
}

/// A group, as a line of a file for `import`.
pub fn group_line(group: &Group) -> Json {
    json!({"group": group.name, "description": group.description, "precedence": group.precedence})
}

/// A user, as a line of a file for `import`: with the hash of the password. Second factors are not in it.
pub fn user_line(user: &Record) -> Json {
    let attributes: serde_json::Map<String, Json> =
        user.attributes.iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    json!({
        "sub": user.subject,
        "username": user.username,
        "status": user.status.as_str(),
        "enabled": user.is_enabled,
        "attributes": attributes,
        "groups": user.groups,
        "password_hash": user.password_hash.as_ref().map(|hash| hash.expose()),
        "temporary_until": user.temporary_until.map(Timestamp::millis),
        "created_at": user.created_at.millis(),
    })
}

#[cfg(test)]
mod tests;
