//! The access log: one record per exchange, one line each: JSON, or the format of the ALB.
//!
//! Each worker writes records into its own buffer. A separate thread writes the buffers to the destination
//! ([`Writer`]), so the request path never waits for a disk. `docs/ACCESS_LOG.md` describes the fields, which are a
//! stable interface.

pub(crate) mod alb;
mod queue;
mod record;
pub(crate) mod syslog;
mod worker_log;
mod writer;

pub(crate) use record::{AccessRecord, ClientCertificate, TransformedRecord};
pub(crate) use worker_log::AccessLog;
pub(crate) use writer::{Destination, Handle, Writer};
