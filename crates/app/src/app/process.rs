//! What lives as long as the process, and survives every change of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::action::authenticate::ProcessState;
use crate::app::kept::Kept;
use crate::app::pool_tasks::PoolTasks;
use crate::app::traces::Traces;
use crate::certificate::acme::renewal::Renewal;
use crate::clock::Clock;
use crate::config::{ProviderConfig, ShutdownConfig};
use crate::database::{Database, Others};
use crate::drain::Control;
use crate::listener::tls::ProcessTls;
use crate::message::cookie::NamePattern;
use crate::message::forwarded::Policy;
use crate::oidc;
use crate::service_manager::ServiceManager;
use crate::socket::foreign::ForeignSockets;
use crate::telemetry::logged_names::LoggedNames;
use crate::telemetry::metrics::{Counter, Registry};
use crate::upstream::health::checker::Checker;
use crate::upstream::name::Resolver;
use crate::upstream::target_table::TargetTable;
use crate::user_pool::PoolMemory;
use crate::user_pool::endings::reader::EndingReader;

/// One per process. Each [`Generation`](crate::app::generation::Generation) is made from it.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) clock: Clock,
    pub(crate) registry: Registry,
    pub(crate) control: Control,
    /// Sessions that ended before their time, refreshes in progress, redeemed codes.
    pub(crate) sessions: ProcessState,
    /// The clients of external providers, with the metadata and keys that they have fetched.
    pub(crate) relying_parties: Kept<ProviderConfig, oidc::RelyingParty>,
    /// What each user pool remembers, by its issuer: what a pool has issued names that, and not the name in the file. Never forgotten: what was ended stays ended, also if a configuration leaves
    /// the pool out for a while.
    pool_memories: Mutex<BTreeMap<String, PoolMemory>>,
    /// The databases of user pools, by their files.
    pub(crate) databases: Kept<PathBuf, Database>,
    /// What publishes endings from a database: by its file, the pool, and the issuer of the pool.
    pub(crate) ending_readers: Kept<(PathBuf, Arc<str>, String), EndingReader>,
    /// What sends the messages of user pools, and deletes what has expired.
    pub(crate) pool_tasks: PoolTasks,
    /// Who else may have them open.
    pub(crate) others: Others,
    /// Keys for TLS session tickets of listeners that name no files, and what ACME has obtained.
    pub(crate) tls: ProcessTls,
    /// Obtains certificates by ACME.
    pub(crate) renewal: Arc<Renewal>,
    /// What records requests as traces.
    pub(crate) traces: Traces,
    /// Targets with what is known of them.
    pub(crate) targets: Arc<TargetTable>,
    /// Targets whose cookies were already reported in the log.
    pub(crate) told: Arc<LoggedNames>,
    /// How the process stops, as the configuration in force says.
    pub(crate) shutdown: Mutex<ShutdownConfig>,
    /// Who has started the process, if it wants to be told.
    pub(crate) manager: OnceLock<ServiceManager>,
    /// Listening sockets that this process cannot bind itself.
    pub(crate) foreign: ForeignSockets,
    /// Whether another process has taken the listening sockets over.
    pub(crate) has_successor: AtomicBool,
    /// What listeners believe of `X-Forwarded-*`, by their names. An open connection whose policy is the same object needs no check.
    pub(crate) policies: Kept<(Arc<str>, Policy), Policy>,
    /// A browser may still send them, and a target must not get what a later configuration may take.
    pub(crate) cookie_names: Mutex<CookieNames>,
    /// The number of configurations that requests still use.
    pub(crate) generations: Counter,
}

/// The names of cookies of ours that any configuration had.
#[derive(Debug, Default)]
pub(crate) struct CookieNames {
    /// The base names of session cookies.
    pub(crate) bases: BTreeSet<Arc<str>>,
    /// Whether there was a user pool.
    pub(crate) has_pool: bool,
    /// Those of stickiness. There are only as many as formats have.
    pub(crate) stickiness: BTreeSet<NamePattern>,
}

impl Process {
    pub(crate) fn new(clock: Clock, registry: Registry, control: Control, shutdown: ShutdownConfig) -> Self {
        let tls = ProcessTls::new();
        Self {
            sessions: ProcessState::new(&registry),
            relying_parties: Kept::default(),
            pool_memories: Mutex::default(),
            renewal: Arc::new(Renewal::new(&tls.issued, &clock, &registry)),
            tls,
            traces: Traces::new(),
            targets: Arc::new(TargetTable::new(
                clock.clone(),
                Resolver::system(control.clone()),
                Checker::new(control.clone(), clock.clone(), registry.clone()),
            )),
            told: Arc::default(),
            shutdown: Mutex::new(shutdown),
            manager: OnceLock::new(),
            foreign: ForeignSockets::default(),
            databases: Kept::default(),
            ending_readers: Kept::default(),
            pool_tasks: PoolTasks::default(),
            others: Others::Nobody,
            policies: Kept::default(),
            cookie_names: Mutex::default(),
            has_successor: AtomicBool::new(false),
            generations: registry.gauge(
                "vestibule_config_generations",
                "Configurations in use: the one in force, and earlier ones until the last request ends that began with them.",
                vec![],
            ),
            clock,
            registry,
            control,
        }
    }

    /// What the pool of that issuer remembers.
    pub(crate) fn pool_memory(&self, issuer: &str) -> PoolMemory {
        let mut memories = self.pool_memories.lock().unwrap_or_else(PoisonError::into_inner);
        memories.entry(issuer.to_owned()).or_default().clone()
    }
}
