//! Takes a finished message to a mail server or an SMS gateway. Start at [`Courier`].

pub(crate) mod console;
pub(crate) mod smtp;
pub(crate) mod twilio;
pub(crate) mod webhook;

mod gateway;

#[cfg(test)]
pub(crate) mod double;

use std::time::Duration;

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::messages::message::Kind;

/// For one try: name, connection, TLS, and all answers. Less than [`LEASE`](super::queue::LEASE), or a message could be sent twice.
pub(crate) const DEADLINE: Duration = Duration::from_secs(45);

/// A message with its texts, ready to be sent.
#[derive(Debug)]
pub(crate) struct Letter<'l> {
    /// Stays the same from one try to the next, so that a receiver can tell a second delivery.
    pub(crate) id: &'l str,
    pub(crate) kind: Kind,
    pub(crate) to: &'l str,
    pub(crate) written_at: Timestamp,
    pub(crate) texts: &'l Texts,
}

/// The texts of a message. They may contain a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    Email { subject: Secret<String>, text: Secret<String>, html: Secret<String> },
    Sms(Secret<String>),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Undelivered {
    /// Another try may succeed: the server is down or refuses for now, or the operator has to mend something.
    #[error("{0}")]
    Later(String),
    /// No other try will succeed: this recipient or message is refused.
    #[error("{0}")]
    Never(String),
}

/// What brings messages of one medium to a server.
#[derive(Debug)]
pub(crate) enum Courier {
    Smtp(smtp::Smtp),
    /// In a box, because the state of its HMAC is large.
    Webhook(Box<webhook::Webhook>),
    Twilio(twilio::Twilio),
    /// The terminal of `vestibule dev`.
    Console(console::Console),
}

impl Courier {
    /// Sends one message. Returns what the server has answered, without anything of the message. If the future is dropped, the message may have been
    /// sent or not.
    ///
    /// # Errors
    ///
    /// See [`Undelivered`].
    pub(crate) async fn deliver(&self, letter: &Letter<'_>) -> Result<String, Undelivered> {
        let delivery = async {
            match (self, letter.texts) {
                (Self::Smtp(smtp), Texts::Email { subject, text, html }) => {
                    smtp.deliver(letter, subject, text, html).await
                }
                (Self::Webhook(webhook), Texts::Sms(text)) => webhook.deliver(letter, text).await,
                (Self::Twilio(twilio), Texts::Sms(text)) => twilio.deliver(letter, text).await,
                (Self::Console(console), _) => Ok(console.deliver(letter)),
                (Self::Smtp(_) | Self::Webhook(_) | Self::Twilio(_), _) => {
                    Err(Undelivered::Never("the message is of another medium".to_owned()))
                }
            }
        };
        let late = || Undelivered::Later(format!("no answer within {} s", DEADLINE.as_secs()));
        tokio::time::timeout(DEADLINE, delivery).await.unwrap_or_else(|_| Err(late()))
    }
}
