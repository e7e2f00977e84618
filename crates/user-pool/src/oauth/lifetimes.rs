//! How long tokens live: as the pool says, or as the client does.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::settings::Settings;

/// The lifetimes of what a client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetimes {
    pub(crate) access: Duration,
    pub(crate) id: Duration,
    pub(crate) refresh: Duration,
}

impl Lifetimes {
    fn longest(self) -> Duration {
        self.access.max(self.id).max(self.refresh)
    }
}

/// The lifetimes of all clients of a pool. A clone is the same.
#[derive(Clone, Debug)]
pub(crate) struct ClientLifetimes {
    usual: Lifetimes,
    /// By client ID: those of the clients that have their own.
    clients: Arc<HashMap<String, Lifetimes>>,
}

impl ClientLifetimes {
    /// As the configuration says.
    pub(crate) fn new(settings: &Settings) -> Self {
        let (tokens, refresh) = (settings.token_lifetime, settings.refresh_lifetime);
        let usual = Lifetimes { access: tokens, id: tokens, refresh };
        let own = settings.clients.iter().map(|client| {
            let options = &client.options;
            let lifetimes = Lifetimes {
                access: options.access_token_lifetime.unwrap_or(usual.access),
                id: options.id_token_lifetime.unwrap_or(usual.id),
                refresh: options.refresh_token_lifetime.unwrap_or(usual.refresh),
            };
            (client.client_id.clone(), lifetimes)
        });
        Self { usual, clients: Arc::new(own.filter(|(_, lifetimes)| *lifetimes != usual).collect()) }
    }

    /// The same for every client.
    #[cfg(test)]
    pub(crate) fn all(usual: Lifetimes) -> Self {
        Self { usual, clients: Arc::default() }
    }

    /// Those of a client.
    pub(crate) fn of(&self, client_id: &str) -> Lifetimes {
        self.clients.get(client_id).copied().unwrap_or(self.usual)
    }

    /// How long anything lives that is issued.
    pub(crate) fn longest(&self) -> Duration {
        self.clients.values().copied().map(Lifetimes::longest).fold(self.usual.longest(), Duration::max)
    }
}
