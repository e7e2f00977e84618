//! What all actions share: the state of the process, and what they are built from.

use std::sync::Arc;

use crate::action::authenticate::finishing::Finishing;
use crate::action::authenticate::flights::Flights;
use crate::action::authenticate::paths::Paths;
use crate::action::authenticate::redeemed::Redeemed;
use crate::claims::ClaimsHeaders;
use crate::clock::{Clock, Timestamp};
use crate::drain::Control;
use crate::identity::endings::EndingsByIssuer;
use crate::page::Pages;
use crate::session;
use crate::session::record::Session;
use crate::session::revoked::Revoked;
use crate::telemetry::logged_names::LoggedNames;
use crate::telemetry::metrics::{Counter, Registry};

/// The shared parts of all actions.
#[derive(Clone, Debug)]
pub struct GenerationServices {
    /// The session keys.
    pub session: session::settings::Settings,
    pub claims: Arc<ClaimsHeaders>,
    /// The reserved paths.
    pub paths: Arc<Paths>,
    pub pages: Arc<Pages>,
    /// The state of the process. It outlives the configuration, so a session that was ended stays ended after a reload.
    pub memory: ProcessState,
    pub control: Control,
    pub clock: Clock,
    pub registry: Registry,
}

/// The state of sessions and sign-ins. It is independent of the configuration, and its size is limited.
///
/// One per process. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ProcessState {
    /// Sessions that ended before their time.
    pub(super) revoked: Arc<Revoked>,
    /// What the user pools of this process have ended.
    pub endings: EndingsByIssuer,
    /// Refreshes in progress and recent results.
    pub(super) flights: Arc<Flights>,
    /// Sign-ins whose code was redeemed.
    pub(super) redeemed: Arc<Redeemed>,
    /// Sign-ins that are being finished.
    pub(super) finishing: Arc<Finishing>,
    /// Omitted identity headers that were already logged.
    pub(super) left_out: Arc<LoggedNames>,
    forgotten: Counter,
}

impl ProcessState {
    /// Creates an empty state. Counts entries that are removed too early.
    pub fn new(registry: &Registry) -> Self {
        let help = "Ended sessions that were forgotten before their own end, because too many users have one.";
        Self { forgotten: registry.counter("vestibule_sessions_forgotten_total", help, vec![]), ..Self::default() }
    }

    /// Ends a session that was signed out.
    pub(super) fn sign_out(&self, session: &Session, now: Timestamp) {
        self.forgotten.add(self.revoked.sign_out(session, now) as u64);
    }

    /// Ends a session whose provider refuses its refresh token.
    pub(super) fn refuse(&self, session: &Session, now: Timestamp) {
        self.forgotten.add(self.revoked.refuse(session, now) as u64);
    }
}
