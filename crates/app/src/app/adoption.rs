//! Tells the workers to serve by another configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};

use tokio::sync::mpsc;

use crate::app::generation::{Generation, Listener, ListenerId};
use crate::app::listening::{Change, Open};
use crate::app::process::Process;
use crate::app::worker::{Adoption, Order};
use crate::app::workers::Inbox;

/// The addresses of the listeners of `generation`, by name, with the ports that were taken.
pub(super) fn addresses(generation: &Generation, open: &BTreeMap<ListenerId, Open>) -> BTreeMap<String, SocketAddr> {
    let address = |listener: &Listener| Some((listener.name().to_owned(), open.get(&listener.id)?.address));
    generation.listeners.iter().filter_map(address).collect()
}

/// Tells every worker. Returns what ends when all of them serve by `generation`.
pub(super) fn adopt(
    generation: &Arc<Generation>,
    change: Change,
    open: &mut BTreeMap<ListenerId, Open>,
    inboxes: &[Inbox],
    process: &Process,
) -> mpsc::Receiver<()> {
    let (adopted, done) = mpsc::channel(1);
    for (inbox, opened) in inboxes.iter().zip(change.opened) {
        let order = Order::Adopt(Adoption {
            generation: Arc::clone(generation),
            opened,
            closed: change.closed.clone(),
            adopted: adopted.clone(),
        });
        // A worker that has ended with the process hears nothing.
        let _ = inbox.send(order);
    }
    for listener in &generation.listeners {
        if let Some(opened) = change.open.get(&listener.id) {
            tracing::info!(listener.name = %listener.name(), address = %opened.address, "listening");
        }
    }
    let drain_timeout = process.shutdown.lock().unwrap_or_else(PoisonError::into_inner).drain_timeout;
    for id in &change.closed {
        if let Some(closed) = open.remove(id) {
            tracing::info!(address = %closed.address, "no longer listening; open connections drain");
            if process.foreign.has(closed.address) {
                tracing::warn!(
                    address = %closed.address,
                    "the service manager still listens here: connections wait, and nobody accepts them; stop its socket unit"
                );
            }
            process.control.start_detached(closed.close(drain_timeout));
        }
    }
    open.extend(change.open);
    done
}
