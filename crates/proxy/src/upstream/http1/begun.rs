//! A target that has begun to respond over HTTP/1.1: its head was read, and the body follows.

use std::time::Duration;

use http::StatusCode;

use crate::drain::Spawner;
use crate::message::Response;
use crate::message::header as names;
use crate::message::upgrade::Upgrade;
use crate::upstream::error::Error;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::handshake;
use crate::upstream::http1::head::Head;
use crate::upstream::http1::malformed::Malformed;
use crate::upstream::http1::request_writer::RequestWriter;
use crate::upstream::http1::response_body::{self, Source};
use crate::upstream::http1::upload;
use crate::upstream::upgrade::Switched;
use crate::upstream::worker_target::InFlight;

/// The head of a response, with what is needed to read its body and to send the rest of the request.
#[derive(Debug)]
pub(crate) struct Begun {
    pub(crate) request: Box<RequestWriter>,
    /// The client's side of a WebSocket, if the request asks for one.
    pub(crate) upgrade: Option<Upgrade>,
    pub(crate) connection: Connection,
    pub(crate) head: Head,
}

impl Begun {
    /// The status of the response.
    pub(crate) fn status(&self) -> StatusCode {
        self.head.response.status()
    }

    /// The response, without the fields that are meant for this connection only. Its body is read from the connection, which
    /// then goes back to its pool. If the target responded with 101 (Switching Protocols), both connections are returned,
    /// too. `in_flight` lasts until the end of the body or of the connections.
    ///
    /// Each wait for a part of the body takes at most `timeout`. `spawner` runs the rest of the upload.
    ///
    /// # Errors
    ///
    /// Returns an error if the target sends invalid HTTP, or closes the connection, before any byte was sent to the client.
    pub(crate) async fn answer(
        self,
        in_flight: InFlight,
        timeout: Duration,
        spawner: &Spawner,
    ) -> Result<(Box<Response>, Option<Box<Switched>>), Error> {
        let Self { mut request, upgrade, connection, head } = self;
        let Head { mut response, length, keeps_open, rest } = head;
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            // 101 in response to a request without `Upgrade` is a malformed response (attacks G-06).
            let client = upgrade.ok_or(Error::Malformed(Malformed::Switch))?;
            handshake::check(&client, response.headers()).map_err(Error::Malformed)?;
            names::remove_hop_by_hop(response.headers_mut());
            return Ok((response, Some(Box::new(Switched::new(client, connection.stream, rest, in_flight)))));
        }
        let named = names::remove_hop_by_hop(response.headers_mut());
        let is_reusable = keeps_open && request.is_written() && !request.is_last();
        // A body that waits for 100 (Continue) is not sent after the final response: the target did not ask for it.
        if !request.is_written() && !request.awaits_continue() {
            request.lift_rate();
            upload::finish(request, &connection, timeout, spawner);
        }
        let source = Source { connection, in_flight, is_reusable };
        let mut body = response_body::body(rest, length, source).await.map_err(Error::of_answer)?;
        body.limit_idle(timeout);
        body.without(named);
        *response.body_mut() = body;
        Ok((response, None))
    }
}
