//! Serves HTTP/1.1 with hyper.

use std::pin::Pin;

use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drain::Draining;
use crate::listener::keeper::{Ended, Keeper, Kept};
use crate::listener::metrics::Metrics;
use crate::listener::requests::Requests;
use crate::listener::settings::Limits;
use crate::listener::watchdog::{Heads, Readable, Watchdog, Watched};
use crate::listener::{Handler, linger};

/// Serves HTTP/1.1. Between two requests that are not close to each other the connection is at rest: of hyper, whose buffers
/// are half of what a connection takes, nothing is kept.
pub(crate) async fn serve<H, T, O>(
    mut transport: Watched<T, O>,
    mut requests: Requests<H>,
    limits: &Limits,
    metrics: &Metrics,
    draining: Draining,
) -> Ended
where
    H: Handler,
    T: AsyncRead + AsyncWrite + Readable + Unpin + Send + 'static,
    O: Unpin + Send + 'static,
{
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Timed);
    let mut keeper = Keeper::new(watchdog, draining, requests.uploads.clone());
    loop {
        let served = builder(limits).serve_connection(TokioIo::new(transport), requests);
        let mut served = Box::new(served.with_upgrades());
        match keeper.keep(Pin::new(&mut *served), |served| served.graceful_shutdown()).await {
            Kept::ToTheEnd(Ended::TimedOut) => return Ended::TimedOut,
            Kept::ToTheEnd(ended) => {
                // A tunnel has taken the transport where there are no parts.
                if let Some(parts) = served.into_parts() {
                    let transport = parts.io.into_inner();
                    linger::close(transport, keeper.is_stopping()).await;
                }
                return ended;
            }
            Kept::UntilRest => {}
        }
        let Some(parts) = served.into_parts() else { return Ended::Closed };
        transport = parts.io.into_inner();
        transport.put_back(parts.read_buf);
        requests = parts.service;
        metrics.resting.increment();
        let woken = keeper.rest(&mut transport).await;
        metrics.resting.decrement();
        if let Some(ended) = woken {
            if matches!(ended, Ended::Closed) {
                linger::close(transport, keeper.is_stopping()).await;
            }
            return ended;
        }
    }
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
