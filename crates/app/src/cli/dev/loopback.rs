//! A small web server on a free loopback port, for what `dev` brings along.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::sync::Semaphore;

use crate::drain;
use crate::socket::accept;

/// Maximum number of open connections: as many as the listener in front of the demo application allows.
const CONNECTIONS_MAX: usize = 1000;

/// Starts a server on its own thread, which ends with the process. Returns its address.
///
/// # Errors
///
/// If no port or thread is available.
pub(super) fn start<A, F>(name: &str, answer: A) -> io::Result<SocketAddr>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Bytes>> + 'static,
{
    let socket = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || runtime.block_on(serve(socket, answer)))?;
    Ok(address)
}

async fn serve<A, F>(socket: std::net::TcpListener, answer: A)
where
    A: Fn(Request<Incoming>) -> F + Clone + 'static,
    F: Future<Output = Response<Bytes>> + 'static,
{
    let Ok(socket) = tokio::net::TcpListener::from_std(socket) else { return };
    let (connections, permits) = (tokio::task::LocalSet::new(), Arc::new(Semaphore::new(CONNECTIONS_MAX)));
    connections
        .run_until(async {
            loop {
                let accepted = accept::next(&socket, &permits).await;
                let answer = answer.clone();
                let service = service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await.map(Full::new)) }
                });
                let served = http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(accepted.stream), service);
                drain::background(async move {
                    let _ = served.await;
                    drop(accepted.permit);
                });
            }
        })
        .await;
}
