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

use crate::action::requirement::{Answer, Requirement};
use crate::action::visitor::Lease;
use crate::clock::Clock;
use crate::identity::Identity;
use crate::message::BoxError;
use crate::message::body::Body;

/// How often an exchange that lasts asks whether the evidence still holds.
const BEAT: Duration = Duration::from_secs(5);

/// The evidence for the user no longer holds: the session has expired or was ended, or a refresh has taken away what the rule requires.
#[derive(Debug, thiserror::Error)]
#[error("the session ended in the middle of the body")]
pub(crate) struct LeaseOver;

/// Becomes ready when `lease` is over, or was renewed with claims that do not meet all of `required`. At most [`BEAT`] late, and
/// after the renewal has become known to this worker.
pub(crate) async fn over(lease: Rc<dyn Lease>, required: Arc<[Requirement]>, clock: Clock) {
    let is_met = |identity: &Identity| required.iter().all(|requirement| requirement.of(identity) == Answer::Yes);
    loop {
        tokio::time::sleep(BEAT).await;
        if lease.is_over(clock.now()) || lease.renewed().is_some_and(|identity| !is_met(&identity)) {
            return;
        }
    }
}

/// `body`, which fails with [`LeaseOver`] when `over` becomes ready. `over` begins when `body` first has to wait for data.
pub(crate) fn until(over: impl Future<Output = ()> + 'static, body: Body) -> Body {
    Body::streaming(Leased { body, over: Box::pin(over), has_waited: false })
}

struct Leased {
    body: Body,
    over: Pin<Box<dyn Future<Output = ()>>>,
    has_waited: bool,
}

impl http_body::Body for Leased {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        // Once the timer runs, it is also checked for a body that no longer waits.
        self.has_waited |= polled.is_pending();
        if self.has_waited && self.over.as_mut().poll(cx).is_ready() {
            self.body = Body::empty();
            self.has_waited = false;
            return Poll::Ready(Some(Err(LeaseOver.into())));
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
mod tests {
    use std::future::poll_fn;

    use tokio::time::Instant;

    use super::*;
    use crate::action::requirement::{ClaimTest, Scalar, Test};
    use crate::action::visitor::tests::{NOW, visitor};

    /// Sends a byte every second, and never ends.
    struct Drip(Pin<Box<tokio::time::Sleep>>);

    impl http_body::Body for Drip {
        type Data = Bytes;
        type Error = BoxError;

        fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
            self.0.as_mut().poll(cx).map(|()| {
                let next = self.0.deadline() + Duration::from_secs(1);
                self.0.as_mut().reset(next);
                Some(Ok(Frame::data(Bytes::from_static(b"x"))))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn w_03_a_body_ends_with_the_evidence_for_its_user() {
        let (visitor, lease) = visitor("{}");
        let drip = Drip(Box::pin(tokio::time::sleep(Duration::from_secs(1))));
        let over = over(Rc::clone(visitor.lease()), Arc::default(), Clock::manual(NOW).0);
        let mut body = until(over, Body::streaming(drip));
        let begin = Instant::now();
        let error = loop {
            let frame = poll_fn(|cx| http_body::Body::poll_frame(Pin::new(&mut body), cx)).await.expect("no end");
            match frame {
                Ok(_) => {
                    assert!(begin.elapsed() < Duration::from_secs(60), "the body goes on");
                    lease.is_withdrawn.set(begin.elapsed() >= Duration::from_secs(17));
                }
                Err(error) => break error,
            }
        };
        assert!(error.is::<LeaseOver>(), "{error}");
        assert_eq!(begin.elapsed().as_secs(), 20, "the first beat after the end");
        assert!(body.is_empty(), "the connection to the target is closed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_06_what_lasts_ends_when_a_renewal_takes_away_what_is_required() {
        let (visitor, lease) = visitor(r#"{"groups": ["sre"]}"#);
        let test = Test::Contains(vec![Scalar::Text("sre".into())]);
        let required = Requirement::Claim(ClaimTest { path: vec!["groups".into()], test });
        let over = over(Rc::clone(visitor.lease()), [required].into(), Clock::manual(NOW).0);
        let mut over = std::pin::pin!(over);
        for claims in [None, Some(r#"{"groups": ["sre", "staff"]}"#)] {
            lease.renewed.set(claims);
            tokio::time::timeout(10 * BEAT, over.as_mut()).await.expect_err("the user still may come in");
        }
        // Unknown is not enough.
        lease.renewed.set(Some("{}"));
        tokio::time::timeout(BEAT, over).await.expect("it is over");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_ends_before_its_evidence_is_whole() {
        let (visitor, _lease) = visitor("{}");
        let over = over(Rc::clone(visitor.lease()), Arc::default(), Clock::manual(NOW).0);
        let body = until(over, Body::full("hello"));
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(5));
        assert_eq!(body.whole(5).await.expect("whole"), "hello");
    }
}
