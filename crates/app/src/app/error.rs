//! Why the process cannot start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use crate::message::BoxError;

/// The reasons why the process cannot start. Errors in the configuration are reported earlier.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Binding an address failed.
    #[error("{place}: cannot listen on {address}{}", way_out(.place, .source))]
    Bind { place: Place, address: SocketAddr, source: io::Error },
    /// A listener or the admin endpoint of this process has the port.
    #[error(
        "{place}: cannot listen on {address}: this process itself listens on this port, at {ours}; remove that in one reload, and add the \
         new address in the next"
    )]
    OwnPort { place: Place, address: SocketAddr, ours: SocketAddr },
    /// The service manager passes a socket that is not needed.
    #[error(
        "socket {number} of the service manager (`{name}`) listens on {address}, and no listener has this address: give it to a listener or to \
         `admin.address`, or remove it from the socket unit"
    )]
    Unwanted { number: usize, name: String, address: SocketAddr },
    /// The access log cannot be opened.
    #[error("the access log cannot be opened")]
    AccessLog(#[source] io::Error),
    /// Starting a thread or runtime failed.
    #[error("a worker cannot be started")]
    Worker(#[source] io::Error),
    /// A configuration was to be adopted while the process stops.
    #[error("the process is stopping")]
    Stopping,
    /// The client of the collector of traces cannot be made.
    #[error("the collector of traces cannot be set up")]
    Traces(#[source] BoxError),
    /// The database of a user pool cannot be opened.
    #[error("the store of the user pool `{pool}` cannot be used")]
    Store { pool: String, source: BoxError },
    /// The keys of a user pool cannot be read or made.
    #[error("the keys of the user pool `{pool}` cannot be used: {error}")]
    PoolKeys { pool: String, error: String },
    /// The client for a mail server or SMS gateway cannot be set up.
    #[error("user pool `{pool}`: the client for the server of messages cannot be set up")]
    Courier { pool: String, source: BoxError },
    /// The TLS roots for a provider cannot be set up.
    #[error("provider `{name}` cannot be set up")]
    Provider { name: String, source: BoxError },
}

impl Error {
    /// The same error of a process that listens on the addresses `own`: one of them may be why a port cannot be taken.
    pub(crate) fn beside(self, own: impl IntoIterator<Item = SocketAddr>) -> Self {
        let Self::Bind { place, address, source } = self else { return self };
        let overlaps = |ours: &SocketAddr| {
            let is_any = ours.ip().is_unspecified() || address.ip().is_unspecified();
            ours.port() == address.port() && (is_any || ours.ip() == address.ip())
        };
        let ours = own.into_iter().find(overlaps).filter(|_| source.kind() == io::ErrorKind::AddrInUse);
        match ours {
            Some(ours) => Self::OwnPort { place, address, ours },
            None => Self::Bind { place, address, source },
        }
    }
}

/// What a socket is for.
#[derive(Debug)]
pub enum Place {
    /// The endpoint of `admin.address`.
    Admin,
    /// The listener of that name.
    Listener(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Admin => f.write_str("admin endpoint"),
            Self::Listener(name) => write!(f, "listener `{name}`"),
        }
    }
}

/// What the operator can do about a socket that cannot be bound.
fn way_out(place: &Place, error: &io::Error) -> String {
    let setting = match place {
        Place::Admin if error.kind() == io::ErrorKind::AddrInUse => {
            "`admin.address`: each instance on a machine needs one of its own"
        }
        Place::Admin => "`admin.address`",
        Place::Listener(_) => "`address` of this listener",
    };
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!(" (another process uses this port: stop it, or change {setting})")
        }
        io::ErrorKind::AddrNotAvailable => {
            format!(" (this machine does not have this address: change {setting})")
        }
        io::ErrorKind::PermissionDenied => format!(
            " (ports below 1024 need the capability CAP_NET_BIND_SERVICE; deploy/systemd grants it; or change {setting})"
        ),
        _ => String::new(),
    }
}
