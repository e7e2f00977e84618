//! `account` of a user pool.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::List;

/// What users of the `store` change of themselves, on the pages below `/account` of the pool. Needs `store`. They always change their password there,
/// and end their sessions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Account {
    /// The attributes that users change, in the order of the page. An attribute of the pool (`custom:…`) is one of them only if it is named
    /// here and is mutable. Users confirm another `email` or `phone_number` with a code first, which needs `mail` or `sms`. `[]`: none. Without it,
    /// `name`, `given_name`, `middle_name`, `family_name`, `nickname`, `email`, `phone_number`, `address`, `birthdate`, `gender`, `locale`, `zoneinfo`,
    /// `picture`, `profile` and `website`. Do not name what your rules or applications decide by.
    pub(crate) attributes: Option<List<String>>,
    /// Whether users may delete themselves. Without it, `true` if people may sign up by themselves (`sign_up`), otherwise `false`.
    pub(crate) delete: Option<bool>,
}
