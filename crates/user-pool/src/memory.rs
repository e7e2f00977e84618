//! What a pool remembers at run time. The settings and keys belong to a configuration. The memory belongs to the process.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;

use crate::brand::Used;
use crate::credential::hasher::Hashing;
use crate::endings::declared::Declared;
use crate::events::buffer::EventBuffer;
use crate::identity::endings::Endings;
use crate::messages::limits::Visitors;
use crate::oauth::client_auth::SecretLimits;
use crate::oauth::grant::GrantMemory;
use crate::rate_limit::{Buckets, Limit};
use crate::risk::Risk;
use crate::signin::sso::EndedSessions;
use crate::telemetry::logged_names::LoggedNames;

/// Limit on sign-ins of one user at one client without a password. A browser that opens many tabs causes dozens.
const SILENT_PER_USER_AND_CLIENT: Limit = Limit { burst: 120, interval: Duration::from_secs(1) };
/// Limit on answers of other providers that lead to nothing, per network. Each makes us call the provider.
const PROVIDER_ATTEMPTS: Limit = Limit { burst: 60, interval: Duration::from_secs(1) };
/// Maximum number of buckets.
const BUCKETS_MAX: usize = 100_000;

/// The memory of one pool. Cheap to clone: a clone is the same memory.
///
/// The process creates one for each pool name and issuer, and gives it to the [`UserPool`](super::UserPool) of every configuration
/// that has this pool. Two of them may use it at the same time: requests that are under way finish with the former configuration.
///
/// - The memory is never emptied while the process runs, not even while no configuration has the pool. Otherwise a configuration
///   that is taken back would make redeemed codes and ended sessions valid again.
/// - It has no settings. Lifetimes and `hashing_max` are those of the configuration that uses it.
/// - Entries are found by user, client and random IDs. They do not depend on keys, so keys can be replaced.
/// - Another issuer is another pool and has a memory of its own.
/// - Each part has a bound of its own.
#[derive(Clone, Debug)]
pub struct PoolMemory {
    /// Redeemed codes and used refresh tokens.
    pub(super) grants: GrantMemory,
    /// Single-sign-on sessions that ended by a sign-out.
    pub(super) ended: Arc<EndedSessions>,
    /// What the sessions and tokens of the pool are held against, wherever in this process they are used.
    pub endings: Arc<Endings>,
    /// Events that wait to be written.
    pub(super) events: Arc<EventBuffer>,
    /// The users of the configuration in force.
    pub(super) declared: Arc<Declared>,
    /// Sign-ins without a password.
    pub(super) silent: Arc<Mutex<Buckets>>,
    /// Answers of other providers that led to nothing, by the networks of the browsers that brought them.
    pub(super) provider_attempts: Arc<Mutex<Buckets>>,
    /// Wrong client secrets, and addresses of clients.
    pub(super) secrets: Arc<SecretLimits>,
    /// Failed sign-ins, and addresses of users.
    pub(super) risk: Arc<Risk>,
    /// What own sign-in pages have used.
    pub(super) used: Arc<Used>,
    /// Passwords that are being hashed.
    pub(super) hashing: Hashing,
    /// Wakes the task that sends messages.
    pub messages_added: Arc<Notify>,
    /// What visitors have asked for within the last hour.
    pub(crate) visitors: Arc<Visitors>,
    /// Mistakes of relying parties that were already logged.
    pub(super) logged: Arc<LoggedNames>,
}

impl Default for PoolMemory {
    /// Remembers nothing.
    fn default() -> Self {
        Self {
            grants: GrantMemory::default(),
            ended: Arc::default(),
            endings: Arc::default(),
            events: Arc::default(),
            declared: Arc::default(),
            silent: Arc::new(Mutex::new(Buckets::new(SILENT_PER_USER_AND_CLIENT, BUCKETS_MAX))),
            provider_attempts: Arc::new(Mutex::new(Buckets::new(PROVIDER_ATTEMPTS, BUCKETS_MAX))),
            secrets: Arc::new(SecretLimits::new()),
            risk: Arc::new(Risk::new()),
            used: Arc::default(),
            hashing: Hashing::default(),
            messages_added: Arc::default(),
            visitors: Arc::default(),
            logged: Arc::default(),
        }
    }
}
