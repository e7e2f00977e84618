//! Takes a finished message to a mail server or an SMS gateway. Start at [`Courier`].

pub mod console;
pub(crate) mod smtp;
pub(crate) mod twilio;
pub mod webhook;

mod gateway;
mod letter;

#[cfg(test)]
pub(crate) mod double;

use std::time::Duration;

pub use letter::{Letter, Texts, Undelivered};

/// For one try: name, connection, TLS, and all answers. Less than [`LEASE`](super::queue::LEASE), or a message could be sent twice.
pub(crate) const DEADLINE: Duration = Duration::from_secs(45);

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
