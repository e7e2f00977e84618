//! How the sign-ins at one provider have ended: counted, and failures logged.

use std::sync::Arc;

use crate::clock::Clock;
use crate::federation::refusal::Refusal;
use crate::message::causes::with_causes;
use crate::oidc::error::Error;
use crate::seldom::Seldom;
use crate::telemetry::metrics::{Counter, Registry};

/// The counters of one provider of a pool.
#[derive(Debug)]
pub(crate) struct Outcomes {
    pool: Arc<str>,
    provider: Arc<str>,
    clock: Clock,
    signed_in: Counter,
    not_asked: Counter,
    /// By the order of [`Refusal::ALL`].
    refused: [Counter; Refusal::ALL.len()],
    logged: Seldom,
}

impl Outcomes {
    /// Registers the counters.
    pub(crate) fn new(pool: &Arc<str>, provider: &Arc<str>, clock: Clock, registry: &Registry) -> Self {
        let counter = |outcome: &str| {
            let help = "Sign-ins of the user pool at another provider, by how they ended.";
            let labels =
                vec![("pool", pool.to_string()), ("provider", provider.to_string()), ("outcome", outcome.to_owned())];
            registry.counter("vestibule_pool_provider_sign_ins_total", help, labels)
        };
        let refused = |refusal: Refusal| counter(refusal.code().trim_start_matches("provider."));
        Self {
            pool: Arc::clone(pool),
            provider: Arc::clone(provider),
            clock,
            signed_in: counter("ok"),
            not_asked: counter("not_asked"),
            refused: Refusal::ALL.map(refused),
            logged: Seldom::default(),
        }
    }

    /// Counts a sign-in.
    pub(crate) fn signed_in(&self) {
        self.signed_in.increment();
    }

    /// Counts a sign-in in which the provider was told to ask the user, and does not say that it has.
    pub(crate) fn not_asked(&self) {
        self.not_asked.increment();
        if self.logged.is_due(self.clock.now()) {
            tracing::warn!(
                pool = &*self.pool,
                provider.name = &*self.provider,
                "a provider was told to ask the user again (`prompt=login`), and its ID token does not say that it has (`auth_time`): the user \
                 cannot change the account, and an application that wants the user asked is refused. If the provider asks and never says \
                 `auth_time`, set `auth_time: optional`"
            );
        }
    }

    /// Counts a failure.
    pub(crate) fn refused(&self, refusal: Refusal) {
        let at = Refusal::ALL.iter().position(|one| one.code() == refusal.code());
        if let Some(at) = at {
            self.refused[at].increment();
        }
    }

    /// The refusal of an error of the provider or the network. Some are logged: everybody can cause them.
    pub(crate) fn failed(&self, error: &Error) -> Refusal {
        if self.logged.is_due(self.clock.now()) {
            tracing::warn!(
                pool = &*self.pool,
                provider.name = &*self.provider,
                error = with_causes(error),
                "a sign-in at another provider failed"
            );
        }
        error.into()
    }
}
