//! What one listener serves with: made at load, never changed, shared by all workers.

use std::sync::Arc;

use crate::action::ActionChain;
use crate::action::authenticate::endpoints::Endpoints;
use crate::message::header::Protected;
use crate::rule::RuleSet;
use crate::user_pool::UserPool;

/// The rules, actions and keys of one listener.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// Header names that a client may not set.
    pub(crate) protected: Arc<Protected>,
    /// Each rule with its place in the order, and what it does.
    pub(crate) rules: RuleSet<(usize, ActionChain)>,
    /// Callback, sign-out and keys, on a listener with an authenticate action (DESIGN §6).
    pub(crate) endpoints: Option<Endpoints>,
    /// User pools, each on its issuer's authority.
    pub(crate) pools: Vec<Arc<UserPool>>,
}
