//! All providers: external ones, and the user pools of this process. A user pool is a provider with a back channel
//! that needs no socket (DESIGN §8).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Builder;
use url::Url;

use crate::action::authenticate::paths::Paths;
use crate::app::error::Error;
use crate::app::pool_tasks::PoolWork;
use crate::app::process::Process;
use crate::backchannel::call::Backchannel;
use crate::backchannel::network::{self, Network};
use crate::clock::Clock;
use crate::config::{Config, ProviderConfig, UserPoolConfig};
use crate::console;
use crate::database::{Database, OpenError};
use crate::identity::endings::Endings;
use crate::jose::signing_key::{Algorithm, SigningKey};
use crate::message::causes::with_causes;
use crate::oidc;
use crate::oidc::settings::{ClientAuth, Endpoints, Logout, Settings};
use crate::oidc::survey::Survey;
use crate::page::Pages;
use crate::telemetry::metrics::Registry;
use crate::user_pool::ClientOptions;
use crate::user_pool::endings::reader::EndingReader;
use crate::user_pool::keys::tending::StoredKeys;
use crate::user_pool::keys::{KeyRing, Keys};
use crate::user_pool::settings::{ClientSettings, Pkce, Settings as PoolSettings, Store};
use crate::user_pool::{InProcess, MIGRATIONS, Records, StoredUsers, UserPool, background, restored};

/// How long a client may take to answer to a logout token.
const LOGOUT_TIMEOUT: Duration = Duration::from_secs(5);
/// The client ID of the proxy at its own user pools.
const OWN_CLIENT_ID: &str = "vestibule";

/// A provider and its sign-out.
#[derive(Clone, Debug)]
pub(crate) struct Provider {
    pub(crate) client: Arc<oidc::RelyingParty>,
    pub(crate) logout: Logout,
}

/// By name.
#[derive(Debug)]
pub(crate) struct Providers {
    oidc: BTreeMap<Arc<str>, Provider>,
    user_pools: BTreeMap<Arc<str>, (Provider, Arc<UserPool>)>,
    pool_work: Vec<PoolWork>,
    consoles: Vec<console::Pool>,
}

impl Providers {
    /// Builds every provider, or takes it over from an earlier configuration with the same settings, so that its metadata and keys need
    /// not be fetched again. No provider is contacted yet, so the process starts even if providers are down.
    pub(crate) fn new(
        providers: Vec<ProviderConfig>,
        pools: Vec<UserPoolConfig>,
        paths: &Paths,
        pages: &Arc<Pages>,
        process: &Process,
    ) -> Result<Self, Error> {
        let Process { clock, registry, control, .. } = process;
        let mut oidc = BTreeMap::new();
        for provider in providers {
            let name = Arc::clone(&provider.settings.name);
            let logout = provider.settings.logout;
            let client = process.relying_parties.take_over(provider, |provider| {
                let client = networked(provider, clock, registry)?;
                // Detects when a provider that failed answers again. Ends with the client.
                control.start_detached(oidc::RelyingParty::keep_watch(Arc::downgrade(&client)));
                Ok(client)
            })?;
            oidc.insert(name, Provider { client, logout });
        }
        let (mut user_pools, mut pool_work, mut consoles) = (BTreeMap::new(), Vec::new(), Vec::new());
        for pool in pools {
            let stored = pool.settings.store.as_ref().map(|store| stored(store, &pool.settings.name, process));
            let (name, stored) = (Arc::clone(&pool.settings.name), stored.transpose()?);
            pool_work.extend(work(&pool.settings, pages, stored.as_ref(), process)?);
            consoles
                .extend(stored.clone().map(|stored| console::Pool::new(stored, Arc::clone(&pool.settings.directory))));
            let others = pool.settings.providers.iter().filter_map(|provider| oidc.get(&provider.name));
            let others: Vec<_> = others.map(|provider: &Provider| Arc::clone(&provider.client)).collect();
            user_pools.insert(name, embedded(pool, (stored, &others), paths, pages, process)?);
        }
        Ok(Self { oidc, user_pools, pool_work, consoles })
    }

    /// The clients of all external providers.
    pub(crate) fn clients(&self) -> Vec<Arc<oidc::RelyingParty>> {
        self.oidc.values().map(|provider| Arc::clone(&provider.client)).collect()
    }

    /// A provider of `identity_providers`.
    pub(crate) fn oidc(&self, name: &str) -> Provider {
        self.oidc[name].clone()
    }

    /// A pool of `user_pools` as a provider.
    pub(crate) fn user_pool(&self, name: &str) -> Provider {
        self.user_pools[name].0.clone()
    }

    /// What the pools do besides answering requests. To be taken once.
    pub(crate) fn take_pool_work(&mut self) -> Vec<PoolWork> {
        std::mem::take(&mut self.pool_work)
    }

    /// The pools that the console shows. To be taken once.
    pub(crate) fn take_consoles(&mut self) -> Vec<console::Pool> {
        std::mem::take(&mut self.consoles)
    }

