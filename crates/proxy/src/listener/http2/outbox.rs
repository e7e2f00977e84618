//! Counts the bytes of responses that wait to be written to clients, and decides when more of a body may be read.
//!
//! Without a limit, a client that opens many streams and reads none of them makes the proxy buffer everything that
//! targets send. There are three limits: per stream, per connection and per worker. When the limit of the worker is
//! reached, each connection may still have a small amount waiting ([`RESERVED_BYTES`]), so that clients that do not
//! read cannot stop other clients.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Waker;

use bytes::{Buf, Bytes};

/// No more of a response is read while a stream has this many bytes waiting. One more piece may be added, which has at
/// most the same size (`READ_BYTES_MAX` of `upstream/http1/connection.rs`).
const STREAM_BYTES_MAX: usize = 64 * 1024;

/// While a connection has this many bytes waiting, each of its streams may have only one piece waiting.
const CONNECTION_BYTES_MAX: usize = 1024 * 1024;

/// A connection may always have this many bytes waiting, even if the limit of the worker is reached. These bytes do not
/// count for the worker. No time limit applies to the ends of responses within them.
const RESERVED_BYTES: usize = 64 * 1024;

/// A small piece is a slice of the buffer that it was read into (8 KiB, `READ_BYTES_MIN` of
/// `upstream/http1/connection.rs`), and keeps the whole buffer in memory. If a connection has this many bytes waiting,
/// pieces smaller than [`SMALL_BYTES`] are copied.
const COPY_BYTES_MIN: usize = 16 * 1024;
const SMALL_BYTES: usize = 4 * 1024;

/// What a piece takes at least, with the memory beside its bytes. Without this, a stream of which a client reads little could hold
/// 64 K pieces of one byte: the messages of WebSockets are small.
const PIECE_BYTES_MIN: usize = 256;

/// The bytes that wait in all connections of a worker.
///
/// Not a [`Budget`](crate::budget::Budget): that one refuses what does not fit. Here nothing is refused; a response waits for its turn
/// until others have been read. No address needs a part of its own, because each connection has [`RESERVED_BYTES`].
#[derive(Debug)]
pub(crate) struct OutboxBudget {
    /// Can become negative by the size of the last piece that was accepted.
    left: Cell<isize>,
    /// Connections that have streams waiting for the budget.
    waiting: RefCell<VecDeque<Weak<Outbox>>>,
}

/// The bytes that wait in one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    budget: Rc<OutboxBudget>,
    queued: Cell<usize>,
    /// Streams that wait for room. Each stream is in the queue at most once.
    waiting: RefCell<VecDeque<Weak<Stream>>>,
    is_in_budgets_queue: Cell<bool>,
}

/// The bytes that wait in one stream.
#[derive(Debug)]
pub(crate) struct Stream {
    outbox: Rc<Outbox>,
    queued: Cell<usize>,
    /// A piece of this stream was written, so the client reads.
    is_read: Cell<bool>,
    /// A part of a piece was written since the last call of [`Stream::stands_still`].
    has_moved: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    is_in_outboxs_queue: Cell<bool>,
    /// This stream was waiting. Once it has what it needs, other streams may have to be woken.
    has_waited: Cell<bool>,
}

/// A piece of a response. It is counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    counted: usize,
    outbox: Rc<Outbox>,
    /// `None` for the last piece of a response if nobody waits until it is written.
    stream: Option<Rc<Stream>>,
}

impl OutboxBudget {
    pub(crate) fn new(bytes: usize) -> Rc<Self> {
        let left = Cell::new(isize::try_from(bytes).unwrap_or(isize::MAX));
        Rc::new(Self { left, waiting: RefCell::default() })
    }

    fn has_room(&self) -> bool {
        self.left.get() > 0
    }

    fn take(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub_unsigned(bytes));
    }

    fn give_back(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_add_unsigned(bytes));
    }

    /// Wakes one stream of the connection that has waited longest.
    fn wake_next(&self) {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(next) = next else { return };
            let Some(outbox) = next.upgrade() else { continue };
            outbox.is_in_budgets_queue.set(false);
            if outbox.wake_next() {
                outbox.wait_for_budget();
                return;
            }
        }
    }
}

impl Outbox {
    pub(crate) fn new(budget: Rc<OutboxBudget>) -> Rc<Self> {
        Rc::new(Self {
            budget,
            queued: Cell::new(0),
            waiting: RefCell::default(),
            is_in_budgets_queue: Cell::new(false),
        })
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued.get() == 0
    }

    /// Whether a new response may be read. If not, its stream must wait with [`Stream::has_room`].
    pub(crate) fn may_take_more(&self) -> bool {
        self.queued.get() < RESERVED_BYTES || self.budget.has_room()
    }

    /// Whether the end of a response, with `bytes` more waiting, must be tracked until the client has read it.
    pub(crate) fn is_crowded(&self, bytes: usize) -> bool {
        self.queued.get() + bytes > RESERVED_BYTES
    }

    /// Copies `bytes` into their own memory if they may have to wait and would keep a much larger buffer in memory.
    pub(crate) fn compact(&self, bytes: Bytes) -> Bytes {
        if self.queued.get() < COPY_BYTES_MIN || bytes.len() >= SMALL_BYTES {
            return bytes;
        }
        Bytes::copy_from_slice(&bytes)
    }

