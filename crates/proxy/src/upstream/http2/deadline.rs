//! `grpc-timeout`: how long a gRPC client waits for a call (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>).

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const DIGITS_MAX: usize = 8;

const TOLERANCE_MAX: Duration = Duration::from_millis(100);

/// When a gRPC call must be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline {
    at: Instant,
    /// How much earlier a target may be than we are.
    tolerance: Duration,
}

impl Deadline {
    /// The deadline that the client sent, counted from now. `None` if there is none, or none that can be read. Servers ignore what they
    /// cannot read, too.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Self> {
        let timeout = parse(headers.get(GRPC_TIMEOUT)?)?;
        Some(Self { at: Instant::now() + timeout, tolerance: (timeout / 5).min(TOLERANCE_MAX) })
    }

    /// Whether the deadline has come. A target that ends the call itself may do so a moment earlier than we would.
    pub(crate) fn has_come(self) -> bool {
        self.at.saturating_duration_since(Instant::now()) <= self.tolerance
    }

    /// The time of the deadline.
    pub(crate) fn at(self) -> Instant {
        self.at
    }
}

/// Parses at most eight digits and a unit. The longest is 11,415 years.
fn parse(value: &HeaderValue) -> Option<Duration> {
    let (unit, digits) = value.as_bytes().split_last()?;
    if digits.is_empty() || digits.len() > DIGITS_MAX || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let amount = digits.iter().fold(0, |amount, digit| 10 * amount + u64::from(digit - b'0'));
    Some(match unit {
        b'H' => Duration::from_secs(3600 * amount),
        b'M' => Duration::from_secs(60 * amount),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("0n", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::from_secs(3600 * 99_999_999))),
            ("100000000S", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("1.5S", None),
            (" 1S", None),
            ("", None),
        ] {
            assert_eq!(parse(&HeaderValue::from_static(text)), expected, "{text:?}");
        }
    }
}
