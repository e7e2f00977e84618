//! What a user has proved in a sign-in, and how tokens say it: `amr` (RFC 8176) and `acr` (pool §8.8).

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::events::event::Challenge;
use crate::factors::settings::Factor;

/// One thing that a user has proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// Knows the password.
    Password,
    /// Has the app with the secret of one-time passwords (RFC 6238).
    Totp,
    /// Has a passkey.
    Passkey {
        /// The authenticator has verified the user: by a PIN, a finger or a face.
        is_verified: bool,
        /// The passkey may be copied to other devices of the user.
        is_synced: bool,
    },
    /// Reads the mail of the e-mail address.
    EmailCode,
    /// Reads the messages of the phone number.
    SmsCode,
    /// Has one of the codes that were written down.
    RecoveryCode,
    /// Has signed in at another provider.
    Provider {
        /// The operator trusts the provider to ask for two factors. The pool cannot know whether it has.
        is_trusted: bool,
        /// When the provider has asked the user, in seconds: before this sign-in, if it relied on a session of its own. `None`: nobody knows
        /// (docs/decisions/0102).
        asked_at: Option<u64>,
    },
    /// Uses a browser that was trusted after a sign-in with a second factor. It takes the place of one, and proves nothing by itself.
    RememberedBrowser,
}

/// Each proof and its name. Sessions and tokens that are kept have these names: they never change.
const NAMES: [(Proof, &str); 12] = [
    (Proof::Password, "pwd"),
    (Proof::Totp, "totp"),
    (Proof::Passkey { is_verified: false, is_synced: false }, "hwk"),
    (Proof::Passkey { is_verified: false, is_synced: true }, "swk"),
    (Proof::Passkey { is_verified: true, is_synced: false }, "hwk+user"),
    (Proof::Passkey { is_verified: true, is_synced: true }, "swk+user"),
    (Proof::EmailCode, "email"),
    (Proof::SmsCode, "sms"),
    (Proof::RecoveryCode, "recovery"),
    // With a time, the seconds follow: `fed:1800000000`.
    (Proof::Provider { is_trusted: false, asked_at: None }, "fed"),
    (Proof::Provider { is_trusted: true, asked_at: None }, "fed+mfa"),
    (Proof::RememberedBrowser, "browser"),
];

impl Proof {
    fn name(self) -> String {
        let (bare, asked_at) = match self {
            Self::Provider { is_trusted, asked_at } => (Self::Provider { is_trusted, asked_at: None }, asked_at),
            other => (other, None),
        };
        let name = NAMES.iter().find(|(proof, _)| *proof == bare).expect("every proof has a name").1;
        asked_at.map_or_else(|| name.to_owned(), |at| format!("{name}:{at}"))
    }

    /// The proof of this name.
    fn named(text: &str) -> Option<Self> {
        let (name, at) = text.split_once(':').map_or((text, None), |(name, at)| (name, Some(at)));
        let proof = NAMES.iter().find(|(_, known)| *known == name)?.0;
        match (proof, at) {
            (Self::Provider { is_trusted, .. }, Some(at)) => {
                Some(Self::Provider { is_trusted, asked_at: Some(at.parse().ok()?) })
            }
            (proof, None) => Some(proof),
            (_, Some(_)) => None,
        }
    }

    /// The second factor that this is. `None` if it is none.
    fn factor(self) -> Option<Factor> {
        match self {
            Self::Totp => Some(Factor::Totp),
            Self::Passkey { .. } => Some(Factor::Passkey),
            Self::EmailCode => Some(Factor::Email),
            Self::SmsCode => Some(Factor::Sms),
            Self::Password | Self::Provider { .. } | Self::RecoveryCode | Self::RememberedBrowser => None,
        }
    }
}

/// Everything that a user has proved in one sign-in, in this order. As text: the names, separated by spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct Proofs(Vec<Proof>);

/// How sure a sign-in makes of who the user is (pool §8.8). The order is that of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Level {
    /// One factor.
    One,
    /// A password or a one-time password, and a code that was sent or written down.
    Two,
    /// A password, and an app with one-time passwords or a passkey.
    Three,
    /// A passkey whose authenticator has verified the user.
    Four,
}

impl Level {
    /// Each of them.
    pub(crate) const ALL: [Self; 4] = [Self::One, Self::Two, Self::Three, Self::Four];

    /// A level by its name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// `acr`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::One => "urn:cognito:loa:1",
            Self::Two => "urn:cognito:loa:2",
            Self::Three => "urn:cognito:loa:3",
            Self::Four => "urn:cognito:loa:4",
        }
    }
}

