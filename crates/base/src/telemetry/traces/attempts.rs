//! The attempts of a recorded request at targets.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::telemetry::ids;
use crate::telemetry::traces::span::Context;

/// The attempts so far. There are at most as many as a target group makes for one request.
#[derive(Debug)]
pub struct Attempts {
    trace: u128,
    list: RefCell<Vec<Attempt>>,
}

/// One attempt at a target.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The span that the target is told of.
    pub span: u64,
    pub target_group: Arc<str>,
    /// `host:port`, or the path of a socket.
    pub target: Rc<str>,
    pub is_tls: bool,
    pub is_http2: bool,
    pub begun: Instant,
    pub outcome: Outcome,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The target has not answered yet.
    UnderWay,
    /// The target has answered. The attempt ends with the exchange.
    Answered { status: u16 },
    /// Why the target has not answered, and when that was known.
    Failed { why: &'static str, at: Instant },
}

impl Attempts {
    /// Those of a request of the trace `trace`.
    pub fn of(trace: u128) -> Self {
        Self { trace, list: RefCell::default() }
    }

    /// The trace.
    pub const fn trace(&self) -> u128 {
        self.trace
    }

    /// Takes note of an attempt that begins.
    pub fn begin(&self, (target_group, target): (&Arc<str>, &Rc<str>), (is_tls, is_http2): (bool, bool), now: Instant) {
        let (target_group, target) = (Arc::clone(target_group), Rc::clone(target));
        let outcome = Outcome::UnderWay;
        let attempt = Attempt { span: ids::span(), target_group, target, is_tls, is_http2, begun: now, outcome };
        self.list.borrow_mut().push(attempt);
    }

    /// Takes note of what became of the last attempt. `target` is the one that it was made at in the end.
    pub fn end(&self, target: &Rc<str>, outcome: Outcome) {
        if let Some(last) = self.list.borrow_mut().last_mut() {
            last.target = Rc::clone(target);
            last.outcome = outcome;
        }
    }

    /// The span of the last attempt. `None` before the first.
    pub fn current(&self) -> Option<Context> {
        let span = self.list.borrow().last()?.span;
        Some(Context { trace: self.trace, span })
    }

    /// All attempts, the first one first.
    pub fn take(&self) -> Vec<Attempt> {
        self.list.take()
    }
}
