//! The HTTP/1.1 client for targets (RFC 9112). It runs inside the task that waits for the response.
//!
//! An exchange has no task of its own and no channel. The future that awaits the response writes the request and reads
//! the head of the response. The body of the response is then read from the same connection while it is sent to the
//! client. So a connection is either idle in a pool or owned by one exchange, and only decoded bytes leave this module.
//!
//! [`request_writer`] writes a request. [`head`] and [`decoder`] parse a response. [`connection`] does both over one
//! connection. [`begun`] makes the response of a head and the connection behind it, [`handshake`] checks the head that
//! opens a WebSocket. [`response_body`] is its body.
//! [`upload`] sends the rest of a request if the target responds early. `docs/decisions/0011` says why hyper's client is not
//! used.

pub(super) mod begun;
pub(super) mod connection;
mod decoder;
#[cfg(any(test, fuzzing, feature = "testing"))]
pub mod fuzz;
mod handshake;
pub(super) mod head;
pub(super) mod malformed;
pub(super) mod request_writer;
mod response_body;
#[cfg(test)]
mod testing;
mod upload;
