//! Traces: what is recorded of sampled requests, until an exporter takes it (decision 78).
//!
//! A [`tracer::Tracer`] decides whether an exchange is sampled, and takes the spans that have ended. It never waits. The room `otlp`
//! takes them from the other end of its queue.

pub mod attempts;
pub mod sampling;
pub mod scope;
pub mod span;
pub mod tracer;
