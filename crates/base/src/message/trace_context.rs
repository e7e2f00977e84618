//! `traceparent` (W3C Trace Context §3.2): which trace a request belongs to, and which span has caused it.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// A valid `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// Not zero.
    pub trace_id: u128,
    /// The span of the caller. Not zero.
    pub parent_id: u64,
    pub flags: u8,
}

/// The caller may have recorded the trace.
pub const SAMPLED: u8 = 0x01;

/// Length of version 00.
const LENGTH: usize = 55;

impl TraceParent {
    /// The `traceparent` of a request. `None` if it has none, several, or an invalid one: a new trace begins (§4.3).
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut fields = headers.get_all(TRACEPARENT).iter();
        let field = fields.next()?;
        if fields.next().is_some() { None } else { Self::parse(field.as_bytes()) }
    }

    /// Parses a value. Of versions after 00, the known parts are read (§3.2.4).
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (known, more) = value.split_at_checked(LENGTH)?;
        let [b'0'..=b'9' | b'a'..=b'f', b'0'..=b'9' | b'a'..=b'f', b'-', ..] = known else { return None };
        let is_sound = match (&known[..2], more) {
            (b"ff", _) => false,
            (b"00", more) => more.is_empty(),
            (_, [] | [b'-', ..]) => true,
            _ => false,
        };
        if !is_sound || known[35] != b'-' || known[52] != b'-' {
            return None;
        }
        let trace_id = hex(&known[3..35]).filter(|id| *id != 0)?;
        let parent_id = hex(&known[36..52]).and_then(|id| u64::try_from(id).ok()).filter(|id| *id != 0)?;
        let flags = hex(&known[53..]).and_then(|flags| u8::try_from(flags).ok())?;
        Some(Self { trace_id, parent_id, flags })
    }

    /// The value of the header, in version 00.
    pub fn value(self) -> HeaderValue {
        HeaderValue::try_from(self.to_string()).expect("made of ASCII digits")
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags)
    }
}

/// Lower-case hexadecimal digits; upper-case ones are invalid (§3.2.2).
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0_u128, |number, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_valid_one_is_read_and_written_alike() {
        let parent = TraceParent::parse(VALID.as_bytes()).expect("valid");
        assert_eq!(parent.trace_id, 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736);
        assert_eq!((parent.parent_id, parent.flags), (0x00f0_67aa_0ba9_02b7, 1));
        assert_eq!(parent.to_string(), VALID);
        assert_eq!(parent.value(), VALID);
    }

    #[test]
    fn a_later_version_is_read_as_far_as_it_is_known() {
        for more in ["", "-", "-more-of-it"] {
            let later = format!("cc{}{more}", &VALID[2..]);
            assert_eq!(TraceParent::parse(later.as_bytes()), TraceParent::parse(VALID.as_bytes()), "{later}");
        }
    }

    #[test]
    fn another_is_not_valid() {
        for invalid in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "CC-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0g",
            "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(TraceParent::parse(invalid.as_bytes()), None, "{invalid:?}");
        }
    }

    #[test]
    fn two_are_none() {
        let field = || (TRACEPARENT, HeaderValue::from_static(VALID));
        assert!(TraceParent::of(&HeaderMap::from_iter([field()])).is_some());
        assert_eq!(TraceParent::of(&HeaderMap::from_iter([field(), field()])), None);
        assert_eq!(TraceParent::of(&HeaderMap::new()), None);
    }
}
