//! What a sign-in asks for next (pool §7.2). A pure function: facts come from one read, and what follows is done by those who ask.

use serde::{Deserialize, Serialize};

use crate::directory::status::Status;
use crate::directory::user::User;
use crate::factors::Owned;
use crate::factors::rules::{has_two_factors, second_factors};
use crate::factors::settings::{Factor, Mode, Settings};
use crate::signin::proof::{Level, Proofs};
use crate::signin::sso::Session;

/// What the next step depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) status: Status,
    /// Whether this user has to have a second factor.
    pub(crate) mode: Mode,
    /// What the user has set up and the pool has.
    pub(crate) owned: Owned,
    /// Whether the user can prove two factors: the password and a code by mail, for example. Such a user sets none up while signing in: whoever reads the mail,
    /// and begins with a code, would have an account whose other factor is the password.
    pub(crate) has_two: bool,
}

/// The next step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The user has to confirm an address first.
    NotConfirmed,
    /// The user has to choose another password first.
    NewPassword,
    /// The user has to choose another password first, with a code that is sent.
    ResetRequired,
    /// A second factor, in one of these ways.
    Challenge(Ways),
    /// The user has to set one of these up, and has none. If there is none in the list, nothing can be done: the pool has none, or the user has to begin in
    /// another way.
    SetUp(Vec<Factor>),
    /// The user is signed in.
    Done,
}

/// How a second factor can be proved: the factors of the user, the strongest first, and recovery codes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ways {
    factors: Vec<Factor>,
    has_recovery_codes: bool,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    Factor(Factor),
    RecoveryCode,
}

impl Ways {
    /// The one to begin with.
    pub(crate) fn first(&self) -> Option<Way> {
        self.iter().next()
    }

    /// Whether a code can be sent.
    pub(crate) fn has_sent_codes(&self) -> bool {
        self.factors.iter().any(|factor| factor.address().is_some())
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Way> {
        let recovery = self.has_recovery_codes.then_some(Way::RecoveryCode);
        self.factors.iter().copied().map(Way::Factor).chain(recovery)
    }
}

/// A sign-in between two pages. It is sealed, and bound to the browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UnderWay {
    /// `sub`.
    pub(crate) subject: String,
    /// [`User::shown_name`], for the pages.
    pub(crate) username: String,
    /// [`User::fingerprint`]: another password ends the sign-in.
    pub(crate) fingerprint: String,
    pub(crate) proofs: Proofs,
    /// Whether the user trusts the browser from now on.
    #[serde(default)]
    pub(crate) trusts: bool,
    /// The level that the application asks for (pool §8.8). Users are asked for it who can prove it.
    #[serde(default)]
    pub(crate) wanted: Option<Level>,
}

impl UnderWay {
    /// A sign-in of `user`, who has proved this.
    pub(crate) fn of(user: &User, proofs: Proofs) -> Self {
        Self {
            subject: user.subject().to_owned(),
            username: user.shown_name().to_owned(),
            fingerprint: user.fingerprint().to_owned(),
            proofs,
            trusts: false,
            wanted: None,
        }
    }

    /// The same, for an application that asks for a level.
    pub(crate) fn wanting(self, wanted: Option<Level>) -> Self {
        Self { wanted, ..self }
    }

    /// What the user of a session has proved. It is for no page, so it has no name.
    pub(crate) fn of_session(session: &Session) -> Self {
        Self {
            subject: session.subject.clone(),
            username: String::new(),
            fingerprint: session.fingerprint.clone(),
            proofs: session.proofs.clone(),
            trusts: false,
            wanted: None,
        }
    }
}

impl Facts {
    /// Of a user without a database: nobody is asked for a second factor.
    pub(crate) fn without_store(user: &User) -> Self {
        Self { status: user.status(), mode: Mode::Off, owned: Owned::default(), has_two: false }
    }

    /// Of a user who has set this up.
    pub(crate) fn of(user: &User, owned: Owned, settings: &Settings) -> Self {
        let (factors, has_two) = (second_factors(user, &owned, settings), has_two_factors(user, &owned, settings));
        let (status, mode) = (user.status(), settings.mode_of(user.groups()));
        Self { status, mode, owned: Owned { factors, ..owned }, has_two }
    }
}

