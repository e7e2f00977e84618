//! The states of a user, and what leads from one to another (pool §2.3). A user may be disabled in each of them.

use std::str::FromStr;

use crate::database::Error;

/// What a user has to do before anything else, if there is something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Has signed up, and has to confirm an address, or to be confirmed by an administrator.
    Unconfirmed,
    /// Signs in.
    Confirmed,
    /// Has a temporary password, and has to choose another one.
    ForceChangePassword,
    /// Has to choose another password with a code that is sent. The old one opens nothing any more.
    ResetRequired,
    /// Signs in at another provider, and has no password here.
    ExternalProvider,
}

/// The transition does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the user is {}: {}", .0.as_str(), .0.explained())]
pub struct WrongState(pub Status);

impl Status {
    /// Each of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Unconfirmed, Self::Confirmed, Self::ForceChangePassword, Self::ResetRequired, Self::ExternalProvider];

    /// As in the database and in the output of commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Confirmed => "CONFIRMED",
            Self::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
            Self::ResetRequired => "RESET_REQUIRED",
            Self::ExternalProvider => "EXTERNAL_PROVIDER",
        }
    }

    /// What the state means, for administrators.
    const fn explained(self) -> &'static str {
        match self {
            Self::Unconfirmed => {
                "first the sign-up has to be confirmed, by the user with a code, or by an administrator"
            }
            Self::Confirmed => "there is nothing to confirm or to send",
            Self::ForceChangePassword => "there is a temporary password, with which the user chooses another one",
            Self::ResetRequired => "the user chooses another password with a code",
            Self::ExternalProvider => {
                "the user signs in at another provider: there is nothing to confirm here, and the password can be changed only there"
            }
        }
    }

    /// Whether sessions and tokens of the user may count. In the other states, a right password leads to a question first.
    pub(crate) const fn may_have_sessions(self) -> bool {
        matches!(self, Self::Confirmed | Self::ExternalProvider)
    }

    /// The user has confirmed an address, or an administrator has confirmed the user.
    ///
    /// # Errors
    ///
    /// Unless the user was [`Unconfirmed`](Self::Unconfirmed).
    pub(crate) const fn confirmed(self) -> Result<Self, WrongState> {
        match self {
            Self::Unconfirmed => Ok(Self::Confirmed),
            _ => Err(WrongState(self)),
        }
    }

    /// Whether the user may have a password here.
    pub(crate) const fn may_have_password(self) -> bool {
        !matches!(self, Self::ExternalProvider)
    }

    /// The user has changed the temporary password, or an administrator has set one that stays.
    ///
    /// # Errors
    ///
    /// If the user has no password here.
    pub(crate) const fn given_password(self) -> Result<Self, WrongState> {
        match self {
            Self::ExternalProvider => Err(WrongState(self)),
            _ => Ok(Self::Confirmed),
        }
    }

    /// An administrator has set a temporary password.
    ///
    /// # Errors
    ///
    /// If the user has no password here.
    pub(crate) const fn given_temporary_password(self) -> Result<Self, WrongState> {
        match self {
            Self::ExternalProvider => Err(WrongState(self)),
            _ => Ok(Self::ForceChangePassword),
        }
    }

    /// An administrator wants another password, or the password is known to others.
    ///
    /// # Errors
    ///
    /// If the user has not yet signed up to the end, or has no password here.
    pub(crate) const fn reset(self) -> Result<Self, WrongState> {
        match self {
            Self::Confirmed | Self::ResetRequired => Ok(Self::ResetRequired),
            _ => Err(WrongState(self)),
        }
    }

    /// The user has set a password with a code that was sent (pool §6.3).
    ///
    /// # Errors
    ///
    /// As of [`reset`](Self::reset).
    pub(crate) const fn recovered(self) -> Result<Self, WrongState> {
        match self {
            Self::Confirmed | Self::ResetRequired => Ok(Self::Confirmed),
            _ => Err(WrongState(self)),
        }
    }
}

impl FromStr for Status {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Ok(match text {
            "UNCONFIRMED" => Self::Unconfirmed,
            "CONFIRMED" => Self::Confirmed,
            "FORCE_CHANGE_PASSWORD" => Self::ForceChangePassword,
            // Nothing is documented that leads to COMPROMISED. It asks for the same.
            "RESET_REQUIRED" | "COMPROMISED" => Self::ResetRequired,
            "EXTERNAL_PROVIDER" => Self::ExternalProvider,
            _ => return Err(Error::Malformed("status of a user")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Confirmed, ExternalProvider, ResetRequired};

    #[track_caller]
    fn check(change: fn(Status) -> Result<Status, WrongState>, expected: [Option<Status>; 5]) {
        assert_eq!(Status::ALL.map(|status| change(status).ok()), expected);
        for status in Status::ALL {
            assert!(change(status).is_ok() || change(status) == Err(WrongState(status)));
        }
    }

    #[test]
    fn states_change_as_the_table_says() {
        check(Status::confirmed, [Some(Confirmed), None, None, None, None]);
        let confirmed = Some(Confirmed);
        check(Status::given_password, [confirmed, confirmed, confirmed, confirmed, None]);
        let forced = Some(Status::ForceChangePassword);
        check(Status::given_temporary_password, [forced, forced, forced, forced, None]);
        check(Status::recovered, [None, confirmed, None, confirmed, None]);
        check(Status::reset, [None, Some(ResetRequired), None, Some(ResetRequired), None]);
    }

    #[test]
    fn a_state_that_does_not_fit_is_explained() {
        assert_eq!(
            WrongState(ExternalProvider).to_string(),
            "the user is EXTERNAL_PROVIDER: the user signs in at another provider: there is nothing to confirm here, and the password can be changed only there"
        );
    }

    #[test]
    fn a_state_is_read_as_it_was_written() {
        for status in Status::ALL {
            assert_eq!(status.as_str().parse::<Status>().ok(), Some(status));
            assert_eq!(status.may_have_sessions(), matches!(status, Confirmed | ExternalProvider));
            assert_eq!(status.may_have_password(), status.given_password().is_ok());
        }
        assert_eq!("COMPROMISED".parse::<Status>().ok(), Some(ResetRequired));
        assert!("ARCHIVED".parse::<Status>().is_err());
    }
}
