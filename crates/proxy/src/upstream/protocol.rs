//! The seam between a target group and the protocol of its targets.
//!
//! The code that chooses targets offers them an [`Exchange`]. Only the code behind this file knows how a request looks on a
//! connection: as HTTP/1.1 (`http1/`) or as HTTP/2 (`http2/`).

use std::rc::Rc;
use std::time::Instant;

use http::{HeaderMap, Method, StatusCode, Version};

use crate::drain::Spawner;
use crate::message::{Response, grpc};
use crate::telemetry::traces::attempts::Outcome;
use crate::upstream::error::{Error, Mismatch};
use crate::upstream::http1::request_writer::RequestWriter;
use crate::upstream::http2::begun::Limits;
use crate::upstream::http2::deadline::Deadline;
use crate::upstream::http2::exchange::Sending;
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::request::{Content, Request};
use crate::upstream::settings::Settings;
use crate::upstream::upgrade::Switched;
use crate::upstream::worker_target::InFlight;
use crate::upstream::{http1, http2};

/// A request that is offered to one target after another, until one of them responds.
#[derive(Debug)]
pub(super) struct Exchange<'r> {
    pub request: Request<'r>,
    content: Content,
    may_be_repeated: bool,
    is_grpc: bool,
    /// When a gRPC call must be over.
    deadline: Option<Deadline>,
    /// The request as the protocol has it. `None` until a target is connected. Then it is kept for the targets after it.
    form: Option<Form>,
}

/// A request as a protocol has it. All targets of a group have one protocol.
#[derive(Debug)]
enum Form {
    Http1(Box<RequestWriter>),
    Http2(Box<Sending>),
}

/// What can carry one exchange.
#[derive(Debug)]
pub(super) enum Connection {
    Http1(http1::connection::Connection),
    Http2(http2::connection::Slot),
}

/// A target that has begun to respond.
#[derive(Debug)]
pub(super) enum Begun {
    Http1(http1::begun::Begun),
    Http2(Box<http2::begun::Begun>),
}

impl<'r> Exchange<'r> {
    /// Prepares `request`. It has no protocol yet.
    ///
    /// # Errors
    ///
    /// Returns an error if reading the client's body fails.
    pub(super) async fn new(mut request: Request<'r>) -> Result<Self, Error> {
        let content = request.content().await.map_err(Error::of_body)?;
        let may_be_repeated = request.may_be_repeated(&content);
        let is_grpc = grpc::is_grpc(request.from_client.headers());
        let deadline = if is_grpc { Deadline::of(request.from_client.headers()) } else { None };
        Ok(Self { request, content, may_be_repeated, is_grpc, deadline, form: None })
    }

    /// Whether the request is a gRPC call.
    pub(super) const fn is_grpc(&self) -> bool {
        self.is_grpc
    }

    /// When the target must have answered, if the client has said so.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.deadline
    }

    /// Checks whether the protocol of a target can carry the request. Call it before connecting to the target.
    ///
    /// # Errors
    ///
    /// [`Error::Protocol`].
    pub(super) fn check(&self, protocol: ProtocolVersion) -> Result<(), Error> {
        let from_client = &self.request.from_client;
        let asked = Asked {
            version: from_client.version(),
            method: from_client.method(),
            is_grpc: self.is_grpc,
            is_upgrade: self.request.upgrade.is_some(),
        };
        asked.fits(protocol).map_err(Error::Protocol)
    }

    /// Sends the request over `connection` and waits until the target begins to respond.
    ///
    /// # Errors
    ///
    /// The connection is closed. [`is_whole`](Self::is_whole) says whether the request can be offered again.
    pub(super) async fn over(&mut self, connection: Connection, settings: &Settings) -> Result<Begun, Error> {
        let mut connection = match connection {
            Connection::Http1(connection) => connection,
            // Boxed, so that requests over HTTP/1.1 do not have the size of it.
            Connection::Http2(slot) => return Box::pin(self.over_http2(slot, settings)).await,
        };
        let mut writer = match self.form.take() {
            Some(Form::Http1(writer)) => writer,
            _ => Box::new(RequestWriter::new(&mut self.request, &mut self.content)),
        };
        match connection.exchange(&mut writer).await {
            Ok(head) => {
                let upgrade = self.request.upgrade.take();
                Ok(Begun::Http1(http1::begun::Begun { request: writer, upgrade, connection, head }))
            }
            Err(error) => {
                self.form = Some(Form::Http1(writer));
                Err(error)
            }
        }
    }

    async fn over_http2(&mut self, slot: http2::connection::Slot, settings: &Settings) -> Result<Begun, Error> {
        let mut sending = match self.form.take() {
            Some(Form::Http2(sending)) => sending,
            _ => Box::new(Sending::new(&mut self.request, &mut self.content, self.is_grpc)),
        };
        let limits = Limits {
            timeout: settings.response_timeout,
            fields_max: settings.response_headers_max,
            is_tls: settings.tls.is_some(),
            deadline: self.deadline,
        };
        let begun = sending.over(slot, &self.request, &self.content, limits).await;
        self.form = Some(Form::Http2(sending));
        begun.map(|begun| Begun::Http2(Box::new(begun)))
    }

    /// Takes note of an attempt that begins, if the request is recorded.
    pub(super) fn begin_attempt(&mut self, settings: &Settings, target: &Rc<str>, now: Instant) {
        if self.request.attempts.is_some() {
            self.begin_recorded(settings, target, now);
        }
    }

    #[cold]
    fn begin_recorded(&mut self, settings: &Settings, target: &Rc<str>, now: Instant) {
        if let Some(attempts) = self.request.attempts {
            let properties = (settings.tls.is_some(), settings.protocol.is_http2());
            attempts.begin((&settings.name, target), properties, now);
            if let (Some(Form::Http1(writer)), Some(parent)) = (&mut self.form, self.request.trace_parent()) {
                writer.set_trace_parent(parent);
            }
        }
    }

    /// Takes note of what became of the attempt.
    pub(super) fn end_attempt(&self, target: &Rc<str>, answered: Result<StatusCode, &Error>, now: Instant) {
        if let Some(attempts) = self.request.attempts {
            let outcome = match answered {
                Ok(status) => Outcome::Answered { status: status.as_u16() },
                Err(error) => Outcome::Failed { why: error.name(), at: now },
            };
            attempts.end(target, outcome);
        }
    }

    /// Whether no target has received any byte, or the target that has says that it has not processed the request, so that it can be
    /// offered to any target.
    pub(super) fn is_whole(&self) -> bool {
        match &self.form {
            None => true,
            Some(Form::Http1(writer)) => writer.is_whole(),
            Some(Form::Http2(sending)) => sending.is_whole(),
        }
    }

    /// Makes the request whole again if sending it twice does no harm. Returns whether it is whole.
    pub(super) fn rewind(&mut self) -> bool {
        if self.may_be_repeated {
            match &mut self.form {
                None => {}
                Some(Form::Http1(writer)) => writer.rewind(),
                Some(Form::Http2(sending)) => sending.rewind(),
            }
        }
        self.is_whole()
    }
}

