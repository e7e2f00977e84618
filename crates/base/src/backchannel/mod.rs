//! Outgoing HTTP calls that the proxy makes for itself, not for a client. Start at [`call::Backchannel`]. Calls of gRPC are in [`grpc`].

pub mod call;
pub mod grpc;
pub mod network;
