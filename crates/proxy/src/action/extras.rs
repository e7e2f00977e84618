//! What a `forward` needs only if it has several target groups or transforms. All other requests have nothing to do with it.

use std::rc::Rc;

use http::{HeaderMap, HeaderValue};

use crate::action::transform::{self, Transforms};
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::Transformed;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::upstream::weighted::{self, Picked, WeightedGroups};

/// The extras of one `forward`. All workers share them.
#[derive(Debug)]
pub struct Extras {
    /// `None` if there is one group.
    pub weighted: Option<weighted::Settings>,
    pub transforms: Option<transform::Settings>,
}

/// The extras of one `forward`, for one worker.
#[derive(Debug)]
pub struct WorkerExtras {
    weighted: Option<WeightedGroups>,
    transforms: Option<Transforms>,
}

impl WorkerExtras {
    /// `worker` is the number of the worker.
    pub fn new(extras: &Extras, worker: usize) -> Self {
        Self {
            weighted: extras.weighted.as_ref().map(|settings| WeightedGroups::new(settings, worker)),
            transforms: extras.transforms.as_ref().map(Transforms::new),
        }
    }

    /// The group of a request, if there are several.
    pub(super) fn pick(&self, headers: &HeaderMap, scheme: Scheme, now: Timestamp) -> Option<Picked> {
        Some(self.weighted.as_ref()?.pick(headers, scheme, now))
    }

    /// The cookies that keep the browser at its group. `headers` are those of the target's answer.
    pub(super) fn cookies(&self, picked: Picked, headers: &HeaderMap, now: Timestamp) -> Option<Rc<[HeaderValue]>> {
        self.weighted.as_ref()?.cookies(picked, headers, now)
    }

    /// Writes into the exchange what the target receives in place of what the client has sent.
    ///
    /// # Errors
    ///
    /// [`Reason::RuleTransformFailed`].
    pub(super) fn transform(&self, exchange: &mut Exchange, canonical: &CanonicalRequest) -> Result<(), Rejection> {
        let Some(transforms) = &self.transforms else { return Ok(()) };
        let (transformed, outcome) = match transforms.apply(canonical) {
            Ok(done) => (Transformed { host: done.host, target: done.target, has_failed: false }, Ok(())),
            Err(failed) => (
                Transformed { host: None, target: None, has_failed: true },
                Err(Rejection::new(Reason::RuleTransformFailed, failed)),
            ),
        };
        exchange.transformed = Some(Box::new(transformed));
        outcome
    }
}
