//! Ends exchanges that last when the evidence for their user no longer holds (attacks W-03), or no longer meets what `authorize` of
//! the rule requires (attacks A-06).

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::sync::watch;

use crate::action::authorize::{Authorize, Origin};
use crate::action::requirement::Asked;
use crate::action::visitor::{Lease, Renewed};
use crate::clock::Clock;
use crate::exchange::client::NotAccepted;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::identity::Identity;
use crate::message::BoxError;
use crate::message::body::Body;
use crate::telemetry::line_budget::LineBudget;

/// How often an exchange that lasts asks whether the evidence still holds. What a user pool of this process ends is known at once.
const BEAT: Duration = Duration::from_secs(5);

/// The user may no longer see the rest of a response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseOver {
    #[error("the session has expired or was ended")]
    Ended,
    #[error("a refresh has brought claims that `authorize` does not accept ({})", .0.code())]
    Refused(Reason),
    #[error("the claims of a refresh are not known here")]
    Missed,
    #[error(transparent)]
    Certificate(#[from] NotAccepted),
}

impl LeaseOver {
    /// For the access record.
    pub(crate) const fn reason(&self) -> Reason {
        match self {
            Self::Ended | Self::Missed => Reason::SessionEnded,
            Self::Refused(reason) => *reason,
            Self::Certificate(_) => Reason::RequestClientCertificate,
        }
    }
}

/// Watches the evidence for the user of an exchange that lasts, and the certificate of the client.
#[derive(Debug)]
pub(crate) struct Watch {
    /// `None` if nobody is signed in.
    pub(crate) lease: Option<Rc<dyn Lease>>,
    /// The client has shown a certificate if [`Client::has_certificate`](crate::exchange::client::Client::has_certificate).
    pub(crate) connection: Rc<Connection>,
    /// What let the user in.
    pub(crate) authorize: Arc<[Arc<Authorize>]>,
    /// For the lines of the log of `mode: report`.
    pub(crate) origin: Origin,
    pub(crate) reported: Rc<LineBudget>,
    pub(crate) clock: Clock,
}

impl Watch {
    /// Becomes ready when the lease is over, or was renewed with claims that some `authorize` does not accept. At most [`BEAT`] late,
    /// and after the renewal has become known to this worker.
    pub(crate) async fn over(self) -> LeaseOver {
        let mut asked = None;
        let mut changes = self.lease.as_ref().and_then(|lease| lease.changes());
        if let Some(changes) = &mut changes {
            // It may have ended since the request was let pass.
            changes.mark_changed();
        }
        loop {
            // Both may be dropped at any time: neither loses anything that `check` does not see.
            tokio::select! {
                () = tokio::time::sleep(BEAT) => {}
                () = changed(&mut changes) => {}
            }
            if let Err(over) = self.check(&mut asked) {
                return over;
            }
        }
    }

    /// `asked` are the claims that were asked about last.
    fn check(&self, asked: &mut Option<Arc<Identity>>) -> Result<(), LeaseOver> {
        let now = self.clock.now();
        if self.connection.client.has_certificate() {
            self.connection.client.recheck(now)?;
        }
        let Some(lease) = &self.lease else { return Ok(()) };
        if lease.is_over(now) {
            return Err(LeaseOver::Ended);
        }
        match lease.renewed() {
            Renewed::No => Ok(()),
            Renewed::Known(identity) if asked.as_ref().is_some_and(|asked| Arc::ptr_eq(asked, &identity)) => Ok(()),
            Renewed::Known(identity) => {
                let identity = asked.insert(identity);
                let asked = Asked { identity: Some(identity), certificate: self.connection.client.verified() };
                let mut gates = self.authorize.iter();
                gates
                    .try_for_each(|gate| gate.recheck(&self.reported, &self.origin, asked, now))
                    .map_err(|reason| LeaseOver::Refused(if lease.is_token() { reason.of_token() } else { reason }))
            }
            Renewed::Missed if self.authorize.iter().any(|gate| gate.is_enforced()) => Err(LeaseOver::Missed),
            Renewed::Missed => Ok(()),
        }
    }
}

/// Becomes ready at the next change. Never, if there are none.
async fn changed(changes: &mut Option<watch::Receiver<()>>) {
    let changed = match changes {
        Some(changes) => changes.changed().await.is_ok(),
        None => false,
    };
    if !changed {
        std::future::pending().await
    }
}

/// How many frames a body may have without a pause before the watch begins: most responses are shorter, and need no timer.
const FRAMES_UNWATCHED: u32 = 64;

/// `body`, which fails with the [`LeaseOver`] of `over`. `over` begins when `body` first has to wait for data, or is long.
pub(crate) fn until(over: impl Future<Output = LeaseOver> + 'static, body: Body) -> Body {
    Body::streaming(Leased { body, over: Box::pin(over), unwatched: FRAMES_UNWATCHED })
}

struct Leased {
    body: Body,
    over: Pin<Box<dyn Future<Output = LeaseOver>>>,
    /// How many frames may still pass before `over` begins.
    unwatched: u32,
}

impl http_body::Body for Leased {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) {
            return polled;
        }
        // Once the timer runs, it is also checked for a body that no longer waits.
        self.unwatched = if polled.is_pending() { 0 } else { self.unwatched.saturating_sub(1) };
        if self.unwatched == 0
            && let Poll::Ready(over) = self.over.as_mut().poll(cx)
        {
            // It is never asked again, and the connection to the target is closed.
            self.body = Body::empty();
            return Poll::Ready(Some(Err(over.into())));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests;
