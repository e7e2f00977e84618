//! Argon2id password hashes (RFC 9106) in PHC format. Hashing runs on the blocking pool, with a limit on the number at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use argon2::password_hash::{
    Ident, ParamsString, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Salt, SaltString,
};
use argon2::{Algorithm, Argon2, Params, Version};
use icu_normalizer::ComposingNormalizerBorrowed;
use tokio::sync::Semaphore;

use crate::crypto::octets;
use crate::secret::Secret;

/// The parameters that OWASP recommends first for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// The most expensive hash that is verified. A more expensive one would let a single sign-in use up the machine.
const MEMORY_MAX_KIB: u32 = 262_144;
const PASSES_MAX: u32 = 16;
const LANES_MAX: u32 = 8;

/// Maximum length of a password in bytes. NIST SP 800-63B §3.1.1.2 requires at least 64 characters.
pub(crate) const PASSWORD_MAX_BYTES: usize = 1024;

/// Maximum waiting time for a hasher. After that, the user is asked to try again.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Maximum number of sign-ins that wait for a hasher. Each holds its form of at most 16 KiB: 16 MiB in total.
const WAITING_MAX: usize = 1024;

/// Why a hash cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Not PHC text.
    #[error("not a password hash in PHC form (`$argon2id$v=19$m=…`)")]
    NotPhc,
    /// PHC text of another algorithm, or without salt or hash.
    #[error("not an Argon2id hash of version 19")]
    NotArgon2id,
    /// More expensive than the maximum.
    #[error("the hash costs more than m=262144 (KiB), t=16, p=8")]
    TooCostly,
}

/// Hashes a password for the configuration: Argon2id, m=19456, t=2, p=1, in PHC format. Takes tens of milliseconds.
pub(crate) fn hash(password: &Secret<String>) -> Secret<String> {
    let salt = SaltString::encode_b64(&octets::random::<16>()).expect("16 bytes are a salt");
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("OWASP's parameters are valid");
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let text = normal(password);
    let hash = argon2.hash_password(text.expose().as_bytes(), salt.as_salt()).expect("valid parameters and salt");
    Secret::new(hash.to_string())
}

/// Whether `password` matches the hash. A hash that [`check`] refuses matches no password.
pub(crate) fn verify(hash: &Secret<String>, password: &Secret<String>) -> bool {
    if password.expose().len() > PASSWORD_MAX_BYTES || check(hash).is_err() {
        return false;
    }
    let Ok(hash) = PasswordHash::new(hash.expose()) else { return false };
    Argon2::default().verify_password(normal(password).expose().as_bytes(), &hash).is_ok()
}

/// Checks that [`verify`] accepts a hash of the configuration.
///
/// # Errors
///
/// See [`Error`].
pub(crate) fn check(hash: &Secret<String>) -> Result<(), Error> {
    cost(hash).map(|_| ())
}

/// The cost of a hash: memory in KiB, passes, lanes.
pub(crate) type Cost = (u32, u32, u32);

/// The cost of what [`hash`] makes.
pub(crate) const COST: Cost = (MEMORY_KIB, PASSES, LANES);

fn cost(hash: &Secret<String>) -> Result<Cost, Error> {
    let hash = PasswordHash::new(hash.expose()).map_err(|_| Error::NotPhc)?;
    let is_complete = hash.salt.is_some() && hash.hash.is_some();
    if hash.algorithm != Ident::new_unwrap("argon2id") || hash.version != Some(19) || !is_complete {
        return Err(Error::NotArgon2id);
    }
    let params = Params::try_from(&hash).map_err(|_| Error::NotArgon2id)?;
    let cost = (params.m_cost(), params.t_cost(), params.p_cost());
    if cost.0 > MEMORY_MAX_KIB || cost.1 > PASSES_MAX || cost.2 > LANES_MAX { Err(Error::TooCostly) } else { Ok(cost) }
}

/// Normalizes to NFC (RFC 8265 §4.2.2), because keyboards produce different code points for the same character.
pub(super) fn normal(password: &Secret<String>) -> Secret<String> {
    const NFC: ComposingNormalizerBorrowed<'static> = ComposingNormalizerBorrowed::new_nfc();
    Secret::new(NFC.normalize(password.expose()).into_owned())
}

/// The work of all hashers. [`Hasher`]s of several configurations with the same `Hashing` keep one limit together. A clone is the
/// same.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    /// A hasher that allows `n` passwords at a time takes `1/n` of [`WHOLE`] for each. So two hashers with different limits never
    /// exceed the larger one, and the permits need not be counted anew for another limit.
    running: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// All permits of [`Hashing::running`].
const WHOLE: u32 = 1 << 30;
/// The largest limit for which `WHOLE / limit` permits are too many for one password more.
const AT_ONCE_MAX: usize = (1 << 15) - 1;

impl Default for Hashing {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(WHOLE as usize)), waiting: Arc::new(Semaphore::new(WAITING_MAX)) }
    }
}

