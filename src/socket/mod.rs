//! TCP connections with efficient writes ([`stream`]), and the loop that accepts them ([`accept`]).

pub(crate) mod accept;
pub(crate) mod stream;
