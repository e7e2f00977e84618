//! The messages, and the sockets that travel with them. One message is one packet.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use crate::handover::error::Error;

/// Sockets in one packet. The kernel allows 253 (`SCM_MAX_FD`).
pub(super) const SOCKETS_PER_MESSAGE: usize = 64;
/// Maximum size of a packet. A key is an address and the name of a listener.
const BYTES_MAX: usize = 64 * 1024;

/// What one process says to the other. `TakeOver` must stay readable for every later version.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Message {
    TakeOver { version: u32 },
    Sockets { keys: Vec<String>, is_last: bool },
    Ready,
    Yours,
    Refused { why: String },
}

/// Sends one message.
pub(super) fn send(
    stream: &OwnedFd,
    message: &Message,
    sockets: &[BorrowedFd<'_>],
    timeout: Duration,
) -> Result<(), Error> {
    let text = serde_json::to_vec(message).map_err(io::Error::from)?;
    if text.len() > BYTES_MAX {
        return Err(Error::TooMany);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_PER_MESSAGE))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !sockets.is_empty() && !control.push(SendAncillaryMessage::ScmRights(sockets)) {
        return Err(Error::TooMany);
    }
    set_socket_timeout(stream, Timeout::Send, Some(timeout)).map_err(io::Error::from)?;
    retry_on_intr(|| sendmsg(stream, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL))
        .map_err(io::Error::from)?;
    Ok(())
}

/// Waits for one message. What is too long, or has too many sockets, is refused.
pub(super) fn receive(stream: &OwnedFd, timeout: Duration) -> Result<(Message, Vec<OwnedFd>), Error> {
    set_socket_timeout(stream, Timeout::Recv, Some(timeout)).map_err(io::Error::from)?;
    let mut text = vec![0; BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SOCKETS_PER_MESSAGE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received =
        retry_on_intr(|| recvmsg(stream, &mut [IoSliceMut::new(&mut text)], &mut control, RecvFlags::CMSG_CLOEXEC))
            .map_err(io::Error::from)?;
    // Collected before anything is refused, so that none stays open.
    let mut sockets = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            sockets.extend(rights);
        }
    }
    if received.bytes == 0 {
        return Err(Error::Lost(io::ErrorKind::UnexpectedEof.into()));
    }
    if received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Error::TooMany);
    }
    let message = serde_json::from_slice(&text[..received.bytes]).map_err(|_| Error::Unexpected)?;
    Ok((message, sockets))
}
