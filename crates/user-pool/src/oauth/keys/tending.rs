//! Makes the keys of a pool, and replaces them in time.
//!
//! Each process does this by itself and looks into the database every minute. Two processes of a takeover agree, because each change is one
//! transaction that does nothing where the other was first.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, Timestamp};
use crate::database::{self, Database, Place, Vault};
use crate::directory::StoredUsers;
use crate::jose::signing_key::{self, Algorithm, PublicKey, SigningKey};
use crate::message::causes::with_causes;
use crate::oauth::keys::key::{KeyRow, NewKey, State};
use crate::oauth::keys::plan::{self, Step};
use crate::oauth::keys::ring::{KeyRing, Keys, WatchedKeys};
use crate::oauth::keys::rows::KeyRows;
use crate::secret::Secret;

/// How often the database is looked into.
const INTERVAL: Duration = Duration::from_secs(60);
/// Number of steps at a time. With two algorithms there are never so many.
const STEPS_MAX: usize = 16;

/// The keys of a pool in its database.
#[derive(Debug)]
pub struct StoredKeys {
    database: Arc<Database>,
    rows: KeyRows,
    vault: Vault,
    algorithms: Vec<Algorithm>,
    clock: Clock,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database fails.
    #[error("the keys that sign tokens cannot be read from the database or written to it")]
    Database(#[from] database::Error),
    /// A key cannot be read.
    #[error("a key of the database cannot be used")]
    Key(#[from] signing_key::Error),
    /// No thread makes a key.
    #[error("a key cannot be made: {0}")]
    Thread(String),
}

impl StoredKeys {
    /// The keys for these algorithms. The first signs access tokens.
    pub fn new(stored: &StoredUsers, vault: Vault, algorithms: Vec<Algorithm>, clock: Clock) -> Self {
        let rows = KeyRows::new(Arc::clone(&stored.records.pool));
        Self { database: Arc::clone(&stored.database), rows, vault, algorithms, clock }
    }

    /// Reads the keys, and makes those that are missing, which takes up to a second for RSA. Blocks; not to be called on a thread of a runtime.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn load(&self) -> Result<Keys, Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| Error::Thread(error.to_string()))?;
        runtime.block_on(self.tend()).map(Keys::new)
    }

    /// Keeps `keys` as the database has them, and the database as the plan says, as long as anybody uses them.
    pub async fn keep(self, keys: WatchedKeys) {
        loop {
            tokio::time::sleep(INTERVAL).await;
            if !keys.are_used() {
                return;
            }
            match self.tend().await {
                Ok(ring) => {
                    keys.replace(ring);
                }
                // The keys of before go on.
                Err(error) => {
                    let error = with_causes(&error);
                    tracing::error!(
                        pool = self.rows.pool(),
                        error,
                        "the keys of a user pool cannot be read or replaced"
                    );
                }
            }
        }
    }

    /// Every key that is published, the oldest first.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn list(&self) -> Result<Vec<KeyRow>, Error> {
        let rows = self.rows.clone();
        Ok(self.database.read(move |on| rows.all(on)).await?)
    }

    /// Has the keys that sign replaced as soon as others were published for a day.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn replace_soon(&self) -> Result<(), Error> {
        let (rows, now) = (self.rows.clone(), self.clock.now());
        Ok(self.database.write(move |on| rows.replace_soon(on, now)).await?)
    }

    /// Removes all keys, because somebody else may have them. No token of before is valid any more. A process that serves makes others within a minute.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn revoke(&self) -> Result<(), Error> {
        let rows = self.rows.clone();
        Ok(self.database.write(move |on| rows.revoke_all(on)).await?)
    }

    /// Does what has to be done, and returns the keys.
    pub async fn tend(&self) -> Result<KeyRing, Error> {
        for _ in 0..STEPS_MAX {
            let (rows, now) = (self.rows.clone(), self.clock.now());
            let keys = self.database.read(move |on| rows.all(on)).await?;
            match plan::next(&keys, &self.algorithms, now) {
                Some(step) => self.take(step, now).await?,
                None => return self.ring(&keys),
            }
        }
        Err(Error::Thread("the plan has no end".into()))
    }

    async fn take(&self, step: Step, now: Timestamp) -> Result<(), Error> {
        let rows = self.rows.clone();
        match step {
            Step::Make(algorithm, state) => {
                let new = self.made(algorithm).await?;
                tracing::info!(
                    pool = self.rows.pool(),
                    kid = new.kid,
                    alg = algorithm.name(),
                    state = state.as_str(),
                    "a key was made"
                );
                self.database.write(move |on| rows.add(on, &new, state, now)).await?;
            }
            Step::Promote(algorithm) => self.database.write(move |on| rows.promote(on, algorithm, now)).await?,
            Step::Retire(kid) => self.database.write(move |on| rows.retire(on, &kid)).await?,
        }
        Ok(())
    }

    /// A new key, made on a thread where it holds nobody up.
    async fn made(&self, algorithm: Algorithm) -> Result<NewKey, Error> {
        let make = move || match algorithm {
            Algorithm::Es256 => SigningKey::generate_pem(),
            Algorithm::Rs256 => SigningKey::generate_rsa_pem(),
        };
        let made = tokio::task::spawn_blocking(make).await;
        let private = made.map_err(|error| Error::Thread(error.to_string()))?;
        let key = SigningKey::from_pem(&private)?;
        let sealed = self.vault.seal(private.expose().as_bytes(), &place(&[self.rows.pool(), key.kid()]));
        Ok(NewKey { kid: key.kid().to_owned(), algorithm, public: key.public().pem().to_owned(), sealed })
    }

    fn ring(&self, keys: &[KeyRow]) -> Result<KeyRing, Error> {
        let current =
            |algorithm: &Algorithm| keys.iter().find(|key| key.algorithm == *algorithm && key.state == State::Current);
        let signing: Vec<&KeyRow> = self.algorithms.iter().filter_map(current).collect();
        let others = keys.iter().filter(|key| signing.iter().all(|other| other.kid != key.kid));
        let others = others.map(|key| PublicKey::from_pem(&Secret::new(key.public.clone())));
        let others = others.collect::<Result<Vec<_>, _>>()?;
        let signing = signing.iter().map(|key| self.opened(key)).collect::<Result<Vec<_>, _>>()?;
        Ok(KeyRing::new(signing, others))
    }

    fn opened(&self, key: &KeyRow) -> Result<SigningKey, Error> {
        let sealed = key.sealed.as_deref().unwrap_or_default();
        let opened = self.vault.open(sealed, &place(&[self.rows.pool(), &key.kid]))?;
        let text = String::from_utf8(opened.expose().clone()).map_err(|_| signing_key::Error::NotPem)?;
        Ok(SigningKey::from_pem(&Secret::new(text))?)
    }
}

/// Where a private key is.
const fn place<'r>(row: &'r [&'r str]) -> Place<'r> {
    Place { table: "keys", column: "sealed", row }
}

#[cfg(test)]
mod tests;
