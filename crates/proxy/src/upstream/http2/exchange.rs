//! One request on a connection, until the target begins to answer.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::task::coop::unconstrained;
use tokio::time::Instant;

use crate::upstream::error::Error;
use crate::upstream::http2::begun::{Begun, Limits, Rest};
use crate::upstream::http2::connection::Slot;
use crate::upstream::http2::request_head;
use crate::upstream::http2::sent::Sent;
use crate::upstream::http2::upload::{Unsent, Upload};
use crate::upstream::request::{Content, Request};

/// A request that is sent over HTTP/2, to one target after another.
#[derive(Debug)]
pub(crate) struct Sending {
    /// `None` without a body, and after the target has begun to answer.
    upload: Option<Box<Upload>>,
    /// Whether no target has processed the request, and all of it can be sent.
    is_whole: bool,
}

impl Sending {
    /// Takes the body of `request`.
    pub(crate) fn new(request: &mut Request<'_>, content: &mut Content, is_grpc: bool) -> Self {
        let mut body = std::mem::take(request.from_client.body_mut());
        if is_grpc {
            // The messages of a stream come when they come.
            body.lift_rate();
        }
        let upload = (!content.is_empty()).then(|| Box::new(Upload::new(body, content.first.take())));
        Self { upload, is_whole: true }
    }

    /// Whether the request can be offered to another target.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_whole
    }

    /// Makes a request without a body whole again.
    pub(crate) fn rewind(&mut self) {
        self.is_whole |= self.upload.is_none();
    }

    /// Sends the request and waits for the head of the answer. The timeout starts again whenever a part of the request has moved.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] if the target has not processed the request.
    pub(crate) async fn over(
        &mut self,
        slot: Slot,
        request: &Request<'_>,
        content: &Content,
        limits: Limits,
    ) -> Result<Begun, Error> {
        let head = request_head::of(request, content, limits.is_tls).map_err(Error::Protocol)?;
        let sending = slot.sender().send_request(head, self.upload.is_none());
        let (response, stream) = sending.map_err(|error| {
            // Or the request would be offered to the same connection again and again.
            slot.retire();
            Error::Refused(error)
        })?;
        self.is_whole = false;
        let mut sent = Sent::new(response, stream, slot);
        match self.answer(&mut sent, limits.timeout).await {
            Ok((response, takes_more)) => {
                let Some((stream, slot)) = sent.end() else { return Err(Error::ResponseTimeout) };
                let rest = self.upload.take().filter(|_| takes_more).map(|mut upload| {
                    upload.answered();
                    Rest { upload, stream }
                });
                Begun::new(response, rest, slot, limits)
            }
            // The client has left, or breaks off.
            Err(error) if error.is_of_client() => Err(error),
            Err(error) => {
                let ended = sent.end();
                if let (Error::ResponseTimeout, Some((_, slot))) = (&error, &ended) {
                    slot.retire();
                }
                if matches!(error, Error::Refused(_)) {
                    self.is_whole = self.upload.as_mut().is_none_or(|upload| {
                        let is_whole = upload.is_whole();
                        upload.rewind();
                        is_whole
                    });
                }
                Err(error)
            }
        }
    }

    /// The head of the answer, and whether the target takes the rest of the body.
    async fn answer(
        &mut self,
        sent: &mut Sent,
        timeout: Duration,
    ) -> Result<(http::Response<h2::RecvStream>, bool), Error> {
        let Some((response, stream, slot)) = sent.parts() else { return Err(Error::ResponseTimeout) };
        let (mut has_more, mut is_taken, mut seen) = (self.upload.is_some(), true, 0);
        let mut timer = pin!(tokio::time::sleep(timeout));
        poll_fn(|cx| {
            if let Some(upload) = self.upload.as_mut().filter(|_| has_more && is_taken) {
                match upload.poll_send(stream, cx) {
                    Poll::Ready(Ok(())) => has_more = false,
                    // The target may have answered before it stopped to read.
                    Poll::Ready(Err(Unsent::Target)) => is_taken = false,
                    Poll::Ready(Err(Unsent::Client(error))) => return Poll::Ready(Err(Error::of_body(error))),
                    Poll::Pending => {}
                }
                if upload.progress.seen() != seen {
                    seen = upload.progress.seen();
                    timer.as_mut().reset(Instant::now() + timeout);
                }
            }
            if let Poll::Ready(answered) = Pin::new(&mut *response).poll(cx) {
                return Poll::Ready(answered.map_err(|error| slot.connection().error_of(error)));
            }
            // `unconstrained`, so that the time is noticed although the task has used up its budget.
            pin!(unconstrained(timer.as_mut())).poll(cx).map(|()| Err(Error::ResponseTimeout))
        })
        .await
        .map(|response| (response, has_more && is_taken))
    }
}
