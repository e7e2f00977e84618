//! The access log: one record per exchange, one line each: JSON, or the format of the ALB.
//!
//! Each worker writes records into its own buffer. A separate thread writes the buffers to the destination
//! ([`Writer`]), so the request path never waits for a disk. `docs/ACCESS_LOG.md` describes the fields, which are a
//! stable interface.

pub mod alb;
mod queue;
mod record;
pub mod syslog;
mod worker_log;
mod writer;

pub use record::{AccessRecord, ClientCertificate, TransformedRecord};
pub use worker_log::AccessLog;
pub use writer::{Destination, Handle, Writer};
