//! Flow control windows: how many bytes clients may send before they are read. One window per upload, within a limit
//! per worker.
//!
//! A connection begins with the default window (RFC 9113 §6.9.2). Each upload widens the connection's window by the
//! size of its stream's window while the upload is open. So an upload that nobody reads cannot use up the window that
//! other uploads need (RFC 9113 §5.2). When the limit of the worker is reached, uploads share the window that their
//! connection already has.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use crate::budget::{ConnectionBudget, Reserved};

/// How many bytes of one body a client may send before they are read.
pub(crate) const STREAM_BYTES: u32 = 128 * 1024;
/// RFC 9113 §6.9.2.
pub(crate) const CONNECTION_BYTES: u32 = 65_535;

/// The window of one connection.
#[derive(Debug)]
pub(crate) struct Window {
    /// The worker's budget for unread bytes beyond the default window of each connection.
    budget: ConnectionBudget,
    bytes: Cell<u32>,
    /// The task of the connection, if a WebSocket may change the window while nothing else happens.
    waker: RefCell<Option<Waker>>,
}

impl Window {
    pub(crate) fn new(budget: ConnectionBudget) -> Rc<Self> {
        Rc::new(Self { budget, bytes: Cell::new(CONNECTION_BYTES), waker: RefCell::default() })
    }

    /// The size that the window should have.
    pub(crate) fn bytes(&self) -> u32 {
        self.bytes.get()
    }

    /// Widens the window for one upload. `None` if the budget is used up.
    pub(crate) fn widen(self: &Rc<Self>) -> Option<Widened> {
        let share = self.budget.take(STREAM_BYTES as usize)?;
        self.bytes.set(self.bytes.get().saturating_add(STREAM_BYTES));
        Some(Widened { window: Rc::clone(self), _share: share })
    }

    /// The same for a WebSocket, from a task that is not the connection's.
    pub(crate) fn widen_now(self: &Rc<Self>) -> Option<Widened> {
        let widened = self.widen();
        let waker = self.waker.borrow_mut().take();
        waker.into_iter().for_each(Waker::wake);
        widened
    }

    /// The task of the connection is woken by [`widen_now`](Self::widen_now).
    pub(crate) fn watch(&self, cx: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            *waker = Some(cx.waker().clone());
        }
    }
}

/// Keeps the window of a connection wider until this is dropped.
#[derive(Debug)]
pub(crate) struct Widened {
    window: Rc<Window>,
    _share: Reserved,
}

impl Drop for Widened {
    fn drop(&mut self) {
        self.window.bytes.set(self.window.bytes.get() - STREAM_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;

    #[test]
    fn a_window_is_wider_while_its_upload_is_open_and_the_budget_has_room() {
        let budget = Budget::new(2 * STREAM_BYTES as usize);
        let (first, second) = (Window::new(budget.for_connection(None)), Window::new(budget.for_connection(None)));
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
