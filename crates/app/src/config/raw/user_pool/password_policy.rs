//! `password_policy` of a user pool.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::raw::value::{List, Period};
use crate::user_pool::credential::policy;

/// Which passwords users may choose. It counts when a password is set, also by an administrator. Passwords of before stay valid. No password
/// is longer than 256 characters, or starts or ends with a space.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PasswordPolicy {
    /// The rules that the other settings change.
    #[serde(default)]
    pub(crate) preset: PasswordPreset,
    /// Minimum length in characters, from 6 to 99. Without it, 12 with `modern` and 8 with `cognito`.
    pub(crate) min_length: Option<usize>,
    /// Kinds of characters of which each password has at least one. `[]` is none. Without it, none with `modern` and all four with `cognito`.
    pub(crate) require: Option<List<CharacterClass>>,
    /// How many passwords a user may not set again: the current one, and those before it. From 0 to 5, because each of them is hashed at a change.
    /// Temporary passwords do not count.
    #[serde(default)]
    pub(crate) history: usize,
    /// File with passwords that attackers know, which `vestibule users breach-list` makes. Nobody may choose one of them. A new file counts after a
    /// reload.
    pub(crate) breach_list_file: Option<String>,
    /// What happens when somebody signs in with the right password, and it is in `breach_list_file`.
    #[serde(default)]
    pub(crate) breached_at_sign_in: BreachedAtSignIn,
    /// How long a temporary password is good for, which an administrator gives to a user. From 1 hour to 365 days.
    #[serde(default = "temporary_validity")]
    pub(crate) temporary_validity: Period,
}

defaults! {
    temporary_validity: Period = policy::TEMPORARY_VALIDITY;
}

/// What a right password that attackers know leads to.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BreachedAtSignIn {
    /// The user signs in.
    #[default]
    Allow,
    /// The user must reset the password first, and is signed out everywhere. Users who cannot be sent a code need an administrator then.
    Reset,
}

/// A set of rules.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PasswordPreset {
    /// At least 12 characters of any kind, without the user name, the part of the e-mail address before the `@`, and the names of the user. A name of fewer than four letters is refused only as the whole password.
    #[default]
    Modern,
    /// The default of Amazon Cognito: at least 8 characters, and one of each kind. The user name may be in it.
    Cognito,
}

/// A kind of characters.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CharacterClass {
    /// Uppercase letters.
    Uppercase,
    /// Lowercase letters.
    Lowercase,
    /// Digits.
    Digit,
    /// Symbols: ``^ $ * . [ ] { } ( ) ? " ! @ # % & / \ , > < ' : ; | _ ~ ` = + -`` and the space.
    Symbol,
}
