//! The client's certificate, as the requests of a connection see it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use arc_swap::ArcSwapOption;

use crate::certificate::client::facts::Facts;
use crate::certificate::client::policy::{Accepted, Policy, Presented};
use crate::clock::Timestamp;

/// The policy that is in force at a listener now. It outlives the configurations.
pub type InForce = Arc<ArcSwapOption<Policy>>;

/// The certificate of a connection's client, and the policy that it was accepted by.
#[derive(Debug, Default)]
pub struct Client {
    /// `None`: clients are not asked for certificates.
    policy: Option<Arc<Policy>>,
    presented: Option<Arc<Presented>>,
    standing: Standing,
    in_force: InForce,
    /// What another policy says about it: found once for all requests of the connection.
    judged: RefCell<Option<(Arc<Policy>, Standing)>>,
}

/// What a policy says about a client.
#[derive(Clone, Debug, Default)]
enum Standing {
    /// No certificate, and none is needed.
    #[default]
    Unknown,
    Accepted(Rc<Accepted>),
    /// A certificate that is not accepted any more, or none where one is needed.
    Refused,
}

/// A client's certificate is not accepted any more, or not by the policy that is in force now.
#[derive(Debug, thiserror::Error)]
#[error("the certificate that this connection was opened with is not accepted (any more)")]
pub(crate) struct NotAccepted;

impl Client {
    /// The client of a connection whose handshake has just ended, which has checked `presented` by `policy`.
    pub fn new(policy: Option<&Arc<Policy>>, presented: Option<Presented>, in_force: InForce) -> Self {
        let presented = presented.map(Arc::new);
        let standing = match (policy, &presented) {
            (Some(policy), Some(presented)) => Standing::Accepted(Rc::new(policy.accept(Arc::clone(presented)))),
            (Some(policy), None) if policy.needs_certificate() => Standing::Refused,
            (None, _) | (Some(_), None) => Standing::Unknown,
        };
        Self { policy: policy.cloned(), presented, standing, in_force, judged: RefCell::default() }
    }

    /// Whether it was accepted by exactly this policy.
    #[inline]
    pub(crate) fn is_of(&self, policy: Option<&Arc<Policy>>) -> bool {
        self.policy.as_ref().map(Arc::as_ptr) == policy.map(Arc::as_ptr)
    }

    /// The same client as the policy of another configuration sees it.
    pub(crate) fn under(&self, policy: Option<&Arc<Policy>>, now: Timestamp) -> Self {
        Self {
            policy: policy.cloned(),
            presented: self.presented.clone(),
            standing: self.judge(policy, now),
            in_force: Arc::clone(&self.in_force),
            judged: RefCell::default(),
        }
    }

    fn judge(&self, policy: Option<&Arc<Policy>>, now: Timestamp) -> Standing {
        if self.is_of(policy) {
            return self.standing.clone();
        }
        let Some(policy) = policy else { return Standing::Unknown };
        let mut judged = self.judged.borrow_mut();
        match &*judged {
            Some((known, standing)) if Arc::ptr_eq(known, policy) => standing.clone(),
            _ => {
                let standing = match policy.judge(self.presented.as_ref(), now) {
                    Ok(None) => Standing::Unknown,
                    Ok(Some(accepted)) => Standing::Accepted(Rc::new(accepted)),
                    Err(error) => {
                        tracing::info!(%error, "the certificate of an open connection is not accepted any more");
                        Standing::Refused
                    }
                };
                *judged = Some((Arc::clone(policy), standing.clone()));
                standing
            }
        }
    }

    /// Whether a request may begin on the connection.
    ///
    /// # Errors
    ///
    /// The client has to open another connection.
    #[inline]
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), NotAccepted> {
        if self.policy.is_none() { Ok(()) } else { self.standing.check(now) }
    }

    /// Whether an exchange that is under way may go on, by the policy that is in force now.
    ///
    /// # Errors
    ///
    /// It has to end.
    pub(crate) fn recheck(&self, now: Timestamp) -> Result<(), NotAccepted> {
        let in_force = self.in_force.load_full();
        self.judge(in_force.as_ref(), now).check(now)
    }

    /// Whether the connection has a certificate that can stop being accepted.
    pub(crate) fn has_certificate(&self) -> bool {
        matches!(self.standing, Standing::Accepted(_))
    }

    /// The certificate with its headers, accepted or passed through.
    #[inline]
    pub(crate) fn accepted(&self) -> Option<&Rc<Accepted>> {
        if let Standing::Accepted(accepted) = &self.standing { Some(accepted) } else { None }
    }

    /// What the certificate says, if an authority vouches for it.
    pub fn verified(&self) -> Option<&Facts> {
        self.accepted()?.verified()
    }
}

impl Standing {
    fn check(&self, now: Timestamp) -> Result<(), NotAccepted> {
        match self {
            Self::Unknown => Ok(()),
            Self::Accepted(accepted) if now <= accepted.until => Ok(()),
            Self::Accepted(_) | Self::Refused => Err(NotAccepted),
        }
    }
}
