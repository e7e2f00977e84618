//! What clients may send before it has been read: a window for each upload, within a bound for the worker.
//!
//! A connection begins with the window that the standard gives it (RFC 9113 §6.9.2). Each upload widens it by the window of
//! its stream for as long as the upload is open, so that one that nobody reads cannot take what the others need
//! (RFC 9113 §5.2). Where the worker's bound is reached, uploads share what their connection has.

use std::cell::Cell;
use std::rc::Rc;

use crate::listener::http2::budget::{Purse, Share};

/// What a client may send of one body before it is read.
pub(crate) const STREAM_BYTES: u32 = 128 * 1024;
/// RFC 9113 §6.9.2.
pub(crate) const CONNECTION_BYTES: u32 = 65_535;

/// The window of one connection.
#[derive(Debug)]
pub(crate) struct Window {
    /// Bytes that clients may have their worker hold, beyond what every connection may.
    purse: Purse,
    bytes: Cell<u32>,
}

impl Window {
    pub(crate) fn new(purse: Purse) -> Rc<Self> {
        Rc::new(Self { purse, bytes: Cell::new(CONNECTION_BYTES) })
    }

    /// How wide it should be.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes.get()
    }

    /// Widens it for one upload, where there is as much for it.
    pub(crate) fn widen(self: &Rc<Self>) -> Option<Widened> {
        let share = self.purse.take(STREAM_BYTES as usize)?;
        self.bytes.set(self.bytes.get().saturating_add(STREAM_BYTES));
        Some(Widened { window: Rc::clone(self), _share: share })
    }
}

/// A connection's window is wider while this lives.
#[derive(Debug)]
pub(crate) struct Widened {
    window: Rc<Window>,
    _share: Share,
}

impl Drop for Widened {
    fn drop(&mut self) {
        self.window.bytes.set(self.window.bytes.get() - STREAM_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::http2::budget::Budget;

    #[test]
    fn a_window_is_wider_while_its_upload_is_open_and_the_budget_has_room() {
        let budget = Budget::new(2 * STREAM_BYTES as usize);
        let (first, second) = (Window::new(budget.purse(None)), Window::new(budget.purse(None)));
        let upload = first.widen().expect("room for it");
        let other = second.widen().expect("room for it");
        assert_eq!((first.bytes(), second.bytes()), (CONNECTION_BYTES + STREAM_BYTES, CONNECTION_BYTES + STREAM_BYTES));
        assert!(first.widen().is_none() && second.widen().is_none(), "the budget is used up");
        drop(other);
        assert_eq!(second.bytes(), CONNECTION_BYTES);
        let more = first.widen().expect("room again");
        assert_eq!(first.bytes(), CONNECTION_BYTES + 2 * STREAM_BYTES);
        drop((upload, more));
        assert_eq!(first.bytes(), CONNECTION_BYTES);
    }
}