impl Proofs {
    /// A sign-in that has begun with this proof.
    pub(crate) fn first(proof: Proof) -> Self {
        Self(vec![proof])
    }

    /// What was proved before there were other proofs than the password.
    pub(crate) fn of_before() -> Self {
        Self::first(Proof::Password)
    }

    /// The same, and one more.
    pub(crate) fn and(mut self, proof: Proof) -> Self {
        self.0.push(proof);
        self
    }

    /// The same, and one more if its factor was not proved yet.
    pub(crate) fn and_if_new(self, proof: Proof) -> Self {
        if proof.factor().is_some_and(|factor| self.have(factor)) { self } else { self.and(proof) }
    }

    /// What was asked and answered, for the sign-in log.
    pub(crate) fn challenges(&self) -> Vec<(Challenge, bool)> {
        let challenge = |proof: &Proof| match proof {
            Proof::Password => Challenge::Password,
            Proof::RecoveryCode => Challenge::RecoveryCode,
            Proof::Provider { .. } => Challenge::Provider,
            Proof::EmailCode | Proof::SmsCode => Challenge::SentCode,
            Proof::Totp | Proof::Passkey { .. } | Proof::RememberedBrowser => Challenge::Mfa,
        };
        self.0.iter().map(|proof| (challenge(proof), true)).collect()
    }

    /// The level with this factor, too.
    pub(crate) fn level_with(&self, factor: Factor) -> Level {
        let proof = match factor {
            Factor::Passkey => Proof::Passkey { is_verified: true, is_synced: true },
            Factor::Totp => Proof::Totp,
            Factor::Email => Proof::EmailCode,
            Factor::Sms => Proof::SmsCode,
        };
        self.clone().and(proof).level()
    }

    /// Whether this factor was proved.
    pub(crate) fn have(&self, factor: Factor) -> bool {
        self.0.iter().any(|proof| proof.factor() == Some(factor))
    }

    /// Whether there are two factors: a passkey whose authenticator has verified the user is two, and a trusted browser takes the place of one. Codes to two
    /// addresses are two as well, though no more than level 1. So is a sign-in at a provider that is trusted with it.
    pub(crate) fn are_enough(&self) -> bool {
        let is_trusted_provider = |proof: &Proof| matches!(proof, Proof::Provider { is_trusted: true, .. });
        let is_trusted = self.have_trusted_browser() && self.0.len() > 1 || self.0.iter().any(is_trusted_provider);
        let are_two_codes = self.0.contains(&Proof::EmailCode) && self.0.contains(&Proof::SmsCode);
        is_trusted || are_two_codes || self.level() > Level::One
    }

    /// Whether a trusted browser has taken the place of a second factor.
    pub(crate) fn have_trusted_browser(&self) -> bool {
        self.0.contains(&Proof::RememberedBrowser)
    }

    /// When the user was asked, in seconds, in a sign-in of `auth_time`. Another provider may have relied on a session that began long before, and then
    /// `auth_time` says only when the browser came back. `None`: nobody knows.
    pub(crate) fn asked_at(&self, auth_time: u64) -> Option<u64> {
        let at_provider = self.0.iter().find_map(|proof| match proof {
            Proof::Provider { asked_at, .. } => Some(*asked_at),
            _ => None,
        });
        at_provider.map_or(Some(auth_time), |asked_at| asked_at.map(|at| at.min(auth_time)))
    }

    /// The level of these proofs together. A remembered browser adds nothing: whoever asks for a level wants the factor itself.
    pub(crate) fn level(&self) -> Level {
        let has = |proof: fn(&Proof) -> bool| self.0.iter().any(proof);
        // A provider has asked at least for a password, or for more.
        let password = has(|proof| matches!(proof, Proof::Password | Proof::Provider { .. }));
        let totp = has(|proof| *proof == Proof::Totp);
        let passkey = has(|proof| matches!(proof, Proof::Passkey { .. }));
        let code = has(|proof| matches!(proof, Proof::EmailCode | Proof::SmsCode | Proof::RecoveryCode));
        if has(|proof| matches!(proof, Proof::Passkey { is_verified: true, .. })) {
            Level::Four
        } else if password && (totp || passkey) {
            Level::Three
        } else if (password || totp) && code {
            Level::Two
        } else {
            Level::One
        }
    }

