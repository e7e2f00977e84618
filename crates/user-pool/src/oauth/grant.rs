//! Grants: what a relying party may access for a user, from the code to the last refresh token. Start at [`Grants`].
//!
//! A pool with a database has them there ([`stored`]). Without one, they are encrypted values ([`sealed`]).

pub(crate) mod record;

mod rates;
mod sealed;
mod stored;

use crate::clock::Timestamp;
use crate::database;
use crate::directory::StoredUsers;
use crate::oauth::lifetimes::ClientLifetimes;
use crate::seal::Seal;
use crate::secret::Secret;
use crate::seen::Seen;

use record::{Fault, Grant, Pending, Presented, Redeemed, Refused, Revoked, Standing};
pub(crate) use sealed::GrantMemory;
use sealed::SealedGrants;
use stored::StoredGrants;

/// Codes and refresh tokens.
#[derive(Debug)]
pub(crate) enum Grants {
    Sealed(SealedGrants),
    Stored(StoredGrants),
}

/// A refresh token that was read and not used up.
#[derive(Debug)]
pub(crate) enum RefreshToken {
    Sealed(sealed::RefreshToken),
    Stored(stored::StoredToken),
}

impl RefreshToken {
    /// What it is for.
    pub(crate) fn grant(&self) -> &Grant {
        match self {
            Self::Sealed(token) => token.grant(),
            Self::Stored(token) => token.grant(),
        }
    }

    /// Whether it was not replaced by another one.
    pub(crate) fn is_good(&self) -> bool {
        match self {
            Self::Sealed(_) => true,
            Self::Stored(token) => token.is_good(),
        }
    }

    /// When it expires.
    pub(crate) fn expires_at(&self) -> Timestamp {
        match self {
            Self::Sealed(token) => token.expires_at(),
            Self::Stored(token) => token.expires_at(),
        }
    }
}

impl Grants {
    /// Uses `memory`, which other configurations of this process use as well, and the database, if the pool has one.
    pub(crate) fn new(
        seal: Seal,
        lifetimes: ClientLifetimes,
        memory: GrantMemory,
        stored: Option<&StoredUsers>,
    ) -> Self {
        match stored {
            Some(stored) => Self::Stored(StoredGrants::new(stored, lifetimes, memory.rates)),
            None => Self::Sealed(SealedGrants::new(seal, lifetimes, memory)),
        }
    }

    /// Issues a code. `None` if the session has ended meanwhile.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn issue(
        &self,
        pending: Pending,
        now: Timestamp,
    ) -> Result<Option<Secret<String>>, database::Error> {
        match self {
            Self::Sealed(sealed) => Ok(Some(sealed.issue(pending, now))),
            Self::Stored(stored) => stored.issue(pending, now).await,
        }
    }

    /// Redeems a code. Works once.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) async fn redeem(
        &self,
        presented: &Presented<'_>,
        seen: Seen,
        now: Timestamp,
    ) -> Result<Redeemed, Fault> {
        match self {
            Self::Sealed(sealed) => Ok(sealed.redeem(presented, now)?),
            Self::Stored(stored) => stored.redeem(presented, seen, now).await,
        }
    }

    /// What a code of this pool is for. It may have expired or been used; it is not used up.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn grant_of_code(&self, code: &str) -> Result<Option<Grant>, database::Error> {
        match self {
            Self::Sealed(sealed) => Ok(sealed.grant_of_code(code)),
            Self::Stored(stored) => stored.grant_of_code(code).await,
        }
    }

    /// Reads a refresh token of this client. It is not used up. `scope` is the requested scope, if the request has one.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) async fn open_refresh_token(
        &self,
        token: &str,
        client_id: &str,
        scope: Option<&str>,
        now: Timestamp,
    ) -> Result<RefreshToken, Fault> {
        match self {
            Self::Sealed(sealed) => Ok(RefreshToken::Sealed(sealed.open_refresh_token(token, client_id, scope, now)?)),
            Self::Stored(stored) => Ok(RefreshToken::Stored(stored.open(token, client_id, scope, now).await?)),
        }
    }

    /// Uses a refresh token and issues the next one.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub(crate) async fn refresh(&self, token: RefreshToken, seen: Seen, now: Timestamp) -> Result<Redeemed, Fault> {
        match (self, token) {
            (Self::Sealed(sealed), RefreshToken::Sealed(token)) => Ok(sealed.refresh(token, now)?),
            (Self::Stored(stored), RefreshToken::Stored(token)) => stored.refresh(token, seen, now).await,
            _ => Err(Refused::Invalid.into()),
        }
    }

    /// Ends the family of a refresh token. Only a pool with a database can.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn revoke(
        &self,
        token: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Revoked, database::Error> {
        match self {
            Self::Sealed(_) => Ok(Revoked::Unknown),
            Self::Stored(stored) => stored.revoke(token, client_id, now).await,
        }
    }

    /// Counts a token that a client asks for itself.
    ///
    /// # Errors
    ///
    /// [`Refused::TooMany`].
    pub(crate) fn count_client(&self, client_id: &str, now: Timestamp) -> Result<(), Refused> {
        let rates = match self {
            Self::Sealed(sealed) => sealed.rates(),
            Self::Stored(stored) => stored.rates(),
        };
        rates.count_client(client_id, now)
    }

    /// How it is with a family. `owner` is [`Grant::owner`].
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn family(
        &self,
        owner: (&str, &str),
        family: &str,
        now: Timestamp,
    ) -> Result<Standing, database::Error> {
        match self {
            Self::Sealed(sealed) if sealed.is_revoked(owner, family, now) => Ok(Standing::Revoked),
            Self::Sealed(_) => Ok(Standing::NotRevoked),
            Self::Stored(stored) => {
                let alive = stored.family(family, now).await?.filter(|grant| grant.owner() == owner);
                Ok(alive.map_or(Standing::Revoked, |grant| Standing::Alive(Box::new(grant))))
            }
        }
    }
}
