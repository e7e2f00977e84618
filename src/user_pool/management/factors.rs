//! What an administrator does with second factors.

use crate::user_pool::factors::{self, Owned};
use crate::user_pool::management::users::{Error, Management};

impl Management {
    /// What a user has set up. `who` may also be the `sub` of a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn factors(&self, who: &str) -> Result<Owned, Error> {
        let (users, key) = (self.clone(), who.to_owned());
        let (is_user, owned) = self
            .stored
            .database
            .read(move |on| {
                let user = users.find_any(on, &key)?;
                let subject = user.as_ref().map_or(&key, |user| &user.subject);
                Ok((user.is_some(), factors::owned(on, &users.stored.records.pool, subject)?))
            })
            .await?;
        if is_user || owned != Owned::default() { Ok(owned) } else { Err(Error::NoUser(who.to_owned())) }
    }

    /// Removes everything that a user has set up, for a user who has lost it: one-time passwords and recovery codes.
    /// `who` may also be the `sub` of a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn reset_factors(&self, who: &str) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        self.decide(move |on| {
            let user = users.find_any(on, &key)?;
            let subject = user.as_ref().map_or(&key, |user| &user.subject);
            let had_some = factors::forget(on, &users.stored.records.pool, subject)?;
            Ok(if user.is_some() || had_some { Ok(()) } else { Err(Error::NoUser(key)) })
        })
        .await
    }
}