impl Begun {
    /// The status of the response.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Http1(begun) => begun.status(),
            Self::Http2(begun) => begun.status(),
        }
    }

    /// The response, without the fields that are meant for one connection only. If the target responded with 101 (Switching Protocols),
    /// both connections are returned, too. `in_flight` lasts until the end of the body or of the connections.
    ///
    /// # Errors
    ///
    /// Returns an error if the target sends what is not valid, or ends the response, before any byte was sent to the client.
    pub(super) async fn answer(
        self,
        in_flight: InFlight,
        settings: &Settings,
        spawner: &Spawner,
    ) -> Result<(Box<Response>, Option<Box<Switched>>), Error> {
        match self {
            Self::Http1(begun) => begun.answer(in_flight, settings.response_timeout, spawner).await,
            Self::Http2(begun) => {
                let response = Box::pin(begun.answer(in_flight, spawner)).await?;
                Ok((response, None))
            }
        }
    }
}

/// What decides whether a protocol can carry a request.
#[derive(Clone, Copy, Debug)]
struct Asked<'r> {
    version: Version,
    method: &'r Method,
    is_grpc: bool,
    is_upgrade: bool,
}

impl Asked<'_> {
    /// The table of ALB §9.1.
    fn fits(self, protocol: ProtocolVersion) -> Result<(), Mismatch> {
        match protocol {
            ProtocolVersion::Http1 if self.is_grpc => Err(Mismatch::GrpcOverHttp1),
            ProtocolVersion::Http1 => Ok(()),
            _ if self.is_upgrade => Err(Mismatch::WebSocket),
            _ if self.version != Version::HTTP_2 => Err(Mismatch::ClientWithoutHttp2),
            ProtocolVersion::Grpc if *self.method != Method::POST => Err(Mismatch::NotPost),
            ProtocolVersion::Http2 | ProtocolVersion::Grpc => Ok(()),
        }
    }
}

/// Whether the client accepts trailers (RFC 9110 §10.1.4). Call it before `TE` is removed.
pub(crate) fn accepts_trailers(headers: &HeaderMap) -> bool {
    http2::request_head::accepts_trailers(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What happens to a request: nothing, or why it is refused.
    fn fits(version: Version, method: Method, is_grpc: bool, protocol: ProtocolVersion) -> Option<Mismatch> {
        Asked { version, method: &method, is_grpc, is_upgrade: false }.fits(protocol).err()
    }

    #[test]
    fn the_protocols_fit_as_the_load_balancer_says() {
        use Mismatch::{ClientWithoutHttp2, GrpcOverHttp1, NotPost};
        use ProtocolVersion::{Grpc, Http1, Http2};
        let (old, new) = (Version::HTTP_11, Version::HTTP_2);
        for (version, method, is_grpc, expected) in [
            (old, Method::GET, false, [None, Some(ClientWithoutHttp2), Some(ClientWithoutHttp2)]),
            (old, Method::POST, true, [Some(GrpcOverHttp1), Some(ClientWithoutHttp2), Some(ClientWithoutHttp2)]),
            (new, Method::GET, false, [None, None, Some(NotPost)]),
            (new, Method::POST, false, [None, None, None]),
            (new, Method::POST, true, [Some(GrpcOverHttp1), None, None]),
        ] {
            let actual = [Http1, Http2, Grpc].map(|protocol| fits(version, method.clone(), is_grpc, protocol));
            assert_eq!(actual, expected, "{version:?} {method} {is_grpc}");
        }
        let asked = Asked { version: old, method: &Method::GET, is_grpc: false, is_upgrade: true };
        assert_eq!([Http1, Http2].map(|to| asked.fits(to).err()), [None, Some(Mismatch::WebSocket)]);
    }
}
