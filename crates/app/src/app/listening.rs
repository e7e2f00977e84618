//! The listening sockets: which there are, and how they come and go with the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::app::error::{Error, Place};
use crate::app::generation::{Generation, Listener, ListenerId};
use crate::config::Config;
use crate::drain::{Draining, PartStop, Parts, Spawner};
use crate::listener::state::ProcessListener;
use crate::socket::accept;
use crate::socket::foreign::{ForeignSockets, Passed};
use crate::socket::inherited::Inherited;

/// A listener that is open on every worker.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) process: ProcessListener,
    /// With the port that was taken.
    pub(crate) address: SocketAddr,
    stop: PartStop,
}

impl Open {
    /// Closes the listener: its workers accept what waits, and its connections finish their requests. What is not finished after `time` is cut.
    pub(crate) async fn close(self, time: Duration) {
        self.stop.stop();
        tokio::time::sleep(time).await;
        if self.stop.cut() {
            tracing::warn!(
                address = %self.address,
                "connections of a listener that was removed had not finished within drain_timeout and are closed"
            );
        }
    }
}

/// A new listener as one worker gets it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) standing: Standing,
    /// Usually one. More if another process with more workers had them.
    pub(crate) sockets: Vec<std::net::TcpListener>,
    pub(crate) draining: Draining,
}

/// A listener as a worker remembers it, so that a worker that is restarted can open it again.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) id: ListenerId,
    pub(crate) process: ProcessListener,
    pub(crate) address: SocketAddr,
    pub(crate) spawner: Spawner,
}

/// What changes when a generation takes the place of another.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) open: BTreeMap<ListenerId, Open>,
    /// For each worker.
    pub(crate) opened: Vec<Vec<Opened>>,
    pub(crate) closed: Vec<ListenerId>,
}

/// Sockets that need not be bound.
pub(crate) struct Sources<'s> {
    pub(crate) inherited: &'s mut Inherited,
    pub(crate) foreign: &'s ForeignSockets,
}

/// Checks that `config` has a listener, or the admin endpoint, for each socket of the service manager.
///
/// # Errors
///
/// [`Error::Unwanted`]: connections would wait there, and nobody would accept them.
pub(crate) fn check(config: &Config, passed: &[Passed]) -> Result<(), Error> {
    let listeners = config.listeners.iter().map(|listener| listener.settings.address);
    let wanted: Vec<SocketAddr> = listeners.chain([config.admin.address]).collect();
    match passed.iter().find(|passed| !wanted.contains(&passed.address)) {
        Some(Passed { number, name, address, .. }) => {
            Err(Error::Unwanted { number: *number, name: name.clone(), address: *address })
        }
        None => Ok(()),
    }
}

/// Opens the listeners that `generation` has and `before` has not, for `workers` workers. Takes their sockets out of
/// `from` if they are there.
///
/// # Errors
///
/// Returns an error if an address cannot be bound, and then leaves nothing open that was not open before.
pub(crate) fn change(
    generation: &Generation,
    before: &BTreeMap<ListenerId, Open>,
    workers: usize,
    parts: &Parts,
    from: &mut Sources<'_>,
) -> Result<Change, Error> {
    let mut change =
        Change { open: BTreeMap::new(), opened: (0..workers).map(|_| Vec::new()).collect(), closed: Vec::new() };
    for listener in generation.listeners.iter().filter(|listener| !before.contains_key(&listener.id)) {
        let (open, opened) = self::open(listener, workers, parts, from)?;
        change.open.insert(listener.id.clone(), open);
        change.opened.iter_mut().zip(opened).for_each(|(of_worker, opened)| of_worker.push(opened));
    }
    let stays = |id: &ListenerId| generation.listeners.iter().any(|listener| listener.id == *id);
    change.closed = before.keys().filter(|id| !stays(id)).cloned().collect();
    Ok(change)
}

fn open(
    listener: &Listener,
    workers: usize,
    parts: &Parts,
    from: &mut Sources<'_>,
) -> Result<(Open, Vec<Opened>), Error> {
    let settings = listener.on_wire.settings();
    let failed =
        |source| Error::Bind { place: Place::Listener(settings.name.to_string()), address: settings.address, source };
    let inherited = from.inherited.take(&listener.id.key(), settings.address);
    let sockets = accept::open(settings.address, workers, inherited, from.foreign).map_err(failed)?;
    let address = sockets[0][0].local_addr().map_err(Error::Worker)?;
    let (stop, draining) = parts.part().ok_or(Error::Stopping)?;
    let process = ProcessListener::new(&settings.limits, workers);
    process.ask(settings);
    let standing = Standing { id: listener.id.clone(), process: process.clone(), address, spawner: draining.spawner() };
    let opened = sockets
        .into_iter()
        .map(|sockets| Opened { standing: standing.clone(), sockets, draining: draining.clone() })
        .collect();
    Ok((Open { process, address, stop }, opened))
}
