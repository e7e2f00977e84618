//! One action that takes bearer tokens, and how it is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::action::settings::BearerSettings;
use crate::claims::ClaimsHeaders;
use crate::drain::Control;
use crate::identity::endings::{Endings, EndingsByIssuer};
use crate::oidc::RelyingParty;

/// One action that takes bearer tokens.
#[derive(Debug)]
pub struct Bearer {
    /// Unique among all actions of this and earlier configurations, so that a worker never uses what it verified for another action.
    pub(super) id: u64,
    pub(super) settings: Arc<BearerSettings>,
    pub(super) client: Arc<RelyingParty>,
    /// `None` if the configuration has no `claims`. Then targets get no identity headers.
    pub(super) claims: Option<Arc<ClaimsHeaders>>,
    pub(super) control: Control,
    /// What the issuer has ended, if it is in this process.
    pub(super) endings: Option<Arc<Endings>>,
    /// Takes the tokens of the other issuers. What they accept is remembered here.
    pub(super) others: Box<[Arc<Bearer>]>,
}

impl Bearer {
    /// Creates an action that takes tokens of the issuers of `clients`, in the order of the settings.
    pub fn new(
        settings: BearerSettings,
        clients: Vec<Arc<RelyingParty>>,
        claims: Option<&Arc<ClaimsHeaders>>,
        control: &Control,
        endings: &EndingsByIssuer,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let settings = Arc::new(settings);
        let of_one = |client: Arc<RelyingParty>, others| Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            settings: Arc::clone(&settings),
            endings: endings.of(client.issuer()),
            client,
            claims: claims.cloned(),
            control: control.clone(),
            others,
        };
        let mut clients = clients.into_iter();
        let first = clients.next().expect("an action has an issuer");
        of_one(first, clients.map(|client| Arc::new(of_one(client, Box::default()))).collect())
    }

    /// Every issuer, each once.
    pub(super) fn issuers(&self) -> Vec<&str> {
        let mut issuers = vec![self.client.issuer()];
        for other in &self.others {
            if !issuers.contains(&other.client.issuer()) {
                issuers.push(other.client.issuer());
            }
        }
        issuers
    }

    /// Whether an action with these settings would behave the same.
    pub fn is_of(&self, settings: &BearerSettings) -> bool {
        *self.settings == *settings
    }
}
