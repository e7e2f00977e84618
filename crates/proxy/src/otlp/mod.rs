//! Sends spans to a collector by OTLP 1.x (<https://opentelemetry.io/docs/specs/otlp/>), over gRPC or HTTP.
//!
//! Knows nothing of requests. Start at [`exporter::prepare`], which gives workers a tracer and runs on the control runtime.

pub mod exporter;
mod grpc;
mod gzip;
mod http;
mod message;
pub mod settings;
mod transport;
