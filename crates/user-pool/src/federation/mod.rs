//! Users who sign in at another provider (pool §10): which providers a pool has, and who at a provider is which user of the pool.
//!
//! A user is found by the link from the subject of the provider, and by nothing else: never by an e-mail address. This room does not know
//! browsers. `hosted_ui` sends them to the provider and takes the answer, `oidc` verifies it. Start at [`Federation`]; `arrival` decides.

pub(crate) mod arrival;
mod links;
pub mod mapping;
mod outcomes;
pub(crate) mod refusal;
pub mod settings;

use std::sync::Arc;

use crate::clock::Clock;
use crate::directory::record::Record;
use crate::directory::{self, StoredUsers};
use crate::oidc::RelyingParty;
use crate::settings::Settings;
use crate::telemetry::metrics::Registry;
use outcomes::Outcomes;
use settings::ProviderSettings;

/// The providers of a pool, in the order of their names. Empty in a pool without providers.
#[derive(Debug, Default)]
pub(crate) struct Federation(Vec<Arc<Provider>>);

/// A provider at which users of the pool sign in.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) settings: ProviderSettings,
    pub(crate) client: Arc<RelyingParty>,
    /// Where its users are.
    pub(crate) stored: StoredUsers,
    /// What the pool says of them.
    pub(crate) rules: Arc<directory::settings::Settings>,
    pub(crate) outcomes: Outcomes,
}

impl Federation {
    /// Puts each provider together with its client, which has the same name. The configuration guarantees that there is one, and that the
    /// pool has a database.
    pub(crate) fn new(
        pool: &Settings,
        clients: &[Arc<RelyingParty>],
        stored: Option<&StoredUsers>,
        clock: &Clock,
        registry: &Registry,
    ) -> Self {
        let provider = |settings: &ProviderSettings| {
            let client = Arc::clone(clients.iter().find(|client| *client.name() == settings.name)?);
            let outcomes = Outcomes::new(&pool.name, &settings.name, clock.clone(), registry);
            let (settings, rules, stored) = (settings.clone(), Arc::clone(&pool.directory), stored?.clone());
            Some(Arc::new(Provider { settings, client, stored, rules, outcomes }))
        };
        Self(pool.providers.iter().filter_map(provider).collect())
    }

    /// All providers.
    pub(crate) fn providers(&self) -> &[Arc<Provider>] {
        &self.0
    }

    /// The provider of that name, as in the configuration.
    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Provider>> {
        self.0.iter().find(|provider| *provider.settings.name == *name)
    }

    /// The provider at which this user signs in. `None`: at the pool, or at one that is not in the configuration any more.
    pub(crate) fn of_user(&self, user: &Record) -> Option<&Arc<Provider>> {
        user.identities.iter().find_map(|identity| self.named(&identity.provider))
    }

    /// The provider that an application asks for by `idp_identifier` (pool §9.3): its name, or the domain of e-mail addresses of its users.
    pub(crate) fn identified(&self, identifier: &str) -> Option<&Arc<Provider>> {
        self.named(identifier).or_else(|| self.of_domain(identifier))
    }

    /// Whether a name that is typed can choose a provider.
    pub(crate) fn knows_domains(&self) -> bool {
        self.0.iter().any(|provider| !provider.settings.email_domains.is_empty())
    }

    /// The provider of the users whose e-mail addresses have that domain.
    pub(crate) fn of_domain(&self, domain: &str) -> Option<&Arc<Provider>> {
        let has = |provider: &&Arc<Provider>| {
            provider.settings.email_domains.iter().any(|known| known.eq_ignore_ascii_case(domain))
        };
        self.0.iter().find(has)
    }
}
