//! `mail`, `sms` and `messages` of a user pool.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, SecretText};

/// The server that takes mails to users.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mail {
    /// The mail server. `smtps://mail.example.com` uses TLS from the start (port 465). `smtp://mail.example.com` uses STARTTLS (port 587) and
    /// sends nothing without. `smtp://` to a loopback address is plain (port 25),
    /// unless `ca_file` is set.
    pub(crate) smtp: String,
    /// The name to sign in to the mail server with. Without it, the pool does not sign in.
    pub(crate) username: Option<String>,
    /// The password. Prefer `${NAME}` or `password_file`.
    pub(crate) password: Option<SecretText>,
    /// File with the password.
    pub(crate) password_file: Option<String>,
    /// Whom mails come from: `Example <no-reply@example.com>`.
    pub(crate) from: String,
    /// Where answers go. Without it, to `from`.
    pub(crate) reply_to: Option<String>,
    /// File with certificate authorities in PEM format that are trusted for the mail server besides those of the system.
    pub(crate) ca_file: Option<String>,
}

/// The gateway that takes SMS to users: `webhook` or `twilio`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sms {
    /// A program of yours that sends SMS. Vestibule posts `{"to": "+4930123456", "text": "…", "kind": "verification"}` to it, signed as
    /// Standard Webhooks says.
    pub(crate) webhook: Option<SmsWebhook>,
    /// Twilio, or a gateway that has the same API.
    pub(crate) twilio: Option<Twilio>,
    /// Countries that SMS are sent to, as the starts of telephone numbers: `["+49", "+43"]`. Name them: strangers use sign-up forms to send SMS
    /// to expensive numbers. Without it, to all.
    #[serde(default)]
    pub(crate) prefixes: List<String>,
    /// File with certificate authorities in PEM format that are trusted for the gateway besides those of the system.
    pub(crate) ca_file: Option<String>,
}

/// A webhook that sends SMS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SmsWebhook {
    /// Its address: `https`, or `http` to a loopback address. An answer of 2xx says that the SMS was taken. 400, 410 and 422 say that this SMS is
    /// refused for ever; after every other answer it is tried again.
    pub(crate) url: String,
    /// The secret that requests are signed with: `whsec_` and at least 24 bytes in Base64. Prefer `${NAME}` or `secret_file`.
    pub(crate) secret: Option<SecretText>,
    /// File with the secret.
    pub(crate) secret_file: Option<String>,
}

/// Twilio, or a gateway that has the same API.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Twilio {
    /// The address of the API: `https`, or `http` to a loopback address.
    #[serde(default = "twilio_url")]
    pub(crate) url: String,
    /// The account: `AC…`.
    pub(crate) account_sid: String,
    /// The token of the account. Prefer `${NAME}` or `auth_token_file`.
    pub(crate) auth_token: Option<SecretText>,
    /// File with the token.
    pub(crate) auth_token_file: Option<String>,
    /// The telephone number or the name that SMS come from. Either this or `messaging_service_sid` is needed.
    pub(crate) from: Option<String>,
    /// The messaging service that SMS are sent by: `MG…`.
    pub(crate) messaging_service_sid: Option<String>,
}

fn twilio_url() -> String {
    "https://api.twilio.com".to_owned()
}

/// What messages say, and how many are sent.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Messages {
    /// Files with other texts, by language: `{ de: messages/de.yaml }`. A file has a key and a text in each line, and needs only the texts that
    /// differ. A language that is not built in needs all of them. `vestibule texts --messages` prints all of them in English, with what they can
    /// contain.
    #[serde(default)]
    pub(crate) texts: BTreeMap<String, String>,
    /// How many messages are sent within an hour, at most.
    #[serde(default)]
    pub(crate) limits: MessageLimits,
}

/// Limits within an hour. Strangers cannot tell whether one is reached. Notices that something was changed are sent in any case. Messages that confirm an
/// address, codes of second factors, and all other codes have a share of their own, each with these numbers.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MessageLimits {
    /// Messages of one kind to one user. Without it, 5.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) per_user: Option<u32>,
    /// Messages to one address or telephone number. Without it, 10.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) per_destination: Option<u32>,
    /// SMS to one country. Without it, 100.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) per_country: Option<u32>,
    /// Mails of the pool. Without it, 1,000.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) mails: Option<u32>,
    /// SMS of the pool. Without it, 200.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub(crate) sms: Option<u32>,
}
