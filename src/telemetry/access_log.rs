//! The access log: one record per exchange, one line of JSON each.
//!
//! Each worker writes records into its own buffer. A separate thread writes the buffers to the destination
//! ([`Writer`]), so the request path never waits for a disk. `docs/ACCESS_LOG.md` describes the fields, which are a
//! stable interface.

mod queue;
mod record;
mod worker_log;
mod writer;

pub(crate) use record::AccessRecord;
pub(crate) use worker_log::AccessLog;
pub(crate) use writer::{Destination, Handle, Writer};
