//! TCP connections with efficient writes ([`stream`]), the loop that accepts them ([`accept`]), and listening sockets that another process
//! bound ([`inherited`], [`foreign`]).

pub mod accept;
pub mod foreign;
pub mod inherited;
pub(crate) mod stream;
