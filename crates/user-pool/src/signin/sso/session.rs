//! A session, as it is in a cookie or in the database.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::signin::proof::Proofs;

/// A session of a user in one browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// `sid` (OpenID Connect Front-Channel Logout §3).
    pub id: String,
    /// `sub`.
    pub(crate) subject: String,
    /// [`fingerprint`](crate::directory::user::User::fingerprint): the session ends with the password.
    pub(crate) fingerprint: String,
    /// When the user was signed in, in seconds.
    pub auth_time: u64,
    /// What the user has proved then.
    #[serde(default = "Proofs::of_before")]
    pub(crate) proofs: Proofs,
    pub(super) expires_at: u64,
}

/// The key under which an ended session is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) subject: &'a str,
    pub(crate) id: &'a str,
    pub(crate) auth_time: u64,
}

impl Session {
    /// When the user was asked, in seconds. `None`: nobody knows.
    pub(crate) fn asked_at(&self) -> Option<u64> {
        self.proofs.asked_at(self.auth_time)
    }

    /// What it is remembered by when it has ended.
    pub(super) fn key(&self) -> Key<'_> {
        Key { subject: &self.subject, id: &self.id, auth_time: self.auth_time }
    }

    /// Whether it is over. A lifetime that has become shorter applies to sessions that began before. One that has become longer does not.
    pub(super) fn is_over(&self, lifetime: Duration, now: Timestamp) -> bool {
        self.expires_at <= now.seconds() || Timestamp::from_seconds(self.auth_time) + lifetime <= now
    }
}

/// A session that has just begun.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) session: Session,
    /// The value of the cookie. It is a new one at every authentication.
    pub(crate) cookie: Secret<String>,
}