/// What comes after `proofs`, for an application that asks for the level `wanted`.
pub(crate) fn step(proofs: &Proofs, wanted: Option<Level>, facts: &Facts, settings: &Settings) -> Step {
    match facts.status {
        Status::Unconfirmed => return Step::NotConfirmed,
        Status::ForceChangePassword => return Step::NewPassword,
        Status::ResetRequired => return Step::ResetRequired,
        Status::Confirmed | Status::ExternalProvider => {}
    }
    let left = |factors: &[Factor]| factors.iter().copied().filter(|factor| !proofs.have(*factor)).collect::<Vec<_>>();
    let owned = left(&facts.owned.factors);
    if let Some(wanted) = wanted.filter(|wanted| proofs.level() < *wanted) {
        let factors: Vec<_> = owned.iter().copied().filter(|factor| proofs.level_with(*factor) >= wanted).collect();
        // A recovery code is worth as much as a code that is sent.
        let has_recovery_codes = facts.owned.recovery_codes > 0 && proofs.level_with(Factor::Email) >= wanted;
        if !factors.is_empty() {
            return Step::Challenge(Ways { factors, has_recovery_codes });
        }
    }
    if facts.mode == Mode::Off || proofs.are_enough() {
        return Step::Done;
    }
    match facts.mode {
        _ if !owned.is_empty() => {
            Step::Challenge(Ways { factors: owned, has_recovery_codes: facts.owned.recovery_codes > 0 })
        }
        Mode::Required if facts.has_two => Step::SetUp(Vec::new()),
        Mode::Required => Step::SetUp(left(&settings.to_set_up().collect::<Vec<_>>())),
        Mode::Off | Mode::Optional => Step::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(mode: Mode) -> Settings {
        Settings { mode, factors: vec![Factor::Totp], ..Settings::default() }
    }

    fn facts(mode: Mode, factors: &[Factor]) -> Facts {
        Facts {
            status: Status::Confirmed,
            mode,
            owned: Owned { factors: factors.to_vec(), ..Owned::default() },
            has_two: false,
        }
    }

    fn challenge(factors: &[Factor]) -> Step {
        Step::Challenge(Ways { factors: factors.to_vec(), has_recovery_codes: false })
    }

    #[track_caller]
    fn check(proofs: &str, mode: Mode, owned: &[Factor], expected: Step) {
        let proofs = proofs.parse().expect("names of proofs");
        assert_eq!(
            step(&proofs, None, &facts(mode, owned), &settings(mode)),
            expected,
            "{proofs:?} {mode:?} {owned:?}"
        );
    }

    #[test]
    fn the_mode_and_what_the_user_has_decide() {
        let totp = &[Factor::Totp][..];
        check("pwd", Mode::Off, &[], Step::Done);
        check("pwd", Mode::Off, totp, Step::Done);
        check("pwd", Mode::Optional, &[], Step::Done);
        check("pwd", Mode::Optional, totp, challenge(totp));
        check("pwd", Mode::Required, totp, challenge(totp));
        check("pwd", Mode::Required, &[], Step::SetUp(totp.to_vec()));
    }

    #[test]
    fn a_user_who_has_to_do_something_first_is_asked_for_nothing_else() {
        for (status, expected) in [
            (Status::Unconfirmed, Step::NotConfirmed),
            (Status::ForceChangePassword, Step::NewPassword),
            (Status::ResetRequired, Step::ResetRequired),
        ] {
            for proofs in ["pwd", "pwd totp", "hwk+user"] {
                let facts = Facts { status, ..facts(Mode::Required, &[Factor::Totp]) };
                let proofs = proofs.parse().expect("names of proofs");
                assert_eq!(step(&proofs, Some(Level::Four), &facts, &settings(Mode::Required)), expected);
            }
        }
    }

    #[test]
    fn a_second_factor_ends_the_questions() {
        for mode in [Mode::Optional, Mode::Required] {
            for proofs in [
                "pwd totp",
                "pwd recovery",
                "pwd browser",
                "hwk+user",
                "swk+user",
                "fed totp",
                "fed+mfa",
                "fed+mfa:1800000000",
            ] {
                check(proofs, mode, &[Factor::Totp], Step::Done);
                check(proofs, mode, &[], Step::Done);
            }
        }
    }

    #[track_caller]
    fn check_wanted(proofs: &str, wanted: Level, mode: Mode, owned: &[Factor], expected: Step) {
        let proofs = proofs.parse().expect("names of proofs");
        let settings = Settings { mode, factors: Factor::ALL.to_vec(), ..Settings::default() };
        assert_eq!(
            step(&proofs, Some(wanted), &facts(mode, owned), &settings),
            expected,
            "{proofs:?} {wanted:?} {owned:?}"
        );
    }

    #[test]
    fn an_application_gets_the_level_that_it_asks_for_from_users_who_can_prove_it() {
        let (totp, passkey, email) = (Factor::Totp, Factor::Passkey, Factor::Email);
        let all = &[passkey, totp, email][..];
        check_wanted("pwd", Level::One, Mode::Off, all, Step::Done);
        check_wanted("pwd", Level::Two, Mode::Off, all, challenge(all));
        check_wanted("pwd", Level::Three, Mode::Optional, all, challenge(&[passkey, totp]));
        check_wanted("pwd totp", Level::Four, Mode::Optional, all, challenge(&[passkey]));
        check_wanted("pwd browser", Level::Three, Mode::Required, all, challenge(&[passkey, totp]));
        check_wanted("fed", Level::Three, Mode::Off, all, challenge(&[passkey, totp]));
        check_wanted("hwk+user", Level::Four, Mode::Required, all, Step::Done);
        // Who cannot reach it is asked for what the pool asks for, and no more.
        check_wanted("pwd", Level::Four, Mode::Off, &[totp], Step::Done);
        check_wanted("pwd", Level::Four, Mode::Optional, &[totp], challenge(&[totp]));
        check_wanted("pwd totp", Level::Four, Mode::Required, &[totp], Step::Done);
    }

    #[test]
    fn who_has_two_factors_sets_up_none() {
        let facts = Facts { has_two: true, ..facts(Mode::Required, &[Factor::Email]) };
        let settings = Settings { factors: vec![Factor::Totp, Factor::Email], ..settings(Mode::Required) };
        let of = |proofs: &str| step(&proofs.parse().expect("names of proofs"), None, &facts, &settings);
        assert_eq!(of("pwd"), challenge(&[Factor::Email]));
        assert_eq!(of("email"), Step::SetUp(vec![]));
        assert_eq!(of("email pwd"), Step::Done);
    }

    #[test]
    fn what_is_not_verified_is_one_factor() {
        check("hwk", Mode::Required, &[Factor::Totp], challenge(&[Factor::Totp]));
        check("fed", Mode::Required, &[Factor::Totp], challenge(&[Factor::Totp]));
        check("fed", Mode::Required, &[], Step::SetUp(vec![Factor::Totp]));
        check("email", Mode::Required, &[Factor::Totp], challenge(&[Factor::Totp]));
        // The same factor is not asked for twice.
        check("hwk", Mode::Required, &[Factor::Passkey], Step::SetUp(vec![Factor::Totp]));
    }
}
