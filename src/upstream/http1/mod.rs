//! HTTP/1.1 towards targets (RFC 9112), spoken by whoever waits for the answer.
//!
//! An exchange has no task of its own and no channel: the future that awaits the answer writes the request and reads the
//! head, and the answer's body reads on from the same connection while it is sent to the client. A connection is therefore
//! either idle in a pool or owned by one exchange, and gives up nothing but bytes that it has taken apart itself.
//!
//! [`request_writer`] is a request as it goes out, [`head`] and [`decoder`] are the reading of an answer, [`connection`] does the
//! one and the other, [`response_body`] is the body that comes of it, and [`upload`] is what is left of a request whose target
//! answers early. Why not hyper's: `docs/decisions/0011`.

pub(super) mod connection;
mod decoder;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(super) mod head;
pub(super) mod line;
pub(super) mod request_writer;
pub(super) mod response_body;
#[cfg(test)]
mod testing;
pub(super) mod upload;
