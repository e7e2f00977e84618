//! The id of an exchange, in the form of the ALB's trace id (ALB §10.3): `1-<8 hex: epoch>-<24 hex: random>`.

use std::fmt;

use crate::clock::Timestamp;
use crate::message::trace_context::{SAMPLED, TraceParent};
use crate::telemetry::ids::next;

/// A unique id of an exchange: 96 random bits. It is not a secret. Formatted once, because it is read several times.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestId([u8; LENGTH]);

/// `1-`, eight digits, `-`, twenty-four digits.
const LENGTH: usize = 2 + 8 + 1 + 24;

/// A new identity of a connection: 128 random bits. It is not a secret.
pub(crate) fn connection_id() -> u128 {
    u128::from(next()) << 64 | u128::from(next())
}

impl RequestId {
    /// A new id, for an exchange that began at `now`.
    pub(crate) fn new(now: Timestamp) -> Self {
        let mut text = *b"1-00000000-000000000000000000000000";
        write_hex(&mut text[2..10], now.seconds());
        write_hex(&mut text[11..27], next());
        write_hex(&mut text[27..], next());
        Self(text)
    }

    /// The trace that begins with this exchange: the same digits as in `X-Amzn-Trace-Id`, so that both name one trace.
    pub(crate) fn trace_id(&self) -> u128 {
        let digits = self.0[2..10].iter().chain(&self.0[11..]);
        digits.fold(0, |id, digit| id << 4 | u128::from(char::from(*digit).to_digit(16).unwrap_or(0)))
    }

    /// A `traceparent` for that trace. The span is made up: nobody records it.
    pub(crate) fn trace_parent(&self, is_sampled: bool) -> TraceParent {
        let flags = if is_sampled { SAMPLED } else { 0 };
        TraceParent { trace_id: self.trace_id(), parent_id: next() | 1, flags }
    }

    /// The id as text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("made of ASCII digits")
    }
}

/// Writes the lowest bits of `value` in hexadecimal until `room` is full.
fn write_hex(room: &mut [u8], mut value: u64) {
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 0xf) as usize];
        value >>= 4;
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_form_of_the_trace_id_and_is_never_the_same() {
        let now = Timestamp::from_seconds(0x6b05_4400);
        let ids: std::collections::HashSet<String> = (0..1000).map(|_| RequestId::new(now).to_string()).collect();
        assert_eq!(ids.len(), 1000);
        let id = RequestId::new(now);
        let parent = id.trace_parent(true);
        assert_eq!(format!("{:032x}", parent.trace_id), id.as_str()[2..].replace('-', ""));
        assert_eq!(TraceParent::parse(parent.to_string().as_bytes()), Some(parent));
        assert_eq!((parent.flags, id.trace_parent(false).flags), (1, 0));
        for id in ids {
            let parts: Vec<&str> = id.split('-').collect();
            assert_eq!((parts[0], parts[1], parts[2].len(), parts.len()), ("1", "6b054400", 24, 3), "{id}");
            assert!(parts[2].bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
        }
    }
}
