//! What clients may send before it has been read: a window for each upload, within a bound for the worker.
//!
//! A connection begins with the window that the standard gives it (RFC 9113 §6.9.2). Each upload widens it by the window of
//! its stream for as long as the upload is open, so that one that nobody reads cannot take what the others need
//! (RFC 9113 §5.2). Where the worker's bound is reached, uploads share what their connection has.

use std::cell::Cell;
use std::rc::Rc;

/// What a client may send of one body before it is read.
pub(crate) const STREAM_BYTES: u32 = 128 * 1024;
/// RFC 9113 §6.9.2.
pub(crate) const CONNECTION_BYTES: u32 = 65_535;

/// Bytes that clients of a worker may have it hold, beyond what every connection may.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Rc<Self> {
        Rc::new(Self(Cell::new(bytes)))
    }

    /// Takes `bytes` out, where there are as many.
    pub(crate) fn take(self: &Rc<Self>, bytes: usize) -> Option<Share> {
        let left = self.0.get().checked_sub(bytes)?;
        self.0.set(left);
        Some(Share { budget: Rc::clone(self), bytes })
    }
}

/// A part of a budget, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Rc<Budget>,
    bytes: usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        self.budget.0.set(self.budget.0.get() + self.bytes);
    }
}

/// The window of one connection.
#[derive(Debug)]
pub(crate) struct Window {
    budget: Rc<Budget>,
    bytes: Cell<u32>,
}

impl Window {
    pub(crate) fn new(budget: Rc<Budget>) -> Rc<Self> {
        Rc::new(Self { budget, bytes: Cell::new(CONNECTION_BYTES) })
    }

    /// How wide it should be.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes.get()
    }

    /// Widens it for one upload, where the budget has as much.
    pub(crate) fn widen(self: &Rc<Self>) -> Option<Widened> {
        let share = self.budget.take(STREAM_BYTES as usize)?;
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

    #[test]
    fn a_window_is_wider_while_its_upload_is_open_and_the_budget_has_room() {
        let budget = Budget::new(2 * STREAM_BYTES as usize);
        let (first, second) = (Window::new(Rc::clone(&budget)), Window::new(budget));
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
