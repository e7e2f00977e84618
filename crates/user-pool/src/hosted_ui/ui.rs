//! The state of the pages.

use std::sync::{Arc, Mutex};

use crate::account::Account;
use crate::brand::{Brand, Used};
use crate::clock::Clock;
use crate::events::log::EventLog;
use crate::failures::Failures;
use crate::federation::Federation;
use crate::hosted_ui::cookies::Cookies;
use crate::metrics::Metrics;
use crate::oauth::provider::Provider;
use crate::rate_limit::Buckets;
use crate::seal::Seal;
use crate::self_service::SelfService;
use crate::signin::SignIn;
use crate::signin::sso::Sessions;

/// The pages, on one of the hosts of the pool.
#[derive(Clone, Debug)]
pub(crate) struct HostedUi {
    /// The heading of the sign-in page. `None` for the one in the language of the visitor.
    pub(crate) title: Option<String>,
    pub(crate) brand: Arc<Brand>,
    /// What own sign-in pages have used.
    pub(crate) used: Arc<Used>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) cookies: Arc<Cookies>,
    /// The origin of the host. Links of pages and of messages begin with it.
    pub(crate) origin: Arc<str>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) sign_in: Arc<SignIn>,
    /// `None`: the pool has no database.
    pub(crate) service: Option<SelfService>,
    /// `None`: the pool has no database.
    pub(crate) account: Option<Account>,
    /// The other providers at which users sign in.
    pub(crate) federation: Arc<Federation>,
    /// Limits answers of other providers that lead to nothing.
    pub(crate) provider_attempts: Arc<Mutex<Buckets>>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) seal: Seal,
    pub(crate) clock: Clock,
    /// The sign-in log.
    pub(crate) events: EventLog,
    pub(crate) metrics: Metrics,
}
