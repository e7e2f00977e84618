//! Chooses the target group of each request of a `forward` to several groups (ALB §7.3).

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};

use crate::clock::Timestamp;
use crate::message::uri::Scheme;
use crate::upstream::stickiness::groups::{self, Asked, StickyGroups};

/// The groups of one `forward`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// At least one weight is more than zero.
    pub shares: Vec<Share>,
    /// Whether a browser stays at its group.
    pub stickiness: Option<groups::Settings>,
}

/// One group of a `forward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub name: Arc<str>,
    /// The index of the group among the clients of a worker.
    pub group: usize,
    /// 0 to 999. A group gets this part of the sum of all weights.
    pub weight: u16,
}

/// The groups of one `forward`, for one worker. Workers share nothing, so there is no lock.
#[derive(Debug)]
pub(crate) struct WeightedGroups {
    shares: Vec<Share>,
    /// What each group is ahead or behind of its part. The sum is zero.
    owed: RefCell<Box<[i32]>>,
    sticky: Option<StickyGroups>,
}

/// The group that was chosen for a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Picked {
    /// The index of the group among the clients of a worker.
    pub(crate) group: usize,
    share: usize,
    asked: Option<Asked>,
}

impl WeightedGroups {
    /// `worker` is the number of the worker. Each begins at another place of the cycle, so that the first requests of all workers do not go
    /// to one group.
    pub(crate) fn new(settings: &Settings, worker: usize) -> Self {
        let names: Vec<&str> = settings.shares.iter().map(|share| &*share.name).collect();
        let this = Self {
            owed: RefCell::new(settings.shares.iter().map(|_| 0).collect()),
            sticky: settings.stickiness.as_ref().map(|settings| StickyGroups::new(settings, &names)),
            shares: settings.shares.clone(),
        };
        (0..worker).for_each(|_| {
            this.turn();
        });
        this
    }

    /// Chooses the group of a request: that of its cookie, or else the next one by weight. Whether the group has healthy targets does not
    /// matter: no other group takes its place (ALB §7.3).
    pub(crate) fn pick(&self, headers: &HeaderMap, scheme: Scheme, now: Timestamp) -> Picked {
        let asked = self.sticky.as_ref().map(|sticky| sticky.read(headers, scheme, now));
        let share = asked.and_then(|asked| asked.bound_to).unwrap_or_else(|| self.turn());
        Picked { group: self.shares[share].group, share, asked }
    }

    /// The `Set-Cookie` lines for the answer to a request. `headers` are the target's.
    pub(crate) fn cookies(&self, picked: Picked, headers: &HeaderMap, now: Timestamp) -> Option<Rc<[HeaderValue]>> {
        self.sticky.as_ref()?.lines(picked.asked?, picked.share, headers, now)
    }

    /// The next group by weight: smooth weighted round robin. In each cycle of as many requests as the sum of the weights, each group gets
    /// exactly its weight, and the requests of one group are spread over the cycle.
    fn turn(&self) -> usize {
        let mut owed = self.owed.borrow_mut();
        let mut total = 0;
        let mut most = 0;
        for (index, share) in self.shares.iter().enumerate() {
            let weight = i32::from(share.weight);
            total += weight;
            owed[index] += weight;
            if owed[index] > owed[most] {
                most = index;
            }
        }
        owed[most] -= total;
        most
    }
}

#[cfg(test)]
mod tests;
