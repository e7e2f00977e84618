//! `mfa` of a user pool.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::{List, Period};

/// Second factors: what a user proves besides the password.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mfa {
    /// Whether users are asked for a second factor.
    #[serde(default)]
    pub(crate) mode: MfaMode,
    /// The same for the users of some groups, instead: `{ admins: required, robots: off }`. For a user of several of them the strictest counts.
    #[serde(default)]
    pub(crate) groups: BTreeMap<String, MfaMode>,
    /// Which second factors users may have.
    #[serde(default = "factors")]
    pub(crate) factors: List<MfaFactor>,
    /// For how long users may trust a browser after they have proved a second factor. It asks for the password only, then. Whole days, from `1d`
    /// to `365d`, or `0s`: users cannot trust a browser.
    #[serde(default = "remembered_browsers")]
    pub(crate) remembered_browsers: Period,
}

/// Whether users are asked for a second factor.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MfaMode {
    /// Nobody is asked.
    Off,
    /// Users who have set one up are asked.
    #[default]
    Optional,
    /// All are asked. Users who have none set one up when they sign in.
    Required,
}

/// A second factor.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum MfaFactor {
    /// A passkey of the phone, the computer or a security key.
    Passkey,
    /// One-time passwords of an app on the user's phone (RFC 6238).
    Totp,
    /// Codes that are sent to the verified e-mail address of the user. The pool needs `mail`. An address that gets such codes is not used for
    /// `recovery`.
    Email,
    /// Codes that are sent to the verified telephone number of the user. The pool needs `sms`. A number that gets such codes is not used for
    /// `recovery`.
    Sms,
}

fn remembered_browsers() -> Period {
    Duration::from_secs(30 * 86_400).into()
}

fn factors() -> List<MfaFactor> {
    List::of([MfaFactor::Passkey, MfaFactor::Totp])
}

/// What a user begins to sign in with.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum FirstFactor {
    /// The password.
    Password,
    /// A code that is sent to the verified e-mail address of a user in the `store`, without a password. The pool needs `mail`.
    EmailCode,
    /// A passkey, without a user name and a password. It counts as two factors, because the authenticator verifies the user.
    Passkey,
}

/// Passkeys.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Passkeys {
    /// The domain that passkeys are for: the host of the issuer, or a domain above, such as `example.com`. With another one, the passkeys of
    /// before are good for nothing. Without it, the host of the issuer.
    pub(crate) relying_party_id: Option<String>,
}
