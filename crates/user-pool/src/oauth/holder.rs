//! Whose grant it is, and whether it still counts.

use std::sync::Arc;

use crate::database;
use crate::directory::user::User;
use crate::oauth::error::Error;
use crate::oauth::grant::record::Grant;
use crate::oauth::provider::Provider;
use crate::signin::step::{Step, UnderWay};

/// The user of a grant.
#[derive(Debug)]
pub(super) enum Holder {
    /// The grant counts.
    User(Arc<User>),
    /// The user does not exist any more, was disabled, has another password, or has to do something first.
    Nobody,
    /// A sign-in would ask this user for more today than was proved for the grant.
    NotEnough,
}

impl Holder {
    /// The user, as long as the grant counts.
    ///
    /// # Errors
    ///
    /// `invalid_grant`.
    pub(super) fn user(self) -> Result<Arc<User>, Error> {
        match self {
            Self::User(user) => Ok(user),
            Self::Nobody => Err(Error::NOT_VALID),
            Self::NotEnough => Err(Error::NOT_ENOUGH),
        }
    }
}

impl Provider {
    /// Holds a grant to what a sign-in of its user asks for today (pool §7.2): the user may have got a second factor since, or has to have one now.
    /// The grant is not used up: what is taken back counts again. A mere lifetime, and a factor that nobody asks for, end no grant.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(super) async fn holder(&self, grant: &Grant) -> Result<Holder, database::Error> {
        let under_way = UnderWay {
            subject: grant.subject.clone(),
            username: String::new(),
            fingerprint: grant.fingerprint.clone(),
            proofs: grant.proofs.clone(),
            trusts: false,
            wanted: None,
        };
        Ok(match self.sign_in.next(&under_way).await? {
            Some((user, Step::Done)) => Holder::User(user),
            Some((_, Step::Challenge(_) | Step::SetUp(_))) => Holder::NotEnough,
            Some((_, Step::NotConfirmed | Step::NewPassword | Step::ResetRequired)) | None => Holder::Nobody,
        })
    }
}
