//! What the configuration says of the users of a database: their attributes, and the names by which they sign in.

use std::collections::BTreeMap;

use crate::directory::name::UserName;

/// The rules for the users of one pool. The default has no attributes of its own, requires none, and has no aliases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The attributes of this pool, by their whole names (`custom:department`).
    pub custom: BTreeMap<String, Custom>,
    /// Attributes that a user has to give, in the order of the configuration.
    pub required: Vec<String>,
    /// Attributes by which users sign in, besides the user name.
    pub aliases: Vec<Alias>,
    pub usernames: Usernames,
    /// Nobody else gets what they are called.
    pub declared: Declared,
    /// What names begin with that only users of another provider get ([`reserved_prefix`](Self::reserved_prefix)).
    pub reserved: Vec<String>,
}

/// The users of the configuration: their names in canonical form, with their `sub`.
pub(crate) type Declared = BTreeMap<String, String>;

impl Settings {
    /// What the names of users of a provider begin with, in canonical form.
    pub fn reserved_prefix(provider: &str) -> Option<String> {
        Some(UserName::parse(&format!("{provider}_"))?.as_str().to_owned())
    }

    /// Whether a name is for a user of another provider. Nobody else gets it, or a stranger could have it first.
    pub(crate) fn is_reserved(&self, name: &UserName) -> bool {
        self.reserved.iter().any(|prefix| name.as_str().starts_with(prefix.as_str()))
    }

    /// The `sub` of the user of the configuration who has this name or this `sub`.
    pub(crate) fn declared_subject(&self, who: &str) -> Option<&str> {
        let named = UserName::parse(who).and_then(|name| self.declared.get(name.as_str()));
        named.or_else(|| self.declared.values().find(|subject| *subject == who)).map(String::as_str)
    }
}

/// What users sign in with first of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Usernames {
    /// A name that was chosen.
    #[default]
    Chosen,
    /// Their e-mail address. The user name in tokens is the `sub` (pool §2.2).
    Email,
}

/// An attribute by which users sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alias {
    /// The e-mail address, if it was verified.
    Email,
    /// The phone number, if it was verified.
    PhoneNumber,
    /// `preferred_username`.
    PreferredUsername,
}

impl Alias {
    /// Each of them.
    pub(super) const ALL: [Self; 3] = [Self::Email, Self::PhoneNumber, Self::PreferredUsername];

    /// Whether it is an address, which counts only if it was verified.
    pub(crate) const fn is_verified(self) -> bool {
        matches!(self, Self::Email | Self::PhoneNumber)
    }

    /// The name of the attribute, and the kind in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::PhoneNumber => "phone_number",
            Self::PreferredUsername => "preferred_username",
        }
    }
}

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Custom {
    pub form: Form,
    /// Otherwise it is set when the user is added, and stays.
    pub is_mutable: bool,
}

/// What a value looks like. Bounds are inclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text with that many characters.
    Text { min: usize, max: usize },
    /// A whole number.
    Number { min: i64, max: i64 },
    /// `true` or `false`.
    Boolean,
    /// RFC 3339, in UTC.
    DateTime,
}
