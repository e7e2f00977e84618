//! Counts the bytes of answers that wait to be written to clients, and says when a body may be asked for more.
//!
//! Without a bound, a client that opens many streams and reads none of them makes the proxy hold whatever its targets send.
//! There are three bounds: for a stream, for a connection, and for a worker. When the worker's is reached, each connection
//! may still have a little under way, so that no client is stopped by what other clients do not read.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Waker;

use bytes::{Buf, Bytes};

/// More of a stream's answer is not read ahead while this much of it waits. A piece is at most as large again
/// (`READ_BYTES_MAX` of `upstream/http1/connection.rs`).
const STREAM_BYTES_MAX: usize = 64 * 1024;

/// While a connection has this much waiting, each of its streams may have one piece waiting and no more.
const CONNECTION_BYTES_MAX: usize = 1024 * 1024;

/// So much a connection may have waiting, also where the worker's bound is reached. It does not count for the worker, and no
/// time limit holds for the ends of answers within it.
const RESERVED_BYTES: usize = 64 * 1024;

/// A small piece is a part of the buffer that it was read into (8 KiB, `READ_BYTES_MIN` of `upstream/http1/connection.rs`), and
/// keeps all of it. Where a connection has so much waiting, smaller pieces than [`SMALL_BYTES`] are copied.
const COPY_BYTES_MIN: usize = 16 * 1024;
const SMALL_BYTES: usize = 4 * 1024;

/// What waits in all connections of a worker.
#[derive(Debug)]
pub(crate) struct Budget {
    /// May fall below zero, by the last piece that was let in.
    left: Cell<isize>,
    /// Connections with streams that wait for the budget.
    waiting: RefCell<VecDeque<Weak<Outbox>>>,
}

/// What waits in one connection.
#[derive(Debug)]
pub(crate) struct Outbox {
    budget: Rc<Budget>,
    queued: Cell<usize>,
    /// Streams that wait for room. Each is in it once.
    waiting: RefCell<VecDeque<Weak<Stream>>>,
    is_in_budgets_queue: Cell<bool>,
}

/// What waits in one stream.
#[derive(Debug)]
pub(crate) struct Stream {
    outbox: Rc<Outbox>,
    queued: Cell<usize>,
    /// A piece of it has been written: its client reads.
    is_read: Cell<bool>,
    /// Something of a piece has been written since [`Stream::stands_still`] was asked.
    has_moved: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    is_in_outboxs_queue: Cell<bool>,
    /// It has waited, and others may have to be woken once it has taken what it needs.
    has_waited: Cell<bool>,
}

/// A piece of an answer, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    bytes: Bytes,
    counted: usize,
    outbox: Rc<Outbox>,
    /// `None` for the last piece of an answer where nothing waits for it.
    stream: Option<Rc<Stream>>,
}

impl Budget {
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
    pub(crate) fn new(budget: Rc<Budget>) -> Rc<Self> {
        Rc::new(Self {
            budget,
            queued: Cell::new(0),
            waiting: RefCell::default(),
            is_in_budgets_queue: Cell::new(false),
        })
    }

    /// Whether a new answer may be read. Where not, its stream has to wait with [`Stream::has_room`].
    pub(crate) fn may_take_more(&self) -> bool {
        self.queued.get() < RESERVED_BYTES || self.budget.has_room()
    }

    /// Whether the end of an answer has to be watched until the client has taken it, with `bytes` more waiting.
    pub(crate) fn is_crowded(&self, bytes: usize) -> bool {
        self.queued.get() + bytes > RESERVED_BYTES
    }

    /// `bytes`, in memory of their own if they may have to wait and would keep much more than they are.
    pub(crate) fn compact(&self, bytes: Bytes) -> Bytes {
        if self.queued.get() < COPY_BYTES_MIN || bytes.len() >= SMALL_BYTES {
            return bytes;
        }
        Bytes::copy_from_slice(&bytes)
    }

    /// Counts the last piece of an answer that nobody watches.
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

    /// Wakes a stream that waits, where there is room for one: of this connection, else of another.
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

/// What of a connection's `queued` bytes counts for its worker.
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

    /// Whether the body may be asked for more. If not, `waker` is woken when it is worth asking again.
    pub(crate) fn has_room(self: &Rc<Self>, waker: &Waker) -> bool {
        let queued = self.queued.get();
        // The first piece shows whether the client reads.
        let is_own_limit = queued > 0 && !(self.is_read.get() && queued < STREAM_BYTES_MAX);
        let is_connections_limit = queued > 0 && self.outbox.queued.get() >= CONNECTION_BYTES_MAX;
        if !is_own_limit && !is_connections_limit && self.outbox.may_take_more() {
            return true;
        }
        *self.waker.borrow_mut() = Some(waker.clone());
        // Its own limit ends when one of its own pieces has been written.
        if !is_own_limit {
            self.has_waited.set(true);
            if !self.is_in_outboxs_queue.replace(true) {
                self.outbox.waiting.borrow_mut().push_back(Rc::downgrade(self));
            }
            if self.outbox.budget.has_room() {
                // Woken for a room that its connection may not take: another's may.
                self.outbox.budget.wake_next();
            } else {
                self.outbox.wait_for_budget();
            }
        }
        false
    }

    /// Whether nothing waits any more. If something does, `waker` is woken when a piece has been written.
    pub(crate) fn is_taken(&self, waker: &Waker) -> bool {
        let is_taken = self.queued.get() == 0;
        if !is_taken {
            *self.waker.borrow_mut() = Some(waker.clone());
        }
        is_taken
    }

    /// Whether the client has taken nothing of what waits for it since this was last asked. A stream of which nothing waits
    /// is not at fault: it has no room because of what other clients do not read.
    pub(crate) fn stands_still(&self) -> bool {
        !self.has_moved.take() && self.queued.get() > 0
    }

    /// The stream has taken what it needs for now: the next may have what room is left.
    pub(crate) fn pass_on(&self) {
        if self.has_waited.replace(false) {
            self.outbox.pass_on();
        }
    }

    /// Counts a piece that is watched.
    pub(crate) fn piece(self: &Rc<Self>, bytes: Bytes) -> Piece {
        self.queued.set(self.queued.get() + bytes.len());
        self.outbox.count(bytes.len());
        let counted = bytes.len();
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