    /// All pools, to be served on their hosts.
    pub(crate) fn pools(&self) -> Vec<Arc<UserPool>> {
        self.user_pools.values().map(|(_, pool)| Arc::clone(pool)).collect()
    }
}

/// Tests everything about every provider that can be tested without a user, one provider after the other.
///
/// # Errors
///
/// Returns an error if the system lacks something that the configuration needs.
pub(crate) fn survey(config: Config) -> Result<Vec<Survey>, Error> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Error::Worker)?;
    let (clock, registry) = (Clock::system(), Registry::default());
    let mut surveys = Vec::new();
    for provider in config.providers {
        let client = networked(provider, &clock, &registry)?;
        surveys.push(runtime.block_on(client.survey()));
    }
    // Name lookups in progress are not awaited.
    runtime.shutdown_background();
    Ok(surveys)
}

fn networked(provider: ProviderConfig, clock: &Clock, registry: &Registry) -> Result<Arc<oidc::RelyingParty>, Error> {
    let ProviderConfig { settings, roots } = provider;
    let failed = |source| Error::Provider { name: settings.name.to_string(), source };
    let way = network::Settings {
        roots: roots.unwrap_or_default(),
        timeout: settings.timeout,
        // The configuration allows `http` only for loopback addresses and for the hosts it lists.
        allow_http_loopback: is_plain_and_local(&settings),
        insecure_http_hosts: settings.insecure_http_hosts.clone(),
    };
    let network: Arc<dyn Backchannel> = Arc::new(Network::new(&way).map_err(|error| failed(error.into()))?);
    Ok(Arc::new(oidc::RelyingParty::new(settings, network, clock.clone(), registry)))
}

/// Whether the configuration has a loopback address without TLS for this provider.
fn is_plain_and_local(settings: &Settings) -> bool {
    let Endpoints { discovery, authorization, token, userinfo, jwks, end_session, introspection } = &settings.endpoints;
    let graph = settings.graph.as_ref().map(|graph| &graph.endpoint);
    let given = [discovery, authorization, token, userinfo, jwks, end_session, introspection].map(Option::as_ref);
    let given = given.into_iter().chain([graph]).flatten().cloned();
    let is_local = |url: Url| url.scheme() == "http" && url.host_str().is_some_and(network::is_loopback);
    given.chain(Url::parse(&settings.issuer)).any(is_local)
}

/// The users of a pool in its database, which stays open from one configuration to the next.
fn stored(store: &Store, pool: &Arc<str>, process: &Process) -> Result<StoredUsers, Error> {
    let opened = process.databases.take_over(store.sqlite.clone(), |path| {
        Database::open(&path, MIGRATIONS, process.others, process.clock.now()).map(Arc::new)
    });
    let opened = opened.and_then(|database| database.unlock(&store.vault).map(|()| database));
    let opened = opened.and_then(|database| {
        restored::settle(&database, process.clock.now()).map(|()| database).map_err(OpenError::Unreadable)
    });
    let database = opened.map_err(|source| Error::Store { pool: pool.to_string(), source: Box::new(source) })?;
    Ok(StoredUsers { database, records: Records { pool: Arc::clone(pool) } })
}

/// What publishes the endings of a pool from its database, as long as some configuration has it.
fn reader(
    stored: &StoredUsers,
    issuer: &str,
    endings: &Arc<Endings>,
    process: &Process,
) -> Result<Arc<EndingReader>, Error> {
    let (database, pool) = (&stored.database, &stored.records.pool);
    let name = (database.path().to_owned(), Arc::clone(pool), issuer.to_owned());
    let started = process.ending_readers.take_over(name, |_| {
        let (database, endings) = (Arc::clone(database), Arc::clone(endings));
        let reader = EndingReader::start(database, pool, endings, process.clock.clone())?;
        process.control.start_detached(EndingReader::keep_up(Arc::downgrade(&reader)));
        Ok::<_, OpenError>(reader)
    });
    started.map_err(|source| Error::Store { pool: pool.to_string(), source: Box::new(source) })
}

/// What a pool with a database does besides answering requests.
fn work(
    settings: &PoolSettings,
    pages: &Pages,
    stored: Option<&StoredUsers>,
    process: &Process,
) -> Result<Option<PoolWork>, Error> {
    let Process { clock, registry, control, .. } = process;
    let issuer = issuer(settings).to_owned();
    let memory = process.pool_memory(&issuer);
    let failed = |source| Error::Courier { pool: settings.name.to_string(), source };
    let dispatch = || background::dispatch(settings, pages, stored, clock, registry);
    let dispatch = control.enter(dispatch).map_err(failed)?;
    let (added, log) = (Arc::clone(&memory.messages_added), background::keeper(settings, &memory, stored, clock));
    let (dispatch, log) = (dispatch.map(Arc::new), log.map(Arc::new));
    Ok(dispatch.zip(log).map(|(dispatch, log)| PoolWork { issuer, dispatch, log, added }))
}

