//! Which factors a user may remove. Pure functions.

use crate::directory::status::Status;
use crate::directory::user::User;
use crate::factors::owned::Owned;
use crate::factors::settings::{Factor, Mode, Settings};

/// Why a factor stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    /// The user must have a second factor, and would have none.
    LastSecondFactor,
    /// The user could not sign in without it.
    OnlyWayIn,
}

/// The second factors of a user who has set this up, in the order in which they are offered. A verified address is one without being set up.
pub(crate) fn second_factors(user: &User, owned: &Owned, settings: &Settings) -> Vec<Factor> {
    let has = |factor: &Factor| match factor.address() {
        Some(address) => user.verified(address).is_some(),
        None => owned.factors.contains(factor),
    };
    Factor::ALL.into_iter().filter(|factor| settings.factors.contains(factor)).filter(has).collect()
}

/// Whether a user may keep no more than `after` of what there was `before`. An administrator may remove everything.
///
/// # Errors
///
/// See [`Stays`].
pub(crate) fn may_keep(user: &User, before: &Owned, after: &Owned, settings: &Settings) -> Result<(), Stays> {
    let loses = |has: fn(&User, &Owned, &Settings) -> bool| has(user, before, settings) && !has(user, after, settings);
    if settings.mode_of(user.groups()) == Mode::Required && loses(has_two_factors) {
        return Err(Stays::LastSecondFactor);
    }
    if loses(has_a_way_in) { Err(Stays::OnlyWayIn) } else { Ok(()) }
}

/// Whether the user may become `after`, who has lost an address.
///
/// # Errors
///
/// See [`Stays`].
pub(crate) fn may_become(before: &User, after: &User, owned: &Owned, settings: &Settings) -> Result<(), Stays> {
    let loses =
        |has: fn(&User, &Owned, &Settings) -> bool| has(before, owned, settings) && !has(after, owned, settings);
    if settings.mode_of(before.groups()) == Mode::Required && loses(has_two_factors) {
        return Err(Stays::LastSecondFactor);
    }
    if loses(has_a_way_in) { Err(Stays::OnlyWayIn) } else { Ok(()) }
}

/// Whether the user can begin a sign-in.
fn has_a_way_in(user: &User, owned: &Owned, settings: &Settings) -> bool {
    is_of_provider(user)
        || user.password_hash().is_some()
        || has_passkey_alone(owned, settings)
        || has_code_alone(user, settings)
}

/// Whether the user can prove two different factors: one and the same mailbox is not two.
pub(crate) fn has_two_factors(user: &User, owned: &Owned, settings: &Settings) -> bool {
    let second = second_factors(user, owned, settings);
    if is_of_provider(user) {
        return !second.is_empty();
    }
    // The authenticator verifies the user, which is a second factor.
    has_passkey_alone(owned, settings)
        || (user.password_hash().is_some() && !second.is_empty())
        || (has_code_alone(user, settings) && second.iter().any(|factor| *factor != Factor::Email))
}

/// Whether the user begins at another provider, and in no other way.
fn is_of_provider(user: &User) -> bool {
    user.status() == Status::ExternalProvider
}

fn has_passkey_alone(owned: &Owned, settings: &Settings) -> bool {
    settings.passkey_is_first && !owned.passkeys.is_empty()
}

fn has_code_alone(user: &User, settings: &Settings) -> bool {
    settings.email_code_is_first && user.is_stored() && user.verified("email").is_some()
}

#[cfg(test)]
mod tests;
