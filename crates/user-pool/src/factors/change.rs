//! What users change of their factors. Each function is one use case inside of a transaction: with the audit, and with what ends by it.
//!
//! Browsers that were trusted end when a factor is replaced or removed: whoever has had it may have trusted one. A new factor ends nothing.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::credential::totp::Seed;
use crate::database::{Error, Transaction, Value};
use crate::directory::user::User;
use crate::events::audit::{Actor, AuditRows, Done};
use crate::factors::owned::{self, Owned};
use crate::factors::rows::Factors;
use crate::factors::rules::{Stays, may_keep};
use crate::factors::settings::Settings;
use crate::factors::{browsers, passkeys, totp};

/// What is removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The one-time passwords of an app.
    App,
    /// The passkey with this [`id`](passkeys::ListedPasskey::id).
    Passkey(String),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removed {
    Yes,
    /// The user has no such factor.
    NotThere,
    /// The user needs it.
    No(Stays),
}

/// What became of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppSet {
    /// It is the first one. `has_codes`: the user got the new recovery codes, too, and had none.
    New { has_codes: bool },
    /// It takes the place of another one, which counts no more. Recovery codes stay.
    Replaced,
}

impl Removal {
    fn detail(&self) -> &'static str {
        match self {
            Self::App => "totp",
            Self::Passkey(_) => "passkey",
        }
    }

    /// Why the user cannot remove it. `None`: the user can, or does not have it.
    pub(crate) fn refused(&self, user: &User, owned: &Owned, settings: &Settings) -> Option<Stays> {
        may_keep(user, owned, &self.rest(owned)?, settings).err()
    }

    /// What the user has without it. `None`: the user does not have it.
    fn rest(&self, of: &Owned) -> Option<Owned> {
        let mut rest = of.clone();
        match self {
            Self::App => rest.app_since = None,
            Self::Passkey(id) => rest.passkeys.retain(|passkey| passkey.id != *id),
        }
        rest.factors = owned::kinds(rest.app_since, &rest.passkeys);
        (rest != *of).then_some(rest)
    }
}

impl Factors {
    /// Removes a factor of a user, if the user can do without it.
    pub(crate) fn remove(
        &self,
        on: &mut Transaction<'_>,
        user: &User,
        (what, settings): (&Removal, &Settings),
        now: Timestamp,
    ) -> Result<Removed, Error> {
        let owned = self.of(on, user.subject())?;
        let Some(rest) = what.rest(&owned) else { return Ok(Removed::NotThere) };
        if let Err(stays) = may_keep(user, &owned, &rest, settings) {
            return Ok(Removed::No(stays));
        }
        let is_removed = remove(on, &self.pool, user.subject(), what)?;
        self.record(on, user, ("factor.remove", what.detail()), now)?;
        Ok(if is_removed { Removed::Yes } else { Removed::NotThere })
    }

    /// Gives a user an app, or another one in the place of a former one. A code of it was typed: that of `step`, which is used up. `hashes` are of new recovery
    /// codes, for a user who has none.
    pub(crate) fn set_app(
        &self,
        on: &mut Transaction<'_>,
        user: &User,
        (seed, step): (&Seed, u64),
        hashes: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<AppSet, Error> {
        let owned = self.of(on, user.subject())?;
        self.set_totp(on, user.subject(), (seed, step), now)?;
        if owned.app_since.is_some() {
            browsers::forget_all(on, &self.pool, user.subject())?;
            self.record(on, user, ("factor.replace", "totp"), now)?;
            return Ok(AppSet::Replaced);
        }
        self.record(on, user, ("factor.add", "totp"), now)?;
        let has_codes = owned.recovery_codes == 0;
        if has_codes {
            self.set_recovery_codes(on, user.subject(), hashes)?;
        }
        Ok(AppSet::New { has_codes })
    }

    /// Gives a user other recovery codes. The former ones count no more. `false`: the user has no app and no passkey that they could take the place of.
    pub(crate) fn renew_recovery_codes(
        &self,
        on: &mut Transaction<'_>,
        user: &User,
        hashes: &[[u8; 32]],
        now: Timestamp,
    ) -> Result<bool, Error> {
        if self.of(on, user.subject())?.factors.is_empty() {
            return Ok(false);
        }
        self.set_recovery_codes(on, user.subject(), hashes)?;
        self.record(on, user, ("factor.replace", "recovery codes"), now)?;
        Ok(true)
    }

    fn record(
        &self,
        on: &mut Transaction<'_>,
        user: &User,
        (operation, detail): (&'static str, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let done = Done { operation, subject: Some(user.subject()), detail: Some(detail) };
        AuditRows { pool: Arc::clone(&self.pool) }.record(on, &Actor::User, done, now)
    }
}

/// Removes a factor of a user of this pool, and what goes with it: trusted browsers, and recovery codes that have nothing to take the place of. `false` if the
/// user has no such factor. Asks for nothing else: see [`Factors::remove`].
pub(crate) fn remove(on: &mut Transaction<'_>, pool: &str, subject: &str, what: &Removal) -> Result<bool, Error> {
    let is_removed = match what {
        Removal::App => totp::remove(on, pool, subject)?,
        Removal::Passkey(id) => passkeys::remove(on, pool, subject, id)?,
    };
    if is_removed {
        browsers::forget_all(on, pool, subject)?;
        if owned::owned(on, pool, subject)?.factors.is_empty() {
            let sql = "DELETE FROM recovery_codes WHERE pool = ?1 AND sub = ?2";
            on.execute(sql, &[Value::from(pool), subject.into()])?;
        }
    }
    Ok(is_removed)
}
