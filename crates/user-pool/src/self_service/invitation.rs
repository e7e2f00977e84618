//! Sends a temporary password to a user whom an administrator has added (pool §2.4).

use crate::clock::Timestamp;
use crate::database::{self, Transaction};
use crate::directory::record::Record;
use crate::management::{self, Management, NewUser};
use crate::messages::message::{Content, Kind, Message, Recipient};
use crate::passwords;
use crate::routes;
use crate::secret::Secret;
use crate::self_service::service::{SelfService, Sent};

/// Why nobody was invited. Nothing was done then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither the mail server nor the SMS gateway of the pool can reach the user.
    #[error(
        "the user has no address that the pool sends messages to: set `email`, or `phone_number` if the pool has `sms`"
    )]
    NoAddress,
    /// The temporary password cannot be made or set.
    #[error(transparent)]
    Password(#[from] passwords::Error),
    /// The user cannot be added.
    #[error(transparent)]
    User(#[from] management::Error),
    /// The database fails.
    #[error("the database fails")]
    Database(#[from] database::Error),
}

impl SelfService {
    /// Adds a user with a temporary password, and sends it to the address of the user, in one transaction. The `password` of `new` is of no use.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn add_invited(&self, users: &Management, new: NewUser, now: Timestamp) -> Result<(Record, Sent), Error> {
        let attributes = users.attributes_of_new(&new.attributes).map_err(management::Error::from)?;
        let (password, first) = self.passwords.first_temporary(&new.username, &attributes, now).await?;
        let prepared = users.prepare_new(NewUser { password: Some(first), ..new }, now)?;
        let (invitation, sent) = self.invitation(prepared.record(), password, now)?;
        let messages = self.messages.clone();
        let send = move |on: &mut Transaction<'_>| messages.enqueue(on, &invitation, now);
        Ok((users.add_prepared(prepared, send, now).await?, sent))
    }

    /// Sets a new temporary password, which ends the one of before, and sends it to the user. An administrator has named the address, so it need not be
    /// verified, and no limit withholds the message.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn invite(&self, user: &Record, now: Timestamp) -> Result<Sent, Error> {
        self.reachable(user).ok_or(Error::NoAddress)?;
        let (password, _) = self.passwords.set_temporary(user, now).await?;
        let (invitation, sent) = self.invitation(user, password, now)?;
        let messages = self.messages.clone();
        let send = move |on: &mut Transaction<'_>| messages.enqueue(on, &invitation, now);
        self.stored.database.write(send).await?;
        Ok(sent)
    }

    fn invitation(&self, user: &Record, password: Secret<String>, now: Timestamp) -> Result<(Message, Sent), Error> {
        let to = self.reachable(user).ok_or(Error::NoAddress)?;
        let expires_at = self.passwords.temporary_until(now);
        let sent = Sent::To { to: to.clone(), expires_at };
        let content = Content::TemporaryPassword { password, expires_at };
        let mut message = Message::new(Kind::Invitation, to, user.shown_name(), content);
        message.subject = Some(user.subject.clone());
        message.language = user.attributes.get("locale").map(str::to_owned);
        message.link = Some(Secret::new(format!("{}{}", self.origin, routes::SIGN_IN)));
        Ok((message, sent))
    }

    /// Where the pool sends messages to this user. Need not be verified.
    fn reachable(&self, user: &Record) -> Option<Recipient> {
        self.sends_to.iter().find_map(|address| address.of(&user.attributes))
    }
}
