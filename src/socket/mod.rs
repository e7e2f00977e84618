//! TCP connections with efficient writes ([`stream`]), the loop that accepts them ([`accept`]), and listening sockets that another process
//! bound ([`inherited`]).

pub(crate) mod accept;
pub(crate) mod inherited;
pub(crate) mod stream;
