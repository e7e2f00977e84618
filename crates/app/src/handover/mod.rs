//! Passes listening sockets from one process to another: from the one that serves to the one that takes its place.
//!
//! The process that serves has an [`Offer`]: a Unix socket in a directory that only its user can enter. The new process makes a
//! [`Claim`], gets the sockets (`SCM_RIGHTS`, unix(7)), starts to serve, and says so. Only then does the old one stop. Whatever fails before
//! that leaves the old one as it is. Both ends check that the other has the same user (`SO_PEERCRED`).
//!
//! This room does not know what the sockets are for: each has a key, which both processes derive from their configurations.
//! See docs/decisions/0062-takeover.md.

mod error;
mod message;
mod place;

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{
    AddressFamily, Shutdown, SocketFlags, SocketType, accept_with, connect, listen, shutdown, socket_with,
};
use rustix::process::geteuid;

pub(crate) use error::Error;
use error::{SOCKETS_MAX, VERSION};
use message::{Message, SOCKETS_PER_MESSAGE, receive, send};
pub(crate) use place::Place;
use place::Standing;

/// Maximum time for each message that the other process can send at once.
const MESSAGE_MAX: Duration = Duration::from_secs(10);
/// Maximum time from passing the sockets until the new process serves.
const START_MAX: Duration = Duration::from_secs(60);
/// Processes that wait while another takes over.
const BACKLOG: i32 = 4;

/// A listening socket, with the key by which the other process knows what it is for.
#[derive(Debug)]
pub(crate) struct Passed {
    pub(crate) key: String,
    pub(crate) socket: OwnedFd,
}

/// The end of the process that serves. The file of its socket is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Offer {
    socket: OwnedFd,
    standing: Standing,
}

/// A process that wants to take over.
#[derive(Debug)]
pub(crate) struct Successor {
    stream: OwnedFd,
    /// As the kernel says.
    pub(crate) process: u32,
}

impl Offer {
    /// Listens at `place`. Takes the name from a process that offered there before.
    ///
    /// # Errors
    ///
    /// Returns an error if the system refuses.
    pub(crate) fn new(place: &Place) -> Result<Self, Error> {
        let socket = stream()?;
        let standing = place.stand(&socket)?;
        listen(&socket, BACKLOG).map_err(io::Error::from)?;
        standing.publish()?;
        Ok(Self { socket, standing })
    }

    /// Removes the file, and lets [`next`](Self::next) fail from now on.
    pub(crate) fn withdraw(&self) {
        self.standing.remove();
        let _ = shutdown(&self.socket, Shutdown::Both);
    }

    /// Waits for a process that wants to take over. One of another user is refused and skipped.
    ///
    /// # Errors
    ///
    /// Returns an error if the system cannot accept now.
    pub(crate) fn next(&self) -> Result<Successor, Error> {
        let stream =
            rustix::io::retry_on_intr(|| accept_with(&self.socket, SocketFlags::CLOEXEC)).map_err(io::Error::from)?;
        let process = peer(&stream)?;
        Ok(Successor { stream, process })
    }
}

impl Successor {
    /// Passes the sockets of `lend`, waits until the other process serves, and calls `yield_to` before it is told that all is its own.
    ///
    /// # Errors
    ///
    /// After an error, this process goes on as before.
    pub(crate) fn hand_over(&self, lend: impl FnOnce() -> Result<Vec<Passed>, String>) -> Result<(), Error> {
        match receive(&self.stream, MESSAGE_MAX)? {
            (Message::TakeOver { version: VERSION }, _) => {}
            (Message::TakeOver { version }, _) => return self.refuse(Error::Version(version)),
            _ => return self.refuse(Error::Unexpected),
        }
        let lent = match lend() {
            Ok(lent) if lent.len() > SOCKETS_MAX => return self.refuse(Error::TooMany),
            Ok(lent) => lent,
            Err(why) => return self.refuse(Error::Refused(why)),
        };
        let messages = lent.len().div_ceil(SOCKETS_PER_MESSAGE);
        for (number, part) in lent.chunks(SOCKETS_PER_MESSAGE).enumerate() {
            let keys = part.iter().map(|passed| passed.key.clone()).collect();
            let sockets: Vec<_> = part.iter().map(|passed| passed.socket.as_fd()).collect();
            send(&self.stream, &Message::Sockets { keys, is_last: number + 1 == messages }, &sockets, MESSAGE_MAX)?;
        }
        // Copies of listening sockets must not stay open here: nobody would accept what arrives at them.
        drop(lent);
        match receive(&self.stream, START_MAX) {
            Ok((Message::Ready, _)) => Ok(()),
            Ok(_) => self.refuse(Error::Unexpected),
            Err(error) => self.refuse(error),
        }
    }

