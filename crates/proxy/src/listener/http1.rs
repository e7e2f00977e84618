//! Serves HTTP/1.1 with hyper.
//!
//! `screen.rs` checks what hyper reads and writes. Vestibule itself responds to heads that hyper cannot parse.

mod screen;

use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::clock::Clock;
use crate::drain::Draining;
use crate::exchange::rejection::Reason;
use crate::listener::driver::{Closed, ConnectionDriver, Served};
use crate::listener::http1::screen::{Left, Screened};
use crate::listener::linger::Patience;
use crate::listener::requests::{Handler, Requests};
use crate::listener::settings::Limits;
use crate::listener::state::Terms;
use crate::listener::transport::{Readable, Watched};
use crate::listener::watchdog::{Heads, Watchdog};
use crate::listener::{linger, refusal};
use crate::message::unread::{self, Look, Unread};
use crate::message::uri;

/// Serves HTTP/1.1. If the next request does not follow soon, the connection rests: hyper's state is dropped, because
/// hyper's buffers take half of the memory of a connection.
pub(crate) async fn serve<H, T, O>(
    transport: Watched<T, O>,
    mut requests: Requests<H>,
    terms: Terms,
    clock: &Clock,
    draining: Draining,
) where
    H: Handler,
    T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static,
    O: Unpin + Send + 'static,
{
    let Terms { limits, metrics, looks_at_heads } = &terms;
    let activity = transport.activity();
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Timed);
    let mut driver = ConnectionDriver::new(watchdog, draining, requests.uploads.clone());
    let mut screened = Screened::new(transport, limits.head_bytes_max, *looks_at_heads);
    loop {
        let served = builder(limits).serve_connection(TokioIo::new(screened), requests);
        let mut served = Box::new(served.with_upgrades());
        let kept = driver.drive(Pin::new(&mut *served), |served| served.graceful_shutdown()).await;
        // `None` here means that the connection was upgraded: the tunnel owns the transport now.
        let Some(parts) = served.into_parts() else { return };
        requests = parts.service;
        let (mut transport, left) = parts.io.into_inner().into_parts(parts.read_buf);
        let ended = match kept {
            Served::ToTheEnd(ended) => ended,
            Served::UntilRest => {
                transport.put_back(left.into_bytes());
                metrics.resting.increment();
                let woken = driver.rest(&mut transport).await;
                metrics.resting.decrement();
                match woken {
                    None => {
                        screened = Screened::new(transport, limits.head_bytes_max, *looks_at_heads);
                        continue;
                    }
                    Some(Closed::TimedOut) => return metrics.timed_out.increment(),
                    Some(Closed::Cut) => return,
                    Some(_) => return linger::close(transport, driver.patience()).await,
                }
            }
        };
        if matches!(ended, Closed::TimedOut) {
            metrics.timed_out.increment();
        }
        let finding = if *looks_at_heads { left.finding() } else { None };
        match next(ended, left, activity.is_flushed(), limits.head_bytes_max, finding.is_some()) {
            Next::Read(head) => {
                transport.put_back(head);
                screened = Screened::new(transport, limits.head_bytes_max, *looks_at_heads).behind_the_line();
            }
            Next::Refuse(reason, head) => {
                let connection = Rc::clone(&requests.connection);
                let response = requests.handler().refuse(connection, Unread { finding, ..Unread::of(&head) }, reason);
                let patience = match reason {
                    Reason::RequestHeadTimeout => Patience::Short,
                    _ => driver.patience(),
                };
                // Free the head before waiting for the client to read the response.
                drop(head);
                transport.put_back(Bytes::new());
                return refusal::send(transport, response, clock.now(), patience).await;
            }
            Next::Close => return linger::close(transport, driver.patience()).await,
            Next::Drop => return,
        }
    }
}

/// What to do with a connection when hyper's future has ended.
enum Next {
    /// Let hyper parse this head.
    Read(Bytes),
    /// Respond with an error page. The head may be incomplete.
    Refuse(Reason, Bytes),
    /// Close with lingering, so that the last response arrives (`linger.rs`).
    Close,
    /// Close at once, because there is no request to respond to.
    Drop,
}

fn next(ended: Closed, left: Left, is_flushed: bool, head_bytes_max: usize, is_refused: bool) -> Next {
    let (head, is_held_back) = match left {
        Left::Head { bytes, is_held_back } => (bytes, is_held_back),
        Left::Rest(_) => (Bytes::new(), false),
    };
    let reason = match ended {
        Closed::ByEitherSide if !is_held_back => return Next::Close,
        Closed::Cut => return Next::Drop,
        Closed::TimedOut if head.trim_ascii().is_empty() || !is_flushed => return Next::Drop,
        Closed::TimedOut => Reason::RequestHeadTimeout,
        Closed::Refused(Reason::RequestHeadTooLarge) if unread::has_long_line(&head, head_bytes_max) => {
            Reason::RequestUriTooLong
        }
        Closed::Refused(Reason::RequestHeadTooLarge) => Reason::RequestHeadTooLarge,
        // hyper finds nothing to refuse or to cut off in a head after `unread::look` has encoded it. So such a head is
        // not checked again.
        Closed::ByEitherSide if is_refused => Reason::RequestNotCompliant,
        Closed::ByEitherSide | Closed::Refused(_) => match unread::look(&head) {
            Look::Encoded(head) => return Next::Read(head),
            Look::Fragment => uri::Error::Fragment.into(),
            Look::Plain if is_held_back => return Next::Read(head),
            Look::Plain if unread::has_other_version(&head) => Reason::RequestVersion,
            Look::Plain => Reason::RequestMalformed,
        },
    };
    Next::Refuse(reason, head)
}

pub(super) fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // No timer of hyper: the watchdog enforces `head_timeout` without a timer for each head.
        .header_read_timeout(None)
        .max_headers(limits.headers_max)
        // hyper's buffer grows in steps and may be larger than this limit. A head may not be longer than the limit.
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(limits.head_bytes_max.max(8192));
    builder
}
