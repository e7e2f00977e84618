//! The state of the pages.

use std::sync::{Arc, Mutex};

use crate::clock::Clock;
use crate::user_pool::account::Account;
use crate::user_pool::brand::{Brand, Used};
use crate::user_pool::events::log::EventLog;
use crate::user_pool::failures::Failures;
use crate::user_pool::federation::Federation;
use crate::user_pool::hosted_ui::cookies::Cookies;
use crate::user_pool::metrics::Metrics;
use crate::user_pool::oauth::provider::Provider;
use crate::user_pool::rate_limit::Buckets;
use crate::user_pool::seal::Seal;
use crate::user_pool::self_service::SelfService;
use crate::user_pool::signin::SignIn;
use crate::user_pool::signin::sso::Sessions;

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
