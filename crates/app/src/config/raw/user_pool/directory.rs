//! `attributes` and `sign_in` of a user pool.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::user_pool::mfa::FirstFactor;
use crate::config::raw::value::List;

/// What is known of the users in the `store`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Attributes {
    /// Attributes that users have to give when they sign up, or when they choose a password of their own for the first time:
    /// `[email, given_name, custom:department]`. `vestibule users add` does not ask for them.
    pub(crate) required: List<String>,
    /// Attributes of this pool, besides those of OpenID Connect, at most 50, by their names of at most 20 characters. In commands and in tokens
    /// `department` is `custom:department`. An attribute that users have may be added later, but do not remove it or change its type.
    pub(crate) custom: BTreeMap<String, CustomAttribute>,
}

/// An attribute of the pool. In tokens its value is a text.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomAttribute {
    /// What a value is: `string`, `number` (a whole number), `boolean` (`true` or `false`), or `date_time` (`2030-01-31T12:00:00Z`).
    pub(crate) r#type: AttributeType,
    /// Minimum number of characters of a `string`. Without it, 0.
    #[schemars(range(max = 2048))]
    pub(crate) min_length: Option<usize>,
    /// Maximum number of characters of a `string`. Without it, 2,048.
    #[schemars(range(min = 1, max = 2048))]
    pub(crate) max_length: Option<usize>,
    /// The smallest `number`.
    pub(crate) min_value: Option<i64>,
    /// The largest `number`.
    pub(crate) max_value: Option<i64>,
    /// Whether it may change. `false`: it is set when the user is added, and stays. Without it, `true`.
    pub(crate) mutable: Option<bool>,
}

/// The type of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AttributeType {
    /// A text.
    String,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// RFC 3339, in UTC.
    DateTime,
}

/// How users in the `store` sign in.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SignIn {
    /// What users sign in with first of all. `chosen`: a user name. `email`: their e-mail address; then the user name in tokens is the `sub`. Do
    /// not change it for a pool that has users.
    pub(crate) username: Usernames,
    /// What users may type in place of the user name: `email` and `phone_number` if they were verified, and `preferred_username`. Each belongs to
    /// one user. With `email`, a user name cannot look like an e-mail address; with `phone_number`, not like a phone number. It is for pools
    /// whose user names are `chosen`.
    pub(crate) aliases: List<Alias>,
    /// What users can begin with. A password is always one of them.
    pub(crate) first_factors: List<FirstFactor>,
}

/// What users sign in with first of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Usernames {
    /// A user name.
    #[default]
    Chosen,
    /// The e-mail address.
    Email,
}

/// An attribute by which users sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Alias {
    /// The verified e-mail address.
    Email,
    /// The verified phone number.
    PhoneNumber,
    /// `preferred_username`.
    PreferredUsername,
}