    /// Tells the other process that this one stops now.
    pub(crate) fn step_down(&self) {
        // A process that has just ended does not hear it.
        let _ = send(&self.stream, &Message::Yours, &[], MESSAGE_MAX);
    }

    fn refuse(&self, error: Error) -> Result<(), Error> {
        let why = match &error {
            Error::Refused(why) => why.clone(),
            error => error.to_string(),
        };
        let _ = send(&self.stream, &Message::Refused { why }, &[], MESSAGE_MAX);
        Err(error)
    }
}

/// The end of the process that takes over.
#[derive(Debug)]
pub(crate) struct Claim {
    stream: OwnedFd,
    /// The process that serves, as the kernel says.
    pub(crate) process: u32,
}

impl Claim {
    /// Connects to the process that offers at `place`. `None` if none does.
    ///
    /// # Errors
    ///
    /// Returns an error if somebody else does, or the system refuses.
    pub(crate) fn new(place: &Place) -> Result<Option<Self>, Error> {
        let stream = stream()?;
        match connect(&stream, &place.address()?) {
            Ok(()) => {}
            // No file, or the file of a process that has ended.
            Err(rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED) => return Ok(None),
            Err(error) => return Err(Error::Lost(error.into())),
        }
        let process = peer(&stream)?;
        Ok(Some(Self { stream, process }))
    }

    /// Asks for the sockets.
    ///
    /// # Errors
    ///
    /// After an error, the other process goes on as before.
    pub(crate) fn take(&self) -> Result<Vec<Passed>, Error> {
        send(&self.stream, &Message::TakeOver { version: VERSION }, &[], MESSAGE_MAX)?;
        let mut taken = Vec::new();
        loop {
            // The other process may be in the middle of a reload.
            match receive(&self.stream, START_MAX)? {
                (Message::Sockets { keys, is_last }, sockets) if keys.len() == sockets.len() => {
                    taken.extend(keys.into_iter().zip(sockets).map(|(key, socket)| Passed { key, socket }));
                    if taken.len() > SOCKETS_MAX {
                        return Err(Error::TooMany);
                    }
                    if is_last {
                        return Ok(taken);
                    }
                }
                (Message::Refused { why }, _) => return Err(Error::Refused(why)),
                _ => return Err(Error::Unexpected),
            }
        }
    }

    /// Says that this process serves. When this returns, the other one stops.
    ///
    /// # Errors
    ///
    /// After an error, the other process goes on as before, and this one must stop.
    pub(crate) fn ready(&self) -> Result<(), Error> {
        let said = send(&self.stream, &Message::Ready, &[], MESSAGE_MAX);
        match said.and_then(|()| receive(&self.stream, MESSAGE_MAX)) {
            Ok((Message::Yours, _)) => Ok(()),
            Ok((Message::Refused { why }, _)) => Err(Error::Refused(why)),
            Ok(_) => Err(Error::Unexpected),
            // It has ended. If this process stopped, too, nobody would serve.
            Err(Error::Lost(error)) if has_ended(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn has_ended(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | NotConnected | UnexpectedEof)
}

/// Packets, so that each message arrives whole, with its sockets.
fn stream() -> Result<OwnedFd, Error> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).map_err(io::Error::from)?)
}

/// The number of the process at the other end, which must have the same user.
fn peer(stream: &OwnedFd) -> Result<u32, Error> {
    let peer = socket_peercred(stream).map_err(io::Error::from)?;
    if peer.uid != geteuid() {
        return Err(Error::OtherUser(peer.uid.as_raw()));
    }
    Ok(u32::try_from(peer.pid.as_raw_nonzero().get()).unwrap_or_default())
}

#[cfg(test)]
mod tests;