/// Verifies passwords on the blocking pool. Limits how many are hashed at the same time and how many wait.
#[derive(Clone, Debug)]
pub(crate) struct Hasher {
    hashing: Hashing,
    /// The permits for one password.
    share: u32,
    /// One stand-in hash for each cost that occurs among the users. Each attempt does the work of every cost.
    stand_ins: Arc<[StandIn]>,
}

/// A hash that matches no password, and its cost.
#[derive(Debug)]
struct StandIn {
    cost: Cost,
    hash: Secret<String>,
}

/// Too many passwords are waiting, or this one has waited too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once")]
pub(crate) struct Busy;

impl Hasher {
    /// Creates a hasher for `at_once` passwords at a time, those of other hashers of `hashing` included. `costs` are those of the hashes of
    /// all users.
    pub(crate) fn new(at_once: usize, costs: BTreeSet<Cost>, hashing: Hashing) -> Self {
        let at_once = u32::try_from(at_once.clamp(1, AT_ONCE_MAX)).expect("AT_ONCE_MAX is a u32");
        Self {
            hashing,
            share: WHOLE / at_once,
            stand_ins: costs.into_iter().map(|cost| StandIn { cost, hash: stand_in(cost) }).collect(),
        }
    }

    /// Whether `password` matches `hash`. Without a hash, does the same work and returns false (attacks U-01).
    ///
    /// # Errors
    ///
    /// [`Busy`] if no hasher is free within [`WAIT_MAX`], and at once if too many are waiting already.
    pub(crate) async fn verify(&self, hash: Option<Secret<String>>, password: Secret<String>) -> Result<bool, Busy> {
        let stand_ins = Arc::clone(&self.stand_ins);
        let is_right = self.work(move || verify_at_every_cost(&stand_ins, hash.as_ref(), &password)).await?;
        Ok(is_right.unwrap_or(false))
    }

    /// Hashes a password that was chosen, as [`hash`] does.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub(crate) async fn hash(&self, password: Secret<String>) -> Result<Secret<String>, Busy> {
        self.work(move || hash(&password)).await?.ok_or(Busy)
    }

    /// Does something on the blocking pool, when it is its turn. `None` if it panics.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>, Busy> {
        let waiting = self.hashing.waiting.try_acquire().map_err(|_| Busy)?;
        let turn = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.hashing.running).acquire_many_owned(self.share));
        let running = turn.await.map_err(|_| Busy)?.map_err(|_| Busy)?;
        drop(waiting);
        // The permit moves into the task. If the client disconnects, its 19 MiB are still in use until the task ends.
        let work = move || {
            let done = work();
            drop(running);
            done
        };
        Ok(tokio::task::spawn_blocking(work).await.ok())
    }

    /// Occupies every hasher until the permit is dropped.
    #[cfg(test)]
    pub(crate) async fn block(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = self.hashing.running.available_permits().try_into().expect("at most WHOLE");
        Arc::clone(&self.hashing.running).acquire_many_owned(all).await.expect("never closed")
    }
}

/// Verifies `hash`, and a stand-in hash for each other cost. Then the time does not reveal the cost of the user's hash.
fn verify_at_every_cost(stand_ins: &[StandIn], hash: Option<&Secret<String>>, password: &Secret<String>) -> bool {
    let own = hash.and_then(|hash| Some((hash, cost(hash).ok()?)));
    // A stored hash may have a cost that none of the configuration has: the place of the first is as good as any.
    let place = own.map_or(0, |(_, cost)| stand_ins.iter().position(|stand_in| stand_in.cost == cost).unwrap_or(0));
    let mut is_right = false;
    for (index, stand_in) in stand_ins.iter().enumerate() {
        match own {
            Some((hash, _)) if index == place => is_right |= verify(hash, password),
            _ => {
                std::hint::black_box(verify(&stand_in.hash, password));
            }
        }
    }
    is_right
}

/// The distinct costs of `hashes`; never empty.
pub(crate) fn costs<'h>(hashes: impl IntoIterator<Item = &'h Secret<String>>) -> BTreeSet<Cost> {
    let costs: BTreeSet<Cost> = hashes.into_iter().filter_map(|hash| cost(hash).ok()).collect();
    if costs.is_empty() { BTreeSet::from([COST]) } else { costs }
}

/// A hash with this cost and with random salt and output, so that no known password matches.
fn stand_in((memory, passes, lanes): Cost) -> Secret<String> {
    let salt = SaltString::encode_b64(&octets::random::<16>()).expect("16 bytes are a salt");
    let params = Params::new(memory, passes, lanes, None).expect("the costs of a hash that was read");
    let hash = PasswordHash {
        algorithm: Ident::new_unwrap("argon2id"),
        version: Some(19),
        params: ParamsString::try_from(&params).expect("parameters have a text"),
        salt: Some(Salt::from(&salt)),
        hash: argon2::password_hash::Output::new(&octets::random::<32>()).ok(),
    };
    Secret::new(hash.to_string())
}

#[cfg(test)]
pub(crate) mod tests;
