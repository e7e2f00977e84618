//! Why a takeover fails.

use std::io;

/// The version of the protocol. Two processes with different versions refuse each other.
pub(super) const VERSION: u32 = 1;

/// Maximum number of sockets: more than 60 listeners with 64 workers each.
pub(super) const SOCKETS_MAX: usize = 4096;

/// Why no socket changes hands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{path}: the directory cannot be used")]
    Directory { path: String, source: io::Error },
    #[error("{path}: the directory must belong to the user of this process, and nobody else may enter it (chmod 700)")]
    NotPrivate { path: String },
    #[error("{path}: not the name of a file in a directory")]
    NoName { path: String },
    #[error("the other process has another user (number {0})")]
    OtherUser(u32),
    #[error("the other process speaks version {0} of the protocol, this one version {VERSION}")]
    Version(u32),
    #[error("the other process refuses: {0}")]
    Refused(String),
    #[error("the other process said something that does not belong here")]
    Unexpected,
    #[error("more than {SOCKETS_MAX} sockets")]
    TooMany,
    #[error("the other process was not heard in time, or has ended")]
    Lost(#[from] io::Error),
}
