//! Watchers of a body: they are told what passes through, and how the body ends.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;

use crate::message::body::limits::StoodStill;

/// An error whose type no longer matters.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Is told about the data and the end of a body.
pub trait Watch {
    /// `bytes` of data passed through.
    fn data(&mut self, bytes: usize);

    /// The body has ended. Called once. If a watcher is dropped without this call, the body was cut short.
    fn ended(&mut self, ending: Ending<'_>);
}

/// A place for the watcher of something that begins before its watcher is known.
#[derive(Clone, Default)]
pub struct WatchSlot(Rc<Cell<Option<Box<dyn Watch>>>>);

impl fmt::Debug for WatchSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WatchSlot").finish_non_exhaustive()
    }
}

impl WatchSlot {
    pub fn set(&self, watcher: Box<dyn Watch>) {
        self.0.set(Some(watcher));
    }

    pub fn take(&self) -> Option<Box<dyn Watch>> {
        self.0.take()
    }
}

/// How a body ended.
#[derive(Clone, Copy, Debug)]
pub enum Ending<'e> {
    /// The body is complete.
    Complete,
    /// The sender stopped before the end of the body, or the error says why the body had to end early.
    BrokenOff(&'e BoxError),
    /// The sender sent data that is not valid HTTP.
    Malformed(&'e BoxError),
    /// Vestibule ended the body, because the sender sent nothing for too long, or sent too slowly.
    StoodStill,
}

impl<'e> Ending<'e> {
    /// The ending of a body that fails with `error`.
    pub(super) fn of_error(error: &'e BoxError) -> Self {
        if error.is::<Malformed>() {
            Self::Malformed(error)
        } else if error.is::<StoodStill>() {
            Self::StoodStill
        } else {
            Self::BrokenOff(error)
        }
    }
}

/// The sender of a body sent data that is not valid HTTP.
#[derive(Debug, thiserror::Error)]
#[error("the body is malformed")]
pub struct Malformed(#[source] pub BoxError);
