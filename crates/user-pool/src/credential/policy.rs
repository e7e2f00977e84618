//! Which passwords users may choose. Start at [`PasswordPolicy::check`].
//!
//! Only what is known from the password and its user: whether it was used before, or is known to attackers, is looked up elsewhere.

use std::fmt;
use std::time::Duration;

use icu_normalizer::ComposingNormalizerBorrowed;

use crate::credential::breach::BreachList;
use crate::credential::password::{PASSWORD_MAX_BYTES, normal};
use crate::page::{Sentence, Text};
use crate::secret::Secret;

/// Maximum length of a password that is chosen, in characters (pool §6.6).
pub(crate) const LENGTH_MAX: usize = 256;
/// What `min_length` may be (pool §6.6).
pub const MIN_LENGTH: std::ops::RangeInclusive<usize> = 6..=99;
/// What `history` may be. Each password of it is hashed at a change: five are a tenth of a second.
pub const HISTORY_MAX: usize = 5;
/// How long a temporary password is good for if nothing else is said (pool §2.4).
pub const TEMPORARY_VALIDITY: Duration = Duration::from_secs(7 * 86_400);
/// Names of fewer characters may be part of a password: `eve` is in many words. They are refused as the whole password.
const NAME_MIN: usize = 4;
/// The characters that count as a symbol (pool §6.6). A space counts too, and is never at an end.
const SYMBOLS: &str = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ";

/// What a password must be like. All lengths are in characters of the normal form NFC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Minimum length.
    pub min_length: usize,
    /// Of each of these, one character is needed at least. In the order in which they are asked for.
    pub required: Vec<Class>,
    /// Whether the password must not contain the user name, the local part of the e-mail address, or a name of the user.
    pub refuses_names: bool,
    /// How many passwords may not be set again: the current one, and those before it. At most [`HISTORY_MAX`].
    pub history: usize,
    /// Passwords that attackers know.
    pub breach_list: Option<BreachList>,
    pub breached_at_sign_in: BreachedAtSignIn,
    /// How long a temporary password is good for.
    pub temporary_validity: Duration,
}

/// What a right password that attackers know leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BreachedAtSignIn {
    /// The sign-in.
    Allow,
    /// The user must choose another one first.
    Reset,
}

/// A class of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    Uppercase,
    Lowercase,
    /// `0` to `9`.
    Digit,
    /// One of [`SYMBOLS`].
    Symbol,
}

/// What a password must not contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AboutUser {
    pub(crate) username: String,
    pub(crate) email: Option<String>,
    /// `name`, `given_name`, and so on.
    pub(crate) names: Vec<String>,
}

/// Why a password is refused. [`sentence`](Self::sentence) says what to do, in the language of the visitor, and `Display` the same in English.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has fewer characters than this.
    TooShort(usize),
    /// It has more than [`LENGTH_MAX`] characters.
    TooLong,
    /// It starts or ends with white space.
    OuterSpace,
    /// It has no character of this class.
    Missing(Class),
    /// It contains the user name, the e-mail address, or the name.
    HasName,
    /// It is in the list of breached passwords.
    Breached,
    /// The user has it, or has had it.
    UsedBefore,
}

impl PasswordPolicy {
    /// The preset `modern`: length, and nothing that is known of the user (NIST SP 800-63B §3.1.1.2).
    pub fn modern() -> Self {
        Self {
            min_length: 12,
            required: Vec::new(),
            refuses_names: true,
            history: 0,
            breach_list: None,
            breached_at_sign_in: BreachedAtSignIn::Allow,
            temporary_validity: TEMPORARY_VALIDITY,
        }
    }

    /// The preset `cognito` (pool §6.6).
    pub fn cognito() -> Self {
        let required = vec![Class::Uppercase, Class::Lowercase, Class::Digit, Class::Symbol];
        Self { min_length: 8, required, refuses_names: false, ..Self::modern() }
    }

    /// Whether the user may have this password, as far as it shows without the list and the history.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub(crate) fn check(&self, password: &Secret<String>, about: &AboutUser) -> Result<(), Fault> {
        // Before anything reads the whole of it.
        if password.expose().len() > PASSWORD_MAX_BYTES {
            return Err(Fault::TooLong);
        }
        let normal = normal(password);
        let text = normal.expose().as_str();
        let length = text.chars().count();
        if length < self.min_length {
            return Err(Fault::TooShort(self.min_length));
        }
        if length > LENGTH_MAX {
            return Err(Fault::TooLong);
        }
        if text.trim() != text {
            return Err(Fault::OuterSpace);
        }
        if let Some(missing) = self.required.iter().find(|class| !text.chars().any(|letter| class.has(letter))) {
            return Err(Fault::Missing(*missing));
        }
        if self.refuses_names && about.is_in(&normal) { Err(Fault::HasName) } else { Ok(()) }
    }
}

impl Class {
    fn has(self, letter: char) -> bool {
        match self {
            Self::Uppercase => letter.is_uppercase(),
            Self::Lowercase => letter.is_lowercase(),
            Self::Digit => letter.is_ascii_digit(),
            Self::Symbol => SYMBOLS.contains(letter),
        }
    }
}

impl AboutUser {
    fn is_in(&self, password: &Secret<String>) -> bool {
        let password = Secret::new(folded(password.expose()));
        let local_part = |address: &str| address.rsplit_once('@').map(|(local, _)| local.to_owned());
        let email = self.email.as_deref().and_then(local_part);
        // A user name is often an e-mail address.
        let name = local_part(&self.username).unwrap_or_else(|| self.username.clone());
        let words = self.names.iter().flat_map(|name| name.split_whitespace()).map(str::to_owned);
        [name].into_iter().chain(email).chain(words).map(|name| folded(name.trim())).any(|name| {
            match name.chars().count() {
                0 => false,
                // `everybody` has nothing to do with a user who is called Eve.
                letters if letters < NAME_MIN => *password.expose() == name,
                _ => password.expose().contains(&name),
            }
        })
    }
}

/// Without case and without forms of characters that differ only in their looks.
fn folded(text: &str) -> String {
    const NFKC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfkc();
    let lower: String = NFKC.normalize(text).chars().flat_map(char::to_lowercase).collect();
    NFKC.normalize(&lower).into_owned()
}

impl PasswordPolicy {
    /// Says of what length a password has to be.
    pub(crate) fn hint(&self) -> Sentence {
        Fault::TooShort(self.min_length).sentence()
    }
}

impl Fault {
    /// Says what to do.
    pub(crate) fn sentence(self) -> Sentence {
        let numbered = |text: Text, number: usize| Sentence::from(text).number("count", number as u64);
        match self {
            Self::TooShort(least) => numbered(Text::PasswordTooShort, least),
            Self::TooLong => numbered(Text::PasswordTooLong, LENGTH_MAX),
            Self::OuterSpace => Text::PasswordOuterSpace.into(),
            Self::Missing(Class::Uppercase) => Text::PasswordNoUppercase.into(),
            Self::Missing(Class::Lowercase) => Text::PasswordNoLowercase.into(),
            Self::Missing(Class::Digit) => Text::PasswordNoDigit.into(),
            Self::Missing(Class::Symbol) => Text::PasswordNoSymbol.into(),
            Self::HasName => Text::PasswordHasName.into(),
            Self::Breached => Text::PasswordBreached.into(),
            Self::UsedBefore => Text::PasswordUsedBefore.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence().english())
    }
}

impl std::error::Error for Fault {}

#[cfg(test)]
mod tests;
