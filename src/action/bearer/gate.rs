//! One action that takes bearer tokens, and how it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::settings::BearerSettings;
use crate::claims::ClaimsHeaders;
use crate::drain::Control;
use crate::oidc::RelyingParty;

/// One action that takes bearer tokens.
#[derive(Debug)]
pub(crate) struct Bearer {
    /// Unique among all actions of this and earlier configurations, so that a worker never uses what it verified for another action.
    pub(super) id: u64,
    pub(super) settings: Arc<BearerSettings>,
    pub(super) client: Arc<RelyingParty>,
    /// `None` if the configuration has no `claims`. Then targets get no identity headers.
    pub(super) claims: Option<Arc<ClaimsHeaders>>,
    pub(super) control: Control,
}

impl Bearer {
    /// Creates an action that takes tokens of the issuer of `client`.
    pub(crate) fn new(
        settings: BearerSettings,
        client: Arc<RelyingParty>,
        claims: Option<Arc<ClaimsHeaders>>,
        control: Control,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { id: NEXT.fetch_add(1, Ordering::Relaxed), settings: Arc::new(settings), client, claims, control }
    }

    /// Whether an action with these settings would behave the same.
    pub(crate) fn is_of(&self, settings: &BearerSettings) -> bool {
        *self.settings == *settings
    }
}
