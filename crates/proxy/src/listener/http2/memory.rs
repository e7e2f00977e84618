//! The memory that all HTTP/2 connections of one worker share.

use std::rc::Rc;

use crate::budget::Budget;
use crate::listener::http2::outbox;

/// Maximum bytes of responses that wait to be sent to the clients of one worker.
const ANSWERS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Maximum bytes of uploads that the clients of one worker may send before they are read. The first upload of each
/// connection does not count.
const UPLOADS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Maximum memory for the requests in progress of one worker. The first request of each connection does not count.
const REQUESTS_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Memory limits that all HTTP/2 connections of one worker share.
#[derive(Debug)]
pub struct WorkerMemory {
    pub(super) answers: Rc<outbox::OutboxBudget>,
    pub(super) uploads: Rc<Budget>,
    pub(super) requests: Rc<Budget>,
}

impl Default for WorkerMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl WorkerMemory {
    pub fn new() -> Self {
        Self {
            answers: outbox::OutboxBudget::new(ANSWERS_BYTES_MAX),
            uploads: Budget::new(UPLOADS_BYTES_MAX),
            requests: Budget::new(REQUESTS_BYTES_MAX),
        }
    }
}
