//! Outgoing HTTP calls that the proxy makes for itself, not for a client. Start at [`call::Backchannel`].

pub(crate) mod call;
pub(crate) mod network;