/// What a pool and its memory are found by.
fn issuer(settings: &PoolSettings) -> &str {
    settings.issuer.as_str().trim_end_matches('/')
}

fn embedded(
    pool: UserPoolConfig,
    (stored, others): (Option<StoredUsers>, &[Arc<oidc::RelyingParty>]),
    paths: &Paths,
    pages: &Arc<Pages>,
    process: &Process,
) -> Result<(Provider, Arc<UserPool>), Error> {
    let Process { clock, registry, .. } = process;
    let UserPoolConfig { mut settings, applications } = pool;
    let own = own_client(&settings, &applications, paths);
    settings.clients.push(own);
    let keys = keys(&settings, stored.as_ref(), process)?;
    let issuer = settings.issuer.as_str().trim_end_matches('/');
    let client = Settings {
        // No secret is needed: the pool takes requests of this client only from within the process (`is_ours`).
        token_endpoint_auth_method: Some(ClientAuth::None),
        ..Settings::new(&settings.name, issuer, OWN_CLIENT_ID)
    };
    let memory = process.pool_memory(issuer);
    let told = settings.clients.iter().filter_map(|client| client.options.backchannel_logout_uri.clone());
    let (clients_told, is_stored): (Vec<Url>, _) = (told.collect(), stored.is_some());
    process.sessions.endings.enter(issuer, &memory.endings);
    let reader = stored.as_ref().map(|stored| reader(stored, issuer, &memory.endings, process)).transpose()?;
    let pages = Arc::clone(pages);
    let pool = UserPool::new(settings, pages, &memory, (stored, others), keys, clock.clone(), registry);
    let pool = Arc::new(pool.with_reader(reader));
    if is_stored {
        tell_clients(&pool, &clients_told, process)?;
    }
    let in_process: Arc<dyn Backchannel> = Arc::new(InProcess::new(Arc::clone(&pool)));
    let client = Arc::new(oidc::RelyingParty::new(client, in_process, clock.clone(), registry));
    Ok((Provider { client, logout: Logout::Auto }, pool))
}

/// Has clients told that sessions have ended, over the network.
fn tell_clients(pool: &Arc<UserPool>, clients: &[Url], process: &Process) -> Result<(), Error> {
    let way = network::Settings {
        // The configuration allows `http` only for loopback addresses.
        allow_http_loopback: clients.iter().any(|uri| uri.scheme() == "http"),
        timeout: LOGOUT_TIMEOUT,
        ..network::Settings::default()
    };
    // A pool whose clients want to be told nothing has no use for a network.
    let network = (!clients.is_empty()).then(|| Network::new(&way)).transpose();
    let network =
        network.map_err(|error| Error::Provider { name: "backchannel_logout_uri".into(), source: error.into() });
    let network = network?.map(|network| Arc::new(network) as Arc<dyn Backchannel>);
    process.control.start_detached(UserPool::send_logout_tokens(Arc::downgrade(pool), network));
    Ok(())
}

/// What signs the tokens of a pool. Keys of its database are tended as long as the pool is served.
fn keys(settings: &PoolSettings, stored: Option<&StoredUsers>, process: &Process) -> Result<Keys, Error> {
    let failed = |error: &str| Error::PoolKeys { pool: settings.name.to_string(), error: error.to_owned() };
    if let Some(ring) = KeyRing::of_files(settings) {
        return Ok(Keys::new(ring));
    }
    let (Some(store), Some(stored)) = (&settings.store, stored) else { return Err(failed("the pool has no store")) };
    let tended = StoredKeys::new(stored, store.vault.clone(), settings.algorithms(), process.clock.clone());
    // On a thread of its own, because this one may belong to a runtime.
    let loaded = std::thread::scope(|scope| scope.spawn(|| tended.load()).join());
    let keys = loaded.map_err(|_| failed("a bug"))?.map_err(|error| failed(&with_causes(&error)))?;
    process.control.start_detached(tended.keep(keys.watch()));
    Ok(keys)
}

/// The proxy as a client of its own pool, with one redirect URI per application.
fn own_client(settings: &PoolSettings, applications: &[Url], paths: &Paths) -> ClientSettings {
    let at = |path: &str| {
        applications.iter().map(|origin| origin.join(path).expect("a path joins to an origin")).collect::<Vec<_>>()
    };
    ClientSettings {
        client_id: OWN_CLIENT_ID.to_owned(),
        client_secret: None,
        redirect_uris: at(&paths.callback),
        post_logout_redirect_uris: at(&paths.sign_out),
        resources: Vec::new(),
        name: None,
        pkce: Pkce::Required,
        // What the pool has in any case.
        id_token_algorithm: settings.signing_key.as_ref().map_or(Algorithm::Rs256, SigningKey::algorithm),
        begins_again: true,
        is_ours: true,
        options: ClientOptions::default(),
    }
}
