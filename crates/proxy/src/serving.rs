//! The loop that accepts connections, with the handler that this crate is.
//!
//! `listener` knows no handler. If the crate above put the two together, all that a request passes would be compiled there: for size,
//! not for speed (docs/decisions/0107).

use std::pin::Pin;
use std::rc::Rc;

use tokio::net::TcpListener;

use crate::drain::Draining;
use crate::listener;
use crate::listener::state::WorkerListener;
use crate::proxy::Proxy;

/// As [`listener::serve`].
pub fn serve<'l>(
    listener: &'l Rc<WorkerListener<Proxy>>,
    socket: &'l TcpListener,
    draining: Draining,
) -> Pin<Box<dyn Future<Output = ()> + 'l>> {
    Box::pin(listener::serve(listener, socket, draining))
}
