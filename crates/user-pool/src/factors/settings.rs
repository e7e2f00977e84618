//! Which second factors a pool has, and who must have one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Factor {
    /// A passkey.
    Passkey,
    /// One-time passwords of an app.
    Totp,
    /// Codes that are sent to the verified e-mail address.
    Email,
    /// Codes that are sent to the verified telephone number.
    Sms,
}

impl Factor {
    /// All, in the order in which they are offered: the strongest first.
    pub const ALL: [Self; 4] = [Self::Passkey, Self::Totp, Self::Email, Self::Sms];

    /// As in the configuration and in the database.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Totp => "totp",
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    /// The attribute with the address that its codes are sent to. `None`: none are sent.
    pub(crate) const fn address(self) -> Option<&'static str> {
        match self {
            Self::Passkey | Self::Totp => None,
            Self::Email => Some("email"),
            Self::Sms => Some("phone_number"),
        }
    }
}

/// Whether a second factor is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// Never.
    #[default]
    Off,
    /// If the user has one.
    Optional,
    /// Always: a user without one has to set one up.
    Required,
}

/// Second factors of one pool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Of users of no group below.
    pub mode: Mode,
    /// Of the users of these groups.
    pub groups: BTreeMap<String, Mode>,
    /// Which there are.
    pub factors: Vec<Factor>,
    /// Whether a passkey signs in without a password.
    pub passkey_is_first: bool,
    /// Whether a code that is sent by mail signs in without a password.
    pub email_code_is_first: bool,
    /// For how long users may trust a browser. `None`: not at all.
    pub trusts_for: Option<Duration>,
    /// The relying party ID of passkeys. `None`: the host of the issuer.
    pub relying_party_id: Option<String>,
}

impl Settings {
    /// Whether a second factor is asked for from a user of these groups. The strictest of them decides.
    pub(crate) fn mode_of<'g>(&self, groups: impl IntoIterator<Item = &'g str>) -> Mode {
        let modes = groups.into_iter().filter_map(|group| self.groups.get(group).copied());
        modes.max().unwrap_or(self.mode)
    }

    /// Whether users can have passkeys.
    pub fn has_passkeys(&self) -> bool {
        self.passkey_is_first || self.factors.contains(&Factor::Passkey)
    }

    /// Whether the codes of a second factor are sent to this address, an attribute of a user with this mode.
    pub fn is_factor(&self, address: &str, mode: Mode) -> bool {
        mode != Mode::Off && self.factors.iter().any(|factor| factor.address() == Some(address))
    }

    /// Those that a user can set up while signing in.
    pub(crate) fn to_set_up(&self) -> impl Iterator<Item = Factor> {
        self.factors.iter().copied().filter(|factor| factor.address().is_none())
    }

    /// Whether one of these can be asked for.
    pub(crate) fn has_one_of(&self, owned: &[Factor]) -> bool {
        owned.iter().any(|factor| self.factors.contains(factor))
    }

    /// Whether no user is ever asked.
    pub fn is_off(&self) -> bool {
        self.mode == Mode::Off && self.groups.values().all(|mode| *mode == Mode::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_group_decides_and_else_the_pool() {
        let groups = [("robots", Mode::Off), ("staff", Mode::Optional), ("admins", Mode::Required)];
        let groups: BTreeMap<String, Mode> = groups.map(|(name, mode)| (name.to_owned(), mode)).into();
        let settings = Settings { mode: Mode::Optional, groups, factors: vec![Factor::Totp], ..Settings::default() };
        for (of, mode) in [
            (&[][..], Mode::Optional),
            (&["others"], Mode::Optional),
            (&["robots"], Mode::Off),
            (&["robots", "others", "staff"], Mode::Optional),
            (&["robots", "admins"], Mode::Required),
        ] {
            assert_eq!(settings.mode_of(of.iter().copied()), mode, "{of:?}");
        }
        assert!(!settings.is_off() && Settings::default().is_off());
        assert!(!Settings { mode: Mode::Off, ..settings }.is_off());
    }
}
