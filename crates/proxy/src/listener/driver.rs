//! Enforces the deadlines of one connection, and decides when the connection ends or rests.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::drain::Draining;
use crate::exchange::rejection::Reason;
use crate::listener::linger::Patience;
use crate::listener::transport::{Readable, Watched};
use crate::listener::wake_gate::PollOnWake;
use crate::listener::watchdog::{Verdict, Watchdog};
use crate::message::upload::Uploads;

/// How a connection ended.
pub(crate) enum Closed {
    /// Either side closed or reset the connection.
    ByEitherSide,
    /// The client sent a head that hyper refuses: it is not valid HTTP, or it is too large. This includes a request
    /// target that is longer than hyper accepts.
    Refused(Reason),
    /// The watchdog closed it.
    TimedOut,
    /// The time to finish its requests is over, because the process stops or the listener is closed.
    Cut,
}

impl From<hyper::Error> for Closed {
    fn from(error: hyper::Error) -> Self {
        match error {
            error if error.is_parse_too_large() => Self::Refused(Reason::RequestHeadTooLarge),
            error if error.is_parse() => Self::Refused(Reason::RequestMalformed),
            _ => Self::ByEitherSide,
        }
    }
}

impl From<h2::Error> for Closed {
    fn from(_: h2::Error) -> Self {
        Self::ByEitherSide
    }
}

/// Why [`ConnectionDriver::drive`] has returned.
pub(crate) enum Served {
    ToTheEnd(Closed),
    /// The connection is idle: no request is in progress, and no byte was read or written for a while.
    UntilRest,
}

/// What to do with a connection.
enum Directive {
    /// Close: the connection was idle for too long, or a head was incomplete for too long.
    Close,
    /// Finish the requests in progress, then close: the process is stopping, or the connection has reached
    /// `keep_alive`.
    Finish,
    /// Close at once, whatever is in progress.
    Cut,
    /// Close normally: no request is in progress.
    Shut,
    /// Rest until the client sends something.
    Rest,
}

/// Enforces the deadlines of a connection. Tells it to finish when the process stops or when the connection has reached
/// `keep_alive`.
pub(crate) struct ConnectionDriver {
    watchdog: Watchdog,
    draining: Draining,
    uploads: Uploads,
    is_finishing: bool,
}

impl ConnectionDriver {
    pub(crate) fn new(watchdog: Watchdog, draining: Draining, uploads: Uploads) -> Self {
        Self { watchdog, draining, uploads, is_finishing: false }
    }

    /// How long the connection may linger when it is closed.
    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.draining.is_stopping())
    }

    /// Runs a connection until it ends or rests.
    pub(crate) async fn drive<E: Into<Closed>, C: Future<Output = Result<(), E>>>(
        &mut self,
        mut served: Pin<&mut C>,
        finish: impl Fn(Pin<&mut C>),
    ) -> Served {
        loop {
            let heard = {
                let gate = PollOnWake::default();
                let uploads = self.uploads.clone();
                let mut directive = pin!(self.directive());
                let hear = poll_fn(|cx| match served.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(Err(result)),
                    Poll::Pending => {
                        uploads.poll_discards(cx);
                        gate.poll(directive.as_mut(), cx).map(Ok)
                    }
                });
                hear.await
            };
            match heard {
                Err(Err(error)) => return Served::ToTheEnd(error.into()),
                Err(Ok(())) => return Served::ToTheEnd(Closed::ByEitherSide),
                Ok(Directive::Close) => return Served::ToTheEnd(Closed::TimedOut),
                Ok(Directive::Cut) => return Served::ToTheEnd(Closed::Cut),
                Ok(Directive::Finish) => {
                    self.is_finishing = true;
                    if !self.watchdog.call_last() {
                        finish(served.as_mut());
                    }
                }
                Ok(Directive::Shut) => finish(served.as_mut()),
                // A connection that was told to finish is about to end, so it does not rest.
                Ok(Directive::Rest) if self.is_finishing => {}
                Ok(Directive::Rest) => return Served::UntilRest,
            }
        }
    }

    /// Waits until something has to be done with the connection.
    async fn directive(&mut self) -> Directive {
        tokio::select! {
            biased;
            () = self.draining.next_stage(self.is_finishing) => {
                if self.is_finishing { Directive::Cut } else { Directive::Finish }
            }
            verdict = self.watchdog.verdict() => match verdict {
                Verdict::Close => Directive::Close,
                Verdict::Retire => Directive::Finish,
                Verdict::Shut => Directive::Shut,
                Verdict::Rest => Directive::Rest,
            },
        }
    }

    /// Waits until a resting connection has bytes to read. Returns how the connection ended if it ended instead.
    pub(crate) async fn rest<T: Readable, O>(&mut self, transport: &mut Watched<T, O>) -> Option<Closed> {
        self.watchdog.rest();
        let ended = loop {
            let directive = tokio::select! {
                biased;
                // Both branches are cancel-safe: they read nothing.
                () = transport.readable() => break None,
                directive = self.directive() => directive,
            };
            match directive {
                Directive::Close => break Some(Closed::TimedOut),
                Directive::Cut => break Some(Closed::Cut),
                Directive::Shut => break Some(Closed::ByEitherSide),
                Directive::Finish => {
                    self.is_finishing = true;
                    self.watchdog.call_last();
                }
                Directive::Rest => {}
            }
        };
        self.watchdog.wake();
        ended
    }
}
