//! Keeps one connection to its deadlines, and decides when it ends or rests.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use crate::drain::Draining;
use crate::exchange::rejection::Reason;
use crate::listener::linger::Patience;
use crate::listener::wake_gate::PollOnWake;
use crate::listener::watchdog::{Readable, Verdict, Watchdog, Watched};
use crate::message::upload::Uploads;

/// How a connection ended.
pub(crate) enum Ended {
    /// By either side, with or without a word.
    Closed,
    /// The client sent a head that hyper does not read: it is not HTTP, or too large. That covers a target that is longer than
    /// the library takes.
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

/// How far a connection was served.
pub(crate) enum Kept {
    ToTheEnd(Ended),
    /// Nothing is under way, and nothing has moved for a while.
    UntilRest,
}

/// What is to become of a connection.
enum Word {
    /// Close: nothing moved for too long, or a head did not end.
    Close,
    /// Finish what is under way, then close: the process stops, or the connection is old.
    Finish,
    /// Close in order: nothing is under way.
    Shut,
    /// Rest until there is something to do.
    Rest,
}

/// Keeps a connection to its deadlines, and asks it to finish when the process stops or the connection is old.
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

    /// How long the connection may linger.
    pub(crate) fn patience(&self) -> Patience {
        Patience::new(self.draining.is_stopping())
    }

    /// Runs a connection to its end or to its next rest.
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
                // One that was asked to finish is about to.
                Ok(Word::Rest) if self.is_finishing => {}
                Ok(Word::Rest) => return Kept::UntilRest,
            }
        }
    }

    /// What is to become of the connection, when something is.
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

    /// Waits until a connection at rest has to be served again. It may have ended instead.
    pub(crate) async fn rest<T: Readable, O>(&mut self, transport: &mut Watched<T, O>) -> Option<Ended> {
        self.watchdog.rest();
        let ended = loop {
            let word = tokio::select! {
                biased;
                // Cancel-safe, both: nothing is read.
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