    /// `amr`: the values of RFC 8176 §2, without repetition.
    pub(crate) fn amr(&self) -> Vec<&'static str> {
        let mut values = Vec::new();
        for proof in &self.0 {
            match proof {
                Proof::Password => values.push("pwd"),
                Proof::Totp | Proof::EmailCode | Proof::RecoveryCode => values.push("otp"),
                Proof::SmsCode => values.push("sms"),
                Proof::Provider { .. } => values.push("fed"),
                Proof::Passkey { is_verified, is_synced } => {
                    values.push(if *is_synced { "swk" } else { "hwk" });
                    if *is_verified {
                        values.push("user");
                    }
                }
                Proof::RememberedBrowser => {}
            }
        }
        if self.level() > Level::One {
            values.push("mfa");
        }
        let mut seen = Vec::new();
        values.retain(|value| {
            !seen.contains(value) && {
                seen.push(value);
                true
            }
        });
        values
    }
}

impl From<Proofs> for String {
    fn from(proofs: Proofs) -> Self {
        proofs.0.iter().map(|proof| proof.name()).collect::<Vec<_>>().join(" ")
    }
}

/// The text names no proofs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the names of what was proved in a sign-in")]
pub(crate) struct NoProofs;

impl FromStr for Proofs {
    type Err = NoProofs;

    fn from_str(text: &str) -> Result<Self, NoProofs> {
        text.split(' ').map(Proof::named).collect::<Option<Vec<_>>>().map(Self).ok_or(NoProofs)
    }
}

impl TryFrom<String> for Proofs {
    type Error = NoProofs;

    fn try_from(text: String) -> Result<Self, NoProofs> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(names: &str, acr: &str, amr: &[&str]) {
        let proofs: Proofs = names.parse().expect("names of proofs");
        assert_eq!(proofs.level().name(), format!("urn:cognito:loa:{acr}"), "{names}");
        assert_eq!(proofs.amr(), amr, "{names}");
        assert_eq!(String::from(proofs), names);
    }

    #[test]
    fn levels_and_methods_are_those_of_the_table() {
        check("pwd", "1", &["pwd"]);
        check("email", "1", &["otp"]);
        check("sms", "1", &["sms"]);
        check("hwk", "1", &["hwk"]);
        check("pwd browser", "1", &["pwd"]);
        check("fed", "1", &["fed"]);
        check("fed+mfa", "1", &["fed"]);
        check("fed:1800000000", "1", &["fed"]);
        check("fed+mfa:1800000000 totp", "3", &["fed", "otp", "mfa"]);
        check("fed totp", "3", &["fed", "otp", "mfa"]);
        check("fed email", "2", &["fed", "otp", "mfa"]);
        check("email sms", "1", &["otp", "sms"]);
        check("pwd email", "2", &["pwd", "otp", "mfa"]);
        check("pwd sms", "2", &["pwd", "sms", "mfa"]);
        check("pwd recovery", "2", &["pwd", "otp", "mfa"]);
        check("email totp", "2", &["otp", "mfa"]);
        check("pwd totp", "3", &["pwd", "otp", "mfa"]);
        check("pwd hwk", "3", &["pwd", "hwk", "mfa"]);
        check("swk+user", "4", &["swk", "user", "mfa"]);
        check("pwd hwk+user", "4", &["pwd", "hwk", "user", "mfa"]);
    }

    #[test]
    fn only_after_another_provider_the_user_may_have_been_asked_before() {
        for (proof, name) in NAMES {
            let expected = (!["fed", "fed+mfa"].contains(&name)).then_some(1_000);
            assert_eq!(Proofs(vec![proof, Proof::Totp]).asked_at(1_000), expected, "{name}");
        }
        for (at, expected) in [(0, 0), (999, 999), (1_001, 1_000)] {
            let proof = Proof::Provider { is_trusted: true, asked_at: Some(at) };
            assert_eq!(Proofs(vec![proof, Proof::Totp]).asked_at(1_000), Some(expected), "{at}");
        }
    }

    #[test]
    fn only_names_of_proofs_are_read() {
        for text in ["", " ", "pwd ", "password", "pwd,totp", "PWD", "pwd:5", "fed:", "fed:x", "fed:-1", "fed:1.5"] {
            assert_eq!(text.parse::<Proofs>(), Err(NoProofs), "{text:?}");
        }
    }

    #[test]
    fn a_level_is_never_lowered_by_another_proof() {
        for (first, _) in NAMES {
            for (second, _) in NAMES {
                let (alone, together) = (Proofs(vec![first]), Proofs(vec![first, second]));
                assert!(together.level() >= alone.level(), "{together:?}");
            }
        }
    }
}
