//! The socket of the admin endpoint.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::admin::{self, Admin};
use crate::app::error::{Error, Place};
use crate::app::process::Process;
use crate::app::supervise::keep_running;
use crate::app::vitals::Vitals;
use crate::socket::accept;
use crate::socket::inherited::Inherited;

/// An open admin endpoint. It accepts no more connections when this is dropped.
#[derive(Debug)]
pub(crate) struct AdminDoor {
    /// As configured.
    pub(crate) configured: SocketAddr,
    /// With the port that was taken.
    pub(crate) address: SocketAddr,
    socket: Arc<tokio::net::TcpListener>,
    _close: oneshot::Sender<()>,
}

impl AdminDoor {
    /// The socket as another process of Vestibule knows it.
    fn key_of(configured: SocketAddr) -> String {
        format!("admin {configured}")
    }

    /// A copy of the socket with its key.
    pub(crate) fn lend(&self) -> io::Result<(String, OwnedFd)> {
        Ok((Self::key_of(self.configured), self.socket.as_fd().try_clone_to_owned()?))
    }
}

/// A bound socket of the admin endpoint that does not accept yet.
#[derive(Debug)]
pub(crate) struct Bound {
    configured: SocketAddr,
    address: SocketAddr,
    socket: Arc<tokio::net::TcpListener>,
}

impl Bound {
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound.
    pub(crate) fn new(configured: SocketAddr, process: &Process, inherited: &mut Inherited) -> Result<Self, Error> {
        let failed = |source| Error::Bind { place: Place::Admin, address: configured, source };
        let inherited = inherited.take(&AdminDoor::key_of(configured), configured);
        let mut opened = accept::open(configured, 1, inherited, &process.foreign).map_err(failed)?;
        // A process has one.
        let bound = opened.remove(0).remove(0);
        let address = bound.local_addr().map_err(Error::Worker)?;
        let socket = process.control.enter(|| tokio::net::TcpListener::from_std(bound)).map_err(Error::Worker)?;
        Ok(Self { configured, address, socket: Arc::new(socket) })
    }

    /// Serves until the returned value is dropped, or the process ends: probes must also be answered while the process drains.
    pub(crate) fn open(self, admin: Admin, process: &Process, vitals: &Vitals) -> AdminDoor {
        let Self { configured, address, socket } = self;
        let part = vitals.part("accept", "accept loop of the admin endpoint".to_owned());
        let detached = process.control.clone();
        let (close, closed) = oneshot::channel::<()>();
        let accepting = Arc::clone(&socket);
        process.control.start_detached(async move {
            let serving = keep_running(&part, || admin::serve(&admin, &accepting, &detached));
            tokio::select! {
                () = serving => {}
                // Nothing is ever sent: the sender is dropped.
                _ = closed => {}
            }
        });
        AdminDoor { configured, address, socket, _close: close }
    }
}
