//! From socket to request: accept, handshake, HTTP/1.1 or HTTP/2.
//!
//! This room knows nothing about rules or targets: it passes each request to a [`Handler`]. Start at [`serve`].

mod activity;
mod connection;
mod driver;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
mod http1;
pub mod http2;
mod linger;
pub mod metrics;
mod per_address;
mod permits;
mod plain_http;
mod proxy_protocol;
mod refusal;
pub(crate) mod requests;
pub mod settings;
pub mod state;
mod tickets;
pub mod tls;
mod tls_stream;
mod transport;
mod wake_gate;
mod watchdog;

use std::rc::Rc;

use crate::drain::Draining;
use crate::socket::accept;
use per_address::AddressPermit;
use requests::Handler;
use state::WorkerListener;

/// Accepts connections on `socket` and serves them until `draining` says stop. Then requests in progress may finish.
/// Returns when no more connections are accepted. Open connections hold `draining`.
pub async fn serve<H: Handler>(
    listener: &Rc<WorkerListener<H>>,
    socket: &tokio::net::TcpListener,
    mut draining: Draining,
) {
    loop {
        let accepted = tokio::select! {
            biased;
            // Cancel-safe: `accept::next` returns a connection only when it is ready, so dropping it loses none.
            () = draining.stopping() => break,
            accepted = accept::next(socket, listener.process.permits.semaphore()) => accepted,
        };
        start(listener, accepted, &draining);
    }
    // Serve the connections that the kernel has already accepted: closing them would lose requests (a lost request is
    // the second worst thing).
    for accepted in accept::waiting(socket, listener.process.permits.semaphore()) {
        start(listener, accepted, &draining);
    }
}

fn start<H: Handler>(listener: &Rc<WorkerListener<H>>, accepted: accept::Accepted, draining: &Draining) {
    let served = listener.served();
    let settings = served.generation.settings();
    let is_trusted = settings.forwarded.is_trusted(accepted.peer.ip().to_canonical());
    // The connections of a trusted proxy carry the requests of many clients.
    let address_permit = match &settings.proxy_protocol {
        // It is counted when its header has said who the client is.
        Some(proxy_protocol) if proxy_protocol.is_from(accepted.peer.ip()) => AddressPermit::exempt(),
        Some(_) => {
            let error = "the peer is neither in `proxy_protocol_from` nor, without that, in `trusted_proxies`";
            return listener.refuse_peer(&served, accepted.peer, error);
        }
        None if is_trusted => AddressPermit::exempt(),
        None => match listener.process.per_address.enter(accepted.peer.ip()) {
            Some(permit) => permit,
            None => return served.metrics.refused.increment(),
        },
    };
    drop(served);
    draining.spawn_local(connection::run(Rc::clone(listener), accepted, address_permit, draining.clone()));
}
