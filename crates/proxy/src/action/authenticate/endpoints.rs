//! What the answers at the reserved paths ([`paths`](super::paths)) need: all actions of one listener. `dispatch.rs` chooses the answer.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::action::authenticate::gate::{self, Authenticate};
use crate::action::authenticate::metrics::failures;
use crate::action::authenticate::paths::Paths;
use crate::action::authenticate::services::GenerationServices;
use crate::action::authenticate::signed_in::SignedIn;
use crate::action::authenticate::ticket::Ticket;
use crate::action::authenticate::worker_state::WorkerState;
use crate::claims::ClaimsHeaders;
use crate::clock::Timestamp;
use crate::exchange::reason_counters::ReasonCounters;
use crate::page::Pages;

/// The provider label of callbacks that belong to no sign-in. No provider can have this name.
const UNCLAIMED: &str = "(none)";

/// The reserved paths of one listener, with all its `authenticate-*` actions.
#[derive(Debug)]
pub struct Endpoints {
    /// The actions.
    pub(super) gates: Vec<Arc<Authenticate>>,
    /// The gates that sign users in: those actions with one provider, and of the others one for each provider.
    pub(super) signing_in: Vec<Arc<Authenticate>>,
    pub(super) claims: Arc<ClaimsHeaders>,
    pub(super) paths: Arc<Paths>,
    pub(super) pages: Arc<Pages>,
    /// `Clear-Site-Data` of a sign-out.
    pub(super) clear_site_data: Option<HeaderValue>,
    /// Failures of callbacks that belong to no action.
    pub(super) unclaimed: ReasonCounters,
}

impl Endpoints {
    /// Creates the endpoints of a listener with these actions.
    pub fn new(gates: Vec<Arc<Authenticate>>, services: &GenerationServices) -> Self {
        Self {
            signing_in: gates.iter().flat_map(Authenticate::signing_in).cloned().collect(),
            gates,
            claims: Arc::clone(&services.claims),
            paths: Arc::clone(&services.paths),
            pages: Arc::clone(&services.pages),
            clear_site_data: services.session.clear_site_data.clone(),
            unclaimed: failures(&services.registry, UNCLAIMED),
        }
    }

    /// The reserved paths.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The ticket of a request to `host`, with the action that it is of, or the gate of a choice.
    pub(super) fn open_ticket(&self, host: &str, text: &str) -> Option<(&Arc<Authenticate>, Ticket)> {
        let gates = self.gates.iter().chain(&self.signing_in);
        gate::of_shape(gates.filter_map(|gate| Some((gate, gate.open_ticket(host, text)?))), |ticket| {
            ticket.shape.as_deref()
        })
    }

    /// The action that `gate` is one of the choices of.
    pub(super) fn choosing(&self, gate: &Arc<Authenticate>) -> Option<&Arc<Authenticate>> {
        let is_one_of = |action: &&Arc<Authenticate>| {
            let gates = action.choice.iter().flat_map(|choice| &choice.gates);
            gates.into_iter().any(|one| Arc::ptr_eq(one, gate))
        };
        gate.chosen_from.as_ref()?;
        self.gates.iter().find(is_one_of)
    }

    /// The session of the first action that finds one in a request to `host`.
    pub(super) async fn signed_in(
        &self,
        worker: &WorkerState,
        host: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Rc<SignedIn>> {
        for gate in &self.gates {
            if let Ok(signed_in) = gate.open(worker, host, headers, now).await {
                return Some(signed_in);
            }
        }
        None
    }
}
