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
pub(crate) enum Ended {
    /// Either side closed or reset the connection.
    Closed,
    /// The client sent a head that hyper refuses: it is not valid HTTP, or it is too large. This includes a request
    /// target that is longer than hyper accepts.
    Refused(Reason),
    /// The watchdog closed it.
    TimedOut,
}

impl From<hyper::Error> for Ended {
    fn from(error: hyper::Error) -> Self {
        match error {
            error if error.is_parse_too_large() => Self::Refused(Reason::RequestHeadTooLarge),
            error if error.is_parse() => Self::Refused(Reason::RequestMalformed),
            _ => Self::Closed,
        }
    }
}

impl From<h2::Error> for Ended {
    fn from(_: h2::Error) -> Self {
        Self::Closed
    }
}

/// Why [`Keeper::keep`] has returned.
pub(crate) enum Kept {
    ToTheEnd(Ended),
    /// The connection is idle: no request is in progress, and no byte was read or written for a while.
    UntilRest,
}

/// What to do with a connection.
enum Word {
    /// Close: the connection was idle for too long, or a head was incomplete for too long.
    Close,
    /// Finish the requests in progress, then close: the process is stopping, or the connection has reached
    /// `keep_alive`.
    Finish,
    /// Close normally: no request is in progress.
    Shut,
    /// Rest until the client sends something.
    Rest,
}

/// Enforces the deadlines of a connection. Tells it to finish when the process stops or when the connection has reached
/// `keep_alive`.
pub(crate) struct Keeper {
    watchdog: Watchdog,
    draining: Draining,
    uploads: Uploads,
    is_finishing: bool,
}

impl Keeper {
    pub(crate) fn new(watchdog: Watchdog, draining: Draining, uploads: Uploads) -> Self {
        Self { watchdog, draining, uploads, is_finishing: false }
    }

    /// How long the connection may linger when it is closed.
    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.draining.is_stopping())
    }

    /// Runs a connection until it ends or rests.
    pub(crate) async fn keep<E: Into<Ended>, C: Future<Output = Result<(), E>>>(
        &mut self,
        mut served: Pin<&mut C>,
        finish: impl Fn(Pin<&mut C>),
    ) -> Kept {
        loop {
            let heard = {
                let gate = PollOnWake::default();
                let uploads = self.uploads.clone();
                let mut word = pin!(self.word());
                let hear = poll_fn(|cx| match served.as_mut().poll(cx) {
                    Poll::Ready(result) => Poll::Ready(Err(result)),
                    Poll::Pending => {
                        uploads.poll_discards(cx);
                        gate.poll(word.as_mut(), cx).map(Ok)
                    }
                });
                hear.await
            };
            match heard {
                Err(Err(error)) => return Kept::ToTheEnd(error.into()),
                Err(Ok(())) => return Kept::ToTheEnd(Ended::Closed),
                Ok(Word::Close) => return Kept::ToTheEnd(Ended::TimedOut),
                Ok(Word::Finish) => {
                    self.is_finishing = true;
                    if !self.watchdog.call_last() {
                        finish(served.as_mut());
                    }
                }
                Ok(Word::Shut) => finish(served.as_mut()),
                // A connection that was told to finish is about to end, so it does not rest.
                Ok(Word::Rest) if self.is_finishing => {}
                Ok(Word::Rest) => return Kept::UntilRest,
            }
        }
    }

    /// Waits until something has to be done with the connection.
    async fn word(&mut self) -> Word {
        tokio::select! {
            biased;
            () = self.draining.stopping(), if !self.is_finishing => Word::Finish,
            verdict = self.watchdog.verdict() => match verdict {
                Verdict::Close => Word::Close,
                Verdict::Retire => Word::Finish,
                Verdict::Shut => Word::Shut,
                Verdict::Rest => Word::Rest,
            },
        }
    }

    /// Waits until a resting connection has bytes to read. Returns how the connection ended if it ended instead.
    pub(crate) async fn rest<T: Readable, O>(&mut self, transport: &mut Watched<T, O>) -> Option<Ended> {
        self.watchdog.rest();
        let ended = loop {
            let word = tokio::select! {
                biased;
                // Both branches are cancel-safe: they read nothing.
                () = transport.readable() => break None,
                word = self.word() => word,
            };
            match word {
                Word::Close => break Some(Ended::TimedOut),
                Word::Shut => break Some(Ended::Closed),
                Word::Finish => {
                    self.is_finishing = true;
                    self.watchdog.call_last();
                }
                Word::Rest => {}
            }
        };
        self.watchdog.wake();
        ended
    }
}
