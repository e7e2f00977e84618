//! What is taken to a server, and why it was not.

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::user_pool::messages::message::Kind;

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
