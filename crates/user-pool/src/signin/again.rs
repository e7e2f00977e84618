//! Asks a user who is signed in for the password again.

use std::time::Duration;

use crate::directory::user::User;
use crate::risk::{Guess, Origin, Refused};
use crate::secret::Secret;
use crate::signin::password::SignIn;
use crate::signin::second::From;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Right,
    Wrong,
    /// Too many attempts. The next one is permitted after this time.
    TooMany(Duration),
    /// Too many passwords are being verified at the moment.
    Busy,
}

impl SignIn {
    /// Verifies the password of this user, in the limits of a sign-in: who has taken over a session gets no guesses besides those. If the future is
    /// dropped, the attempt stays counted as failed.
    pub(crate) async fn password_again(
        &self,
        user: &User,
        password: Secret<String>,
        (client, known): From<'_>,
    ) -> Again {
        let known = known.filter(|known| known.is_of(user));
        let from = Origin { address: client, browser: known.map(|known| &*known.id) };
        let attempt = match self.risk.begin(user.name(), from, Guess::Password, &self.clock).await {
            Ok(attempt) => attempt,
            Err(Refused::TooMany(wait)) => return Again::TooMany(wait),
            Err(Refused::Busy) => return Again::Busy,
        };
        let Ok(is_right) = self.hasher.verify(user.password_hash().cloned(), password, vec![]).await else {
            attempt.not_made();
            return Again::Busy;
        };
        // Who guesses here guesses at all names of the user.
        if !self.risk.may_be_right(user.name(), from, is_right, self.clock.now()) {
            return Again::Wrong;
        }
        attempt.succeeded();
        Again::Right
    }
}
