//! Hashes and verifies passwords on threads that give way to those that serve requests. Limits how many at a time, and how many wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use crate::credential::cost::Cost;
use crate::credential::password::{self, COST, StandIn};
use crate::secret::Secret;

/// Maximum waiting time for a hasher. After that, the user is asked to try again.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// Maximum number of sign-ins that wait for a hasher. Each holds its form of at most 16 KiB: 16 MiB in total.
const WAITING_MAX: usize = 1024;

/// How much lower the priority of a hash is (setpriority(2)). Where requests keep every core busy, hashes still get a tenth.
#[cfg(target_os = "linux")]
const NICENESS: i32 = 10;
/// The lowest priority that there is.
#[cfg(target_os = "linux")]
const NICE_MAX: i32 = 19;

/// The work of all hashers. [`Hasher`]s of several configurations with the same `Hashing` keep one limit together. A clone is the
/// same.
#[derive(Clone, Debug)]
pub struct Hashing {
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

/// Verifies and hashes passwords, so many at a time.
#[derive(Clone, Debug)]
pub struct Hasher {
    hashing: Hashing,
    /// The permits for one password.
    share: u32,
    /// Each attempt does the work of every one of these costs.
    costs: Arc<BTreeSet<Cost>>,
}

/// Too many passwords are waiting, or this one has waited too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sign-ins at once")]
pub struct Busy;

impl Hasher {
    /// Creates a hasher for `at_once` passwords at a time, those of other hashers of `hashing` included. `costs` are those of the hashes of
    /// all users who are known now.
    pub fn new(at_once: usize, costs: BTreeSet<Cost>, hashing: Hashing) -> Self {
        let at_once = u32::try_from(at_once.clamp(1, AT_ONCE_MAX)).expect("AT_ONCE_MAX is a u32");
        Self { hashing, share: WHOLE / at_once, costs: Arc::new(costs) }
    }

    /// Whether `password` matches `hash`. Without a hash, does the same work and returns false (attacks U-01). `others` are costs of more hashes
    /// that users have: their work is done, too.
    ///
    /// # Errors
    ///
    /// [`Busy`] if no hasher is free within [`WAIT_MAX`], and at once if too many are waiting already.
    pub(crate) async fn verify(
        &self,
        hash: Option<Secret<String>>,
        password: Secret<String>,
        others: Vec<Cost>,
    ) -> Result<bool, Busy> {
        let costs = Arc::clone(&self.costs);
        let work = move || {
            let all: BTreeSet<Cost> = costs.iter().copied().chain(others).collect();
            verify_at_every_cost(&all, hash.as_ref(), &password)
        };
        Ok(self.work(work).await?.unwrap_or(false))
    }

    /// Whether `password` matches one of these hashes.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub(crate) async fn is_one_of(&self, hashes: Vec<Secret<String>>, password: Secret<String>) -> Result<bool, Busy> {
        self.work(move || hashes.iter().any(|hash| password::verify(hash, &password))).await?.ok_or(Busy)
    }

    /// Hashes a password that was chosen, as [`password::hash`] does.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub(crate) async fn hash(&self, password: Secret<String>) -> Result<Secret<String>, Busy> {
        self.work(move || password::hash(&password)).await?.ok_or(Busy)
    }

    /// Does something on a thread of low priority, when it is its turn. `None` if it panics.
    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<Option<T>, Busy> {
        let waiting = self.hashing.waiting.try_acquire().map_err(|_| Busy)?;
        let turn = tokio::time::timeout(WAIT_MAX, Arc::clone(&self.hashing.running).acquire_many_owned(self.share));
        let running = turn.await.map_err(|_| Busy)?.map_err(|_| Busy)?;
        drop(waiting);
        let (tell, told) = oneshot::channel();
        // The permit moves into the thread. If the client disconnects, its 19 MiB are still in use until the thread ends.
        let work = move || {
            give_way();
            let done = work();
            drop(running);
            // If the client has left, nobody takes it.
            let _ = tell.send(done);
        };
        // A thread for each password: to start one costs a thousandth of a hash, and a priority that was lowered cannot be raised again
        // without a privilege, so no thread of the runtime can do this.
        std::thread::Builder::new().name("password".into()).spawn(work).map_err(|_| Busy)?;
        Ok(told.await.ok())
    }

    /// Occupies every hasher until the permit is dropped.
    #[cfg(test)]
    pub(crate) async fn block(&self) -> tokio::sync::OwnedSemaphorePermit {
        let all = self.hashing.running.available_permits().try_into().expect("at most WHOLE");
        Arc::clone(&self.hashing.running).acquire_many_owned(all).await.expect("never closed")
    }
}

/// Lowers the priority of the calling thread. Then hashes take the cores that nobody else needs, and a request does not wait for one to end.
fn give_way() {
    // Elsewhere, the priority is that of the whole process.
    #[cfg(target_os = "linux")]
    {
        let nice = rustix::process::getpriority_process(None).map_or(NICENESS, |own| (own + NICENESS).min(NICE_MAX));
        // Where a container forbids that call, the priority alone.
        if let Err(error) = vestibule_priority::give_way(nice).or_else(|_| lower_priority()) {
            tracing::debug!(%error, "cannot lower the priority of a thread that hashes a password");
        }
    }
}

#[cfg(target_os = "linux")]
fn lower_priority() -> std::io::Result<()> {
    rustix::process::nice(NICENESS)?;
    Ok(())
}

/// Verifies `hash`, and a stand-in hash for each other cost. Then the time does not reveal the cost of the user's hash.
fn verify_at_every_cost(costs: &BTreeSet<Cost>, hash: Option<&Secret<String>>, password: &Secret<String>) -> bool {
    let own = hash.and_then(|hash| Some((hash, password::cost(hash).ok()?)));
    // A hash may have a cost that is not among them: it takes the place of one of its kind, or of the first.
    let own_place = own.map(|(_, own)| {
        let is_alike = |cost: &&Cost| std::mem::discriminant(*cost) == std::mem::discriminant(&own);
        costs.get(&own).or_else(|| costs.iter().find(is_alike)).or_else(|| costs.first())
    });
    let mut is_right = false;
    for cost in costs {
        match own {
            Some((hash, _)) if own_place.flatten() == Some(cost) => is_right |= password::verify(hash, password),
            _ => {
                std::hint::black_box(StandIn::new(*cost).verify(password));
            }
        }
    }
    is_right
}

/// The distinct costs of `hashes`; never empty.
pub fn costs<'h>(hashes: impl IntoIterator<Item = &'h Secret<String>>) -> BTreeSet<Cost> {
    let costs: BTreeSet<Cost> = hashes.into_iter().filter_map(|hash| password::cost(hash).ok()).collect();
    if costs.is_empty() { BTreeSet::from([COST]) } else { costs }
}

#[cfg(test)]
mod tests;
