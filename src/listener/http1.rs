//! Serves HTTP/1.1 with hyper.
//!
//! `screen.rs` looks at what hyper reads and writes: we answer the heads that hyper does not read.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod screen;

use std::pin::Pin;
use std::rc::Rc;

use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drain::Draining;
use crate::exchange::rejection::Reason;
use crate::listener::http1::screen::{Left, Screened};
use crate::listener::keeper::{Ended, Keeper, Kept};
use crate::listener::linger::Patience;
use crate::listener::metrics::Metrics;
use crate::listener::requests::Requests;
use crate::listener::settings::Limits;
use crate::listener::watchdog::{Heads, Readable, Watchdog, Watched};
use crate::listener::{Handler, linger, refusal};
use crate::message::unread::{self, Look, Unread};

/// Serves HTTP/1.1. Between two requests that are not close to each other the connection is at rest: of hyper, whose buffers
/// are half of what a connection takes, nothing is kept.
pub(crate) async fn serve<H, T, O>(
    transport: Watched<T, O>,
    mut requests: Requests<H>,
    limits: &Limits,
    metrics: &Metrics,
    draining: Draining,
) where
    H: Handler,
    T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static,
    O: Unpin + Send + 'static,
{
    let activity = transport.activity();
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Timed);
    let mut keeper = Keeper::new(watchdog, draining, requests.uploads.clone());
    let mut screened = Screened::new(transport, limits.head_bytes_max);
    loop {
        let served = builder(limits).serve_connection(TokioIo::new(screened), requests);
        let mut served = Box::new(served.with_upgrades());
        let kept = keeper.keep(Pin::new(&mut *served), |served| served.graceful_shutdown()).await;
        // A tunnel has taken the transport where there are no parts.
        let Some(parts) = served.into_parts() else { return };
        requests = parts.service;
        let (mut transport, left) = parts.io.into_inner().into_parts(parts.read_buf);
        let ended = match kept {
            Kept::ToTheEnd(ended) => ended,
            Kept::UntilRest => {
                transport.put_back(left.into_bytes());
                metrics.resting.increment();
                let woken = keeper.rest(&mut transport).await;
                metrics.resting.decrement();
                match woken {
                    None => {
                        screened = Screened::new(transport, limits.head_bytes_max);
                        continue;
                    }
                    Some(Ended::TimedOut) => return metrics.timed_out.increment(),
                    Some(_) => return linger::close(transport, keeper.patience()).await,
                }
            }
        };
        if matches!(ended, Ended::TimedOut) {
            metrics.timed_out.increment();
        }
        match next(ended, left, activity.is_flushed()) {
            Next::Read(head) => {
                transport.put_back(head);
                screened = Screened::new(transport, limits.head_bytes_max).behind_the_line();
            }
            Next::Refuse(reason, head) => {
                let connection = Rc::clone(&requests.connection);
                let response = requests.handler.refuse(connection, Unread::of(&head), reason);
                let patience = match reason {
                    Reason::RequestHeadTimeout => Patience::Short,
                    _ => keeper.patience(),
                };
                // Nothing of it is kept while the client takes its answer.
                drop(head);
                transport.put_back(Bytes::new());
                return refusal::send(transport, response, patience).await;
            }
            Next::Close => return linger::close(transport, keeper.patience()).await,
            Next::Drop => return,
        }
    }
}

/// What becomes of a connection that hyper has served to an end.
enum Next {
    /// hyper reads this head.
    Read(Bytes),
    /// The head, as much as there is of it, is answered by us.
    Refuse(Reason, Bytes),
    /// Close in order.
    Close,
    /// Close at once: there is nobody to tell anything.
    Drop,
}

fn next(ended: Ended, left: Left, is_flushed: bool) -> Next {
    let (head, is_held_back) = match left {
        Left::Head { bytes, is_held_back } => (bytes, is_held_back),
        Left::Rest(_) => (Bytes::new(), false),
    };
    let reason = match ended {
        Ended::Closed if !is_held_back => return Next::Close,
        Ended::TimedOut if head.trim_ascii().is_empty() || !is_flushed => return Next::Drop,
        Ended::TimedOut => Reason::RequestHeadTimeout,
        Ended::Refused(Reason::RequestHeadTooLarge) => Reason::RequestHeadTooLarge,
        // The library finds nothing to refuse or to cut off in a head that was looked at: it is not looked at again.
        Ended::Closed | Ended::Refused(_) => match unread::look(&head) {
            Look::Encoded(head) => return Next::Read(head),
            Look::Fragment => Reason::RequestPath,
            Look::Plain if is_held_back => return Next::Read(head),
            Look::Plain => Reason::RequestMalformed,
        },
    };
    Next::Refuse(reason, head)
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // The watchdog times heads without a timer for each.
        .header_read_timeout(None)
        .max_headers(limits.headers_max)
        // The buffer grows in steps and may hold more than this; a head in it may not be longer.
        .max_header_size(limits.head_bytes_max)
        .max_buf_size(limits.head_bytes_max.max(8192));
    builder
}
