//! The seam between a target group and the protocol of its targets.
//!
//! The code that chooses targets offers them an [`Exchange`]. Only the code behind this file knows how a request looks on a
//! connection. Today that is HTTP/1.1 (`http1/`).

use crate::upstream::error::Error;
use crate::upstream::http1;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::request_writer::{self, RequestWriter};
use crate::upstream::request::{Content, Request};

/// A request that is offered to one target after another, until one of them responds.
#[derive(Debug)]
pub(super) struct Exchange<'r> {
    request: Request<'r>,
    content: Content,
    may_be_repeated: bool,
    /// The request as HTTP/1.1. `None` until a target is connected. Then it is kept for the targets after it.
    writer: Option<Box<RequestWriter>>,
}

/// A target that has begun to respond.
pub(super) type Begun = http1::begun::Begun;

impl<'r> Exchange<'r> {
    /// Prepares `request`. It has no protocol yet.
    ///
    /// # Errors
    ///
    /// Returns an error if reading the client's body fails.
    pub(super) async fn new(mut request: Request<'r>) -> Result<Self, Error> {
        let content = request.content().await.map_err(Error::of_body)?;
        let may_be_repeated = request.may_be_repeated(&content);
        Ok(Self { request, content, may_be_repeated, writer: None })
    }

    /// Checks whether the protocol of a target can carry the request. Call it before connecting to the target.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`].
    pub(super) fn check(&self) -> Result<(), Error> {
        request_writer::check(self.request.from_client.headers())
    }

    /// Sends the request over `connection` and waits until the target begins to respond.
    ///
    /// # Errors
    ///
    /// The connection is closed. [`is_whole`](Self::is_whole) says whether the request can be offered again.
    pub(super) async fn over(&mut self, mut connection: Connection) -> Result<Begun, Error> {
        let mut writer =
            self.writer.take().unwrap_or_else(|| Box::new(RequestWriter::new(&mut self.request, &mut self.content)));
        match connection.exchange(&mut writer).await {
            Ok(head) => Ok(Begun { request: writer, upgrade: self.request.upgrade.take(), connection, head }),
            Err(error) => {
                self.writer = Some(writer);
                Err(error)
            }
        }
    }

    /// Whether no target has received any byte, so that the request can be offered to any target.
    pub(super) fn is_whole(&self) -> bool {
        self.writer.as_ref().is_none_or(|writer| writer.is_whole())
    }

    /// Makes the request whole again if sending it twice does no harm. Returns whether it is whole.
    pub(super) fn rewind(&mut self) -> bool {
        if let Some(writer) = self.writer.as_mut().filter(|_| self.may_be_repeated) {
            writer.rewind();
        }
        self.is_whole()
    }
}
