//! TCP connections with efficient writes ([`stream`]), the loop that accepts them ([`accept`]), and listening sockets that another process
//! bound ([`inherited`], [`foreign`]).

pub(crate) mod accept;
pub(crate) mod foreign;
pub(crate) mod inherited;
pub(crate) mod stream;
