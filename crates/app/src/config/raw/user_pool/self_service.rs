//! `sign_up` and `recovery` of a user pool.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// Who may sign up, and how. Needs `store`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SignUp {
    /// Whether people may sign up by themselves. The sign-in page then has a link to it. Without it, `false`: administrators add users.
    pub(crate) open: Option<bool>,
    /// Domains of e-mail addresses that may sign up: `[example.com]`. Without it, all.
    pub(crate) allowed_domains: List<String>,
    /// What has to be confirmed with a code before the first sign-in: `email` (needs `mail`), `phone_number` (needs `sms`). Of both, the
    /// first that the user gives. Without it, `email` if the pool has `mail`; otherwise `vestibule users confirm` confirms users.
    pub(crate) verify: Option<List<Address>>,
}

/// What a code is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Address {
    /// The e-mail address.
    Email,
    /// The phone number.
    PhoneNumber,
}
