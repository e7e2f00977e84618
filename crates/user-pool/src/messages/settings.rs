//! Validated settings of the messages of one pool.

use lettre::message::Mailbox;
use rustls_pki_types::CertificateDer;
use url::Url;

use crate::messages::courier::console::Console;
use crate::messages::texts::Texts;
use crate::secret::Secret;

/// How a pool sends messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `None`: the pool sends no mail.
    pub mail: Option<MailBy>,
    /// `None`: the pool sends no SMS.
    pub sms: Option<Sms>,
    pub texts: Texts,
    pub limits: Ceilings,
}

/// What mail is sent by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailBy {
    Smtp(Box<Mail>),
    /// The terminal of `vestibule dev`, and its page.
    Console(Console),
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// A name, or an IP address.
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub credentials: Option<Credentials>,
    pub from: Mailbox,
    pub reply_to: Option<Mailbox>,
    /// Certificate authorities besides those of the system.
    pub roots: Vec<CertificateDer<'static>>,
}

/// How the connection to a mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TLS from the start (RFC 8314 §3.3).
    Tls,
    /// STARTTLS (RFC 3207), without which nothing is sent.
    StartTls,
    /// Nothing: to a loopback address only.
    Plain,
}

/// What we sign in to a mail server with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    pub username: String,
    pub password: Secret<String>,
}

/// What SMS are sent by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    pub by: SmsBy,
    /// The starts of telephone numbers that messages are sent to, for example `+49`. Empty: all.
    pub prefixes: Vec<String>,
    /// Certificate authorities besides those of the system.
    pub roots: Vec<CertificateDer<'static>>,
}

/// An SMS gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmsBy {
    /// A webhook of the operator.
    Webhook { url: Url, secret: Secret<Vec<u8>> },
    /// Twilio, or what has the same API at another address.
    Twilio { url: Url, account_sid: String, auth_token: Secret<String>, sender: Sender },
    /// The terminal of `vestibule dev`, and its page.
    Console(Console),
}

/// Whom an SMS comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A telephone number or name.
    From(String),
    /// A messaging service of Twilio, which chooses a number.
    MessagingService(String),
}

/// How many messages are sent within an hour, at most (pool §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceilings {
    /// Of one kind to one user. Default: 5.
    pub per_user: u32,
    /// To one address or telephone number. Default: 10.
    pub per_destination: u32,
    /// SMS to one country. Default: 100.
    pub per_country: u32,
    /// Mails of the pool. Default: 1,000.
    pub mails: u32,
    /// SMS of the pool. Default: 200.
    pub sms: u32,
}

impl Default for Ceilings {
    fn default() -> Self {
        Self { per_user: 5, per_destination: 10, per_country: 100, mails: 1000, sms: 200 }
    }
}
