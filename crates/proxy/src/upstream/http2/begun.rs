//! A target that has begun to answer over HTTP/2.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use http::StatusCode;
use tokio::sync::oneshot;

use crate::drain::Spawner;
use crate::message::Response;
use crate::message::header as names;
use crate::upstream::error::Error;
use crate::upstream::http2::connection::Slot;
use crate::upstream::http2::deadline::Deadline;
use crate::upstream::http2::malformed::Malformed;
use crate::upstream::http2::received::Answer;
use crate::upstream::http2::response_body::{self, Source};
use crate::upstream::http2::upload::Upload;
use crate::upstream::progress::Progress;
use crate::upstream::worker_target::InFlight;

/// The head of an answer, with what is needed to read its body and to send the rest of the request.
#[derive(Debug)]
pub(crate) struct Begun {
    response: http::Response<RecvStream>,
    rest: Option<Rest>,
    slot: Slot,
    limits: Limits,
}

/// What an answer may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long nothing may move.
    pub(crate) timeout: Duration,
    pub(crate) fields_max: usize,
    pub(crate) is_tls: bool,
    pub(crate) deadline: Option<Deadline>,
}

/// The rest of a request whose answer has begun.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) upload: Box<Upload>,
    pub(super) stream: SendStream<Bytes>,
}

impl Begun {
    /// # Errors
    ///
    /// [`Error::MalformedHttp2`] if the head is not one that is passed on.
    pub(super) fn new(
        response: http::Response<RecvStream>,
        rest: Option<Rest>,
        slot: Slot,
        limits: Limits,
    ) -> Result<Self, Error> {
        if response.headers().len() > limits.fields_max {
            return Err(Error::MalformedHttp2(Malformed::TooManyFields));
        }
        if response.headers().values().any(names::has_outer_blank) {
            return Err(Error::MalformedHttp2(Malformed::Blank));
        }
        Ok(Self { response, rest, slot, limits })
    }

    /// The status of the answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The answer. Its body is read from the connection. `in_flight` lasts until its end. `spawner` runs the rest of the upload.
    ///
    /// # Errors
    ///
    /// Returns an error if the target breaks off, or sends what is not HTTP/2, before any byte was sent to the client.
    pub(crate) async fn answer(self, in_flight: InFlight, spawner: &Spawner) -> Result<Box<Response>, Error> {
        let Self { response, rest, slot, limits } = self;
        let (mut head, stream) = response.into_parts();
        names::remove_hop_by_hop(&mut head.headers);
        let progress = rest.as_ref().map(|rest| rest.upload.progress.clone()).unwrap_or_default();
        let upload = rest.map(|rest| rest.send(limits.timeout, spawner));
        let source = Source { answer: Answer::Direct(stream), slot, _in_flight: in_flight, upload };
        let body = response_body::body(source, progress, limits.timeout, limits.deadline).await;
        let body = body.map_err(Error::of_answer)?;
        Ok(Box::new(Response::from_parts(head, body)))
    }
}

impl Rest {
    /// Sends the rest in a task of its own, until nothing moves for `timeout` in either direction. If the returned sender is dropped, the
    /// client has left before the answer was complete: the upload ends. If it sends the room of the request, the upload goes on and keeps
    /// the room: to the target, the request is still under way.
    fn send(self, timeout: Duration, spawner: &Spawner) -> oneshot::Sender<Slot> {
        let Self { mut upload, mut stream } = self;
        let (answered, is_answered) = oneshot::channel::<Slot>();
        spawner.spawn_local(|_| async move {
            let progress: Progress = upload.progress.clone();
            // Until the answer is complete, its body looks at what moves.
            let is_over = async {
                if let Ok(_slot) = is_answered.await {
                    progress.stands_still(timeout).await;
                }
            };
            // Cancel-safe: an upload that is dropped resets the stream.
            let is_sent = tokio::select! {
                sent = poll_fn(|cx| upload.poll_send(&mut stream, cx)) => sent.is_ok(),
                () = is_over => false,
            };
            if !is_sent {
                stream.send_reset(Reason::CANCEL);
            }
        });
        answered
    }
}
