//! What is taken to a server, and why it was not.

use crate::clock::Timestamp;
use crate::messages::message::Kind;
use crate::secret::Secret;

/// A message with its texts, ready to be sent.
#[derive(Debug)]
pub struct Letter<'l> {
    /// Stays the same from one try to the next, so that a receiver can tell a second delivery.
    pub id: &'l str,
    pub kind: Kind,
    pub to: &'l str,
    pub written_at: Timestamp,
    pub texts: &'l Texts,
}

/// The texts of a message. They may contain a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Texts {
    Email { subject: Secret<String>, text: Secret<String>, html: Secret<String> },
    Sms(Secret<String>),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// Another try may succeed: the server is down or refuses for now, or the operator has to mend something.
    #[error("{0}")]
    Later(String),
    /// No other try will succeed: this recipient or message is refused.
    #[error("{0}")]
    Never(String),
}
