//! Sends a temporary password to a user whom an administrator has added (pool §2.4).

use crate::clock::Timestamp;
use crate::database::Transaction;
use crate::directory::record::Record;
use crate::messages::message::{Content, Kind, Message};
use crate::passwords::{Error, Lasting};
use crate::routes;
use crate::secret::Secret;
use crate::self_service::service::SelfService;
use crate::self_service::settings::Address;

impl SelfService {
    /// Sets a new temporary password, which ends the one of before, and sends it to this address of the user. An administrator has named the
    /// address, so it need not be verified, and no limit withholds the message.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn invite(&self, user: &Record, address: Address, now: Timestamp) -> Result<(), Error> {
        let Some(to) = address.of(&user.attributes) else { return Ok(()) };
        let Lasting::Until(expires_at) = self.passwords.temporary(now) else { return Ok(()) };
        let (password, _) = self.passwords.set_temporary(user, now).await?;
        let content = Content::TemporaryPassword { password, expires_at };
        let mut message = Message::new(Kind::Invitation, to, user.shown_name(), content);
        message.subject = Some(user.subject.clone());
        message.language = user.attributes.get("locale").map(str::to_owned);
        message.link = Some(Secret::new(format!("{}{}", self.origin, routes::SIGN_IN)));
        let messages = self.messages.clone();
        let send = move |on: &mut Transaction<'_>| messages.enqueue(on, &message, now);
        Ok(self.stored.database.write(send).await?)
    }
}
