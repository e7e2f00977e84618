//! Serves HTTP/2 with hyper.

use std::pin::pin;

use hyper::server::conn::http2;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::drain::{Draining, LocalExecutor};
use crate::listener::Handler;
use crate::listener::keeper::{Ended, Keeper, Kept};
use crate::listener::requests::Requests;
use crate::listener::settings::Limits;
use crate::listener::watchdog::{Heads, Watchdog, Watched};

/// Serves HTTP/2 from the preface to the end of the connection.
pub(crate) async fn serve<H, T, O>(
    transport: Watched<T, O>,
    requests: Requests<H>,
    limits: &Limits,
    draining: Draining,
) -> Ended
where
    H: Handler,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    O: Unpin + Send + 'static,
{
    let watchdog = Watchdog::new(transport.activity(), limits, Heads::Untimed);
    let mut keeper = Keeper::new(watchdog, draining, requests.uploads.clone());
    let mut builder = http2::Builder::new(LocalExecutor);
    builder
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
        .timer(TokioTimer::new());
    let served = pin!(builder.serve_connection(TokioIo::new(transport), requests));
    match keeper.keep(served, |served| served.graceful_shutdown()).await {
        Kept::ToTheEnd(ended) => ended,
        Kept::UntilRest => unreachable!("the watchdog sends HTTP/1.1 to rest"),
    }
}