    /// Counts the last piece of a response that is not tracked until the client has read it.
    pub(crate) fn last_piece(self: &Rc<Self>, bytes: Bytes) -> Piece {
        self.count(bytes.len());
        Piece { counted: bytes.len(), bytes, outbox: Rc::clone(self), stream: None }
    }

    fn count(&self, bytes: usize) {
        let before = self.queued.get();
        self.queued.set(before + bytes);
        self.budget.take(beyond_reserved(before + bytes) - beyond_reserved(before));
    }

    fn release(self: &Rc<Self>, bytes: usize) {
        let before = self.queued.get();
        self.queued.set(before - bytes);
        self.budget.give_back(beyond_reserved(before) - beyond_reserved(before - bytes));
        self.pass_on();
    }

    /// Wakes one waiting stream if there is room: of this connection first, otherwise of another.
    fn pass_on(self: &Rc<Self>) {
        if self.may_take_more() && self.wake_next() {
            return;
        }
        if self.budget.has_room() {
            self.budget.wake_next();
        }
    }

    fn wake_next(&self) -> bool {
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some(next) = next else { return false };
            let Some(stream) = next.upgrade() else { continue };
            stream.is_in_outboxs_queue.set(false);
            if stream.wake() {
                return true;
            }
        }
    }

    fn wait_for_budget(self: &Rc<Self>) {
        let is_waiting = !self.waiting.borrow().is_empty();
        if is_waiting && !self.is_in_budgets_queue.replace(true) {
            self.budget.waiting.borrow_mut().push_back(Rc::downgrade(self));
        }
    }
}

/// The part of a connection's `queued` bytes that counts for its worker.
fn beyond_reserved(queued: usize) -> usize {
    queued.saturating_sub(RESERVED_BYTES)
}

impl Stream {
    pub(crate) fn new(outbox: &Rc<Outbox>) -> Rc<Self> {
        Rc::new(Self {
            outbox: Rc::clone(outbox),
            queued: Cell::new(0),
            is_read: Cell::new(false),
            has_moved: Cell::new(false),
            waker: RefCell::default(),
            is_in_outboxs_queue: Cell::new(false),
            has_waited: Cell::new(false),
        })
    }

    /// Whether more of the body may be read. If not, `waker` is woken when it is worth calling again.
    pub(crate) fn has_room(self: &Rc<Self>, waker: &Waker) -> bool {
        let queued = self.queued.get();
        // Until the first piece is written, it is unknown whether the client reads.
        let is_own_limit = queued > 0 && !(self.is_read.get() && queued < STREAM_BYTES_MAX);
        let is_connections_limit = queued > 0 && self.outbox.queued.get() >= CONNECTION_BYTES_MAX;
        if !is_own_limit && !is_connections_limit && self.outbox.may_take_more() {
            return true;
        }
        *self.waker.borrow_mut() = Some(waker.clone());
        // A stream at its own limit is woken when one of its own pieces was written, so it needs no queue.
        if !is_own_limit {
            self.has_waited.set(true);
            if !self.is_in_outboxs_queue.replace(true) {
                self.outbox.waiting.borrow_mut().push_back(Rc::downgrade(self));
            }
            if self.outbox.budget.has_room() {
                // This stream was woken for room that its connection may not use. Another connection may use it.
                self.outbox.budget.wake_next();
            } else {
                self.outbox.wait_for_budget();
            }
        }
        false
    }

    /// Whether no bytes of this stream wait. If some do, `waker` is woken when a piece was written.
    pub(crate) fn is_taken(&self, waker: &Waker) -> bool {
        let is_taken = self.queued.get() == 0;
        if !is_taken {
            *self.waker.borrow_mut() = Some(waker.clone());
        }
        is_taken
    }

    /// Whether the client has read nothing of the waiting bytes since the last call. A stream without waiting bytes is
    /// not at fault: it has no room because other clients do not read.
    pub(crate) fn stands_still(&self) -> bool {
        !self.has_moved.take() && self.queued.get() > 0
    }

    /// The stream has what it needs for now. Wakes the next stream if there is still room.
    pub(crate) fn pass_on(&self) {
        if self.has_waited.replace(false) {
            self.outbox.pass_on();
        }
    }

    /// Counts a piece that is tracked until the client has read it.
    pub(crate) fn piece(self: &Rc<Self>, bytes: Bytes) -> Piece {
        let counted = bytes.len().max(PIECE_BYTES_MIN);
        self.queued.set(self.queued.get() + counted);
        self.outbox.count(counted);
        Piece { bytes, counted, outbox: Rc::clone(&self.outbox), stream: Some(Rc::clone(self)) }
    }

    fn wake(&self) -> bool {
        let waker = self.waker.borrow_mut().take();
        waker.map(Waker::wake).is_some()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.pass_on();
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream.queued.set(stream.queued.get() - self.counted);
            stream.is_read.set(true);
            stream.wake();
        }
        self.outbox.release(self.counted);
    }
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.len()
    }

    fn chunk(&self) -> &[u8] {
        &self.bytes
    }

    fn advance(&mut self, count: usize) {
        if let Some(stream) = &self.stream {
            stream.has_moved.set(true);
        }
        self.bytes.advance(count);
    }
}

#[cfg(test)]
mod tests;
