//! The messages that are not sent yet, as rows of the database.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::database::{Error, Place, Transaction, Value, Vault};
use crate::messages::message::{Content, Message};

/// Puts messages of one pool into the outbox. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    pool: Arc<str>,
    vault: Vault,
    /// Of the pool in this process: wakes the task that sends.
    added: Arc<Notify>,
}

/// The encrypted part of a row: what a copy of the file must not tell.
#[derive(Debug, Serialize, Deserialize)]
struct Sealed<'m> {
    to: &'m str,
    username: &'m str,
    language: Option<&'m str>,
    /// A code or temporary password.
    secret: Option<&'m str>,
    link: Option<&'m str>,
}

impl Messages {
    /// For the pool with this name. `vault` is that of its database, `added` that of its [`PoolMemory`](crate::PoolMemory).
    pub(crate) fn new(pool: Arc<str>, vault: Vault, added: Arc<Notify>) -> Self {
        Self { pool, vault, added }
    }

    /// Has a message sent as soon as the transaction has committed, and never if it fails.
    ///
    /// It does not refuse: whoever calls it asks first whether so many messages may be sent.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn enqueue(&self, on: &mut Transaction<'_>, message: &Message, now: Timestamp) -> Result<(), Error> {
        self.write(on, message, (now, message.expires_at(now)))
    }

    /// Does the work of [`enqueue`](Self::enqueue), and nothing is sent: where there is nobody, the answer takes as long (attacks U-01). The message is over
    /// when it is written. The task that sends deletes it, in a transaction that has as much to commit as with a real one.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn pretend(&self, on: &mut Transaction<'_>, message: &Message, now: Timestamp) -> Result<(), Error> {
        self.write(on, message, (now, now))
    }

    /// Writes a message into the outbox that is of no use after `expires_at`.
    fn write(
        &self,
        on: &mut Transaction<'_>,
        message: &Message,
        (now, expires_at): (Timestamp, Timestamp),
    ) -> Result<(), Error> {
        let (secret, code_id) = match &message.content {
            Content::Notice => (None, None),
            Content::Code(code) => (Some(code.digits()), Some(code.id())),
            Content::TemporaryPassword { password, .. } => (Some(password), None),
        };
        let sealed = Sealed {
            to: &message.to.address,
            username: &message.username,
            language: message.language.as_deref(),
            secret: secret.map(|secret| secret.expose().as_str()),
            link: message.link.as_ref().map(|link| link.expose().as_str()),
        };
        let plaintext = Zeroizing::new(serde_json::to_vec(&sealed).expect("texts become JSON"));
        let sealed = self.vault.seal(&plaintext, &place(&[&self.pool, &message.id]));
        let values = [
            Value::from(&*self.pool),
            (&message.id).into(),
            message.subject.as_ref().into(),
            message.kind.as_str().into(),
            message.to.medium.as_str().into(),
            code_id.into(),
            (&sealed).into(),
            now.into(),
            expires_at.into(),
        ];
        let sql = "INSERT INTO outbox (pool, id, sub, kind, medium, code_id, sealed, tries, next_at, expires_at, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8, ?9, ?8)";
        on.execute(sql, &values)?;
        // The transaction has not committed yet. The task that sends looks for messages in a transaction that writes, which comes after this one.
        self.added.notify_one();
        Ok(())
    }
}

/// Where the encrypted part of a message is. `row` is the pool and the ID of the message.
pub(super) fn place<'p>(row: &'p [&'p str]) -> Place<'p> {
    Place { table: "outbox", column: "sealed", row }
}

#[cfg(test)]
mod tests;
