use std::future::Future as _;

use tokio::time::{Instant, Sleep};

use super::*;
use crate::message::body::limits::TooSlow;

#[tokio::test]
async fn a_body_in_memory_reads_back_within_its_limit() {
    assert_eq!(Body::full("hello").whole(5).await.expect("fits"), "hello");
    assert!(Body::full("hello").whole(4).await.is_err());
    assert_eq!(Body::empty().whole(0).await.expect("fits"), "");
}

/// Sends a fixed number of bytes at fixed intervals, and never ends.
struct Drip {
    bytes: &'static [u8],
    every: Duration,
    next: Pin<Box<Sleep>>,
}

impl http_body::Body for Drip {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        ready!(self.next.as_mut().poll(cx));
        let next = self.next.deadline() + self.every;
        self.next.as_mut().reset(next);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.bytes)))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_comes_slower_than_its_rate_fails_and_no_other() {
    for (bytes, every, limit, expected) in [
        // A byte a second is too slow after ten seconds and the second that the bytes themselves give.
        (&b"x"[..], 1, 10, Some(11)),
        (b"0123456789", 1, 10, None),
        (b"01234567890123456789", 2, 10, None),
        (b"x", 1, 0, None),
    ] {
        let every = Duration::from_secs(every);
        let next = Box::pin(tokio::time::sleep(every));
        let mut body = Body::streaming(Drip { bytes, every, next });
        body.limit_idle(Duration::from_secs(60));
        body.limit_rate(limit);
        let begin = Instant::now();
        let failed = loop {
            if begin.elapsed() > Duration::from_secs(600) {
                break None;
            }
            let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await.expect("no end");
            if let Err(error) = frame {
                assert!(error.is::<TooSlow>(), "{error}");
                break Some(begin.elapsed().as_secs());
            }
        };
        assert_eq!(failed, expected, "{} bytes every {every:?} at {limit}", bytes.len());
    }
}

#[tokio::test(start_paused = true)]
async fn time_in_which_nobody_waits_for_a_body_does_not_count() {
    let every = Duration::from_secs(1);
    let mut body = Body::streaming(Drip { bytes: b"x", every, next: Box::pin(tokio::time::sleep(every)) });
    body.limit_rate(10);
    for _ in 0..20 {
        // The target takes its time; the client has sent long before.
        tokio::time::sleep(Duration::from_secs(30)).await;
        let frame = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await;
        frame.expect("no end").expect("not too slow");
    }
    body.lift_rate();
}
