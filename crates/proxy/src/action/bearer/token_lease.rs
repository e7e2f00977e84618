//! Until when a bearer token holds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::action::bearer::gate::Bearer;
use crate::action::visitor::{Lease, Renewed};
use crate::clock::Timestamp;
use crate::identity::endings::Standing;
use crate::jose::standing::{self, Questioned};

/// How long old keys stay in use before somebody tries to fetch them again. As long as the longest pause after failures.
const TRY_AGAIN: Duration = Duration::from_secs(30);

/// A token holds until it expires, until its issuer withdraws the key that signed it, or ends the sign-in that it is from.
#[derive(Debug)]
pub(super) struct TokenLease {
    pub(super) accepted_until: Timestamp,
    pub(super) key: Option<Arc<standing::Standing>>,
    /// What the issuer says of the sign-in, if it is in this process.
    pub(super) sign_in: Option<Standing>,
    pub(super) bearer: Arc<Bearer>,
}

impl TokenLease {
    /// Whether the issuer has ended the sign-in.
    pub(super) fn has_been_ended(&self) -> bool {
        self.sign_in.as_ref().is_some_and(Standing::has_ended)
    }

    /// The key is not known to be good: it was withdrawn, or the key set is old. Then the keys are fetched again behind the request, as for a token that
    /// nobody knows. Keys that cannot be fetched stay in use.
    #[cold]
    fn is_withdrawn(&self, key: &standing::Standing, now: Timestamp) -> bool {
        match key.question(now, now + TRY_AGAIN) {
            Questioned::Withdrawn => true,
            Questioned::IsOld => {
                self.bearer.renew_keys();
                false
            }
            Questioned::Seen => false,
        }
    }
}

impl Lease for TokenLease {
    fn expires_at(&self) -> Timestamp {
        self.accepted_until
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        let is_withdrawn = |key: &Arc<standing::Standing>| !key.is_good(now) && self.is_withdrawn(key, now);
        self.has_been_ended() || self.key.as_ref().is_some_and(is_withdrawn)
    }

    fn changes(&self) -> Option<watch::Receiver<()>> {
        self.sign_in.as_ref().map(Standing::changes)
    }

    fn renewed(&self) -> Renewed {
        Renewed::No
    }

    fn is_token(&self) -> bool {
        true
    }

    fn asked_again_at(&self) -> Option<Timestamp> {
        None
    }
}
