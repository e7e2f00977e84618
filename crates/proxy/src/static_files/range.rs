//! `Range` (RFC 9110 §14.2).

use std::ops::Range;

use http::{HeaderMap, header};

/// What a client gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// The whole file: no range is asked for, or ranges that are not served.
    Whole,
    /// 206: these bytes. One range or several that do not overlap.
    Parts(Vec<Range<u64>>),
    /// 416: no byte of the file is in a range.
    Unsatisfiable,
}

/// Maximum number of ranges in one request. Documents are read in few parts; hundreds are an attack (RFC 9110 §17.15).
const RANGES_MAX: usize = 16;

/// Reads `Range` of a request for a file of `size` bytes.
///
/// What is no list of ranges of bytes is ignored, as §14.2 says. So are ranges that overlap and more than [`RANGES_MAX`]: the whole file is never
/// longer than what they ask for.
pub(super) fn wanted(fields: &HeaderMap, size: u64) -> Wanted {
    let mut values = fields.get_all(header::RANGE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Wanted::Whole };
    let Some(ranges) = value.to_str().ok().and_then(|text| parse(text, size)) else { return Wanted::Whole };
    if ranges.is_empty() {
        return Wanted::Unsatisfiable;
    }
    let mut sorted: Vec<_> = ranges.iter().collect();
    sorted.sort_by_key(|range| range.start);
    if sorted.windows(2).any(|pair| pair[0].end > pair[1].start) {
        return Wanted::Whole;
    }
    Wanted::Parts(ranges)
}

/// The ranges that have a byte of the file, in the order of the request. `None` if the text is no list of at most [`RANGES_MAX`] ranges.
fn parse(text: &str, size: u64) -> Option<Vec<Range<u64>>> {
    let (unit, set) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (mut ranges, mut count) = (Vec::new(), 0);
    // A list may have empty elements (§5.6.1).
    for spec in set.split(',').map(|spec| spec.trim_matches([' ', '\t'])).filter(|spec| !spec.is_empty()) {
        count += 1;
        if count > RANGES_MAX {
            return None;
        }
        let (first, last) = spec.split_once('-')?;
        let range = match (number(first)?, number(last)?) {
            (None, None) => return None,
            // §14.1.2: the last so many bytes. Of none, there is no range.
            (None, Some(length)) => size - length.min(size)..size,
            (Some(first), None) => first..size,
            (Some(first), Some(last)) if last < first => return None,
            (Some(first), Some(last)) => first..size.min(last.saturating_add(1)),
        };
        if range.start < range.end {
            ranges.push(range);
        }
    }
    (count > 0).then_some(ranges)
}

/// Digits. Those of a number that does not fit are the largest number: it is past the end of every file. `Some(None)` if there are none.
fn number(digits: &str) -> Option<Option<u64>> {
    if digits.is_empty() {
        return Some(None);
    }
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| Some(digits.parse().unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::Wanted::{Parts, Unsatisfiable, Whole};
    use super::*;

    fn asked(text: &str, size: u64) -> Wanted {
        wanted(&HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(text).unwrap())]), size)
    }

    #[track_caller]
    fn check(text: &str, expected: &[Range<u64>]) {
        assert_eq!(asked(text, 100), Parts(expected.to_vec()), "{text}");
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "a list of ranges is meant")]
    fn ranges_of_bytes() {
        check("bytes=0-0", &[0..1]);
        check("bytes=0-99", &[0..100]);
        check("bytes=10-", &[10..100]);
        check("bytes=-10", &[90..100]);
        check("bytes=-1000", &[0..100]);
        check("bytes=90-1000", &[90..100]);
        check("bytes=90-99999999999999999999999", &[90..100]);
        check("bytes=-99999999999999999999999", &[0..100]);
        check("BYTES=0-1", &[0..2]);
        check("bytes=0-1, 4-5", &[0..2, 4..6]);
        check("bytes=,0-1 ,,\t4-5,", &[0..2, 4..6]);
        // Those that have nothing are left out.
        check("bytes=200-300,4-5", &[4..6]);
        check("bytes=-0,4-5", &[4..6]);
        // The order is the client's, and neighbours do not overlap.
        check("bytes=50-59,0-9,60-69", &[50..60, 0..10, 60..70]);
    }

    #[test]
    fn what_is_no_range_is_ignored() {
        for text in [
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=-",
            "bytes=a-b",
            "bytes=5-4",
            "bytes=0-1,5-4",
            "bytes=+1-2",
            "bytes=1 -2",
            "bytes=1--2",
            "bytes=0x1-2",
            "items=0-1",
            "bytes 0-1",
            "bytes=0-1;4-5",
            "bytes=1",
            "bytes=0-1,x",
        ] {
            assert_eq!(asked(text, 100), Whole, "{text}");
        }
        assert_eq!(wanted(&HeaderMap::new(), 100), Whole);
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(header::RANGE, HeaderValue::from_static("bytes=0-1"));
        }
        assert_eq!(wanted(&twice, 100), Whole);
    }

    #[test]
    fn a_range_behind_the_end_has_no_byte() {
        for text in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=200-300,400-", "bytes=99999999999999999999-"] {
            assert_eq!(asked(text, 100), Unsatisfiable, "{text}");
        }
        for text in ["bytes=0-", "bytes=0-0", "bytes=-1"] {
            assert_eq!(asked(text, 0), Unsatisfiable, "{text} of nothing");
        }
    }

    #[test]
    fn d_26_many_ranges_and_those_that_overlap_are_the_whole_file() {
        let many = |count: u64| {
            let list: Vec<_> = (0..count).map(|at| format!("{}-{}", at * 2, at * 2)).collect();
            asked(&format!("bytes={}", list.join(",")), 10_000)
        };
        assert!(matches!(many(16), Parts(parts) if parts.len() == 16));
        assert_eq!(many(17), Whole);
        assert_eq!(many(4000), Whole);
        for text in ["bytes=0-,0-", "bytes=0-9,5-14", "bytes=5-14,0-5", "bytes=0-,-1", "bytes=0-0,0-0"] {
            assert_eq!(asked(text, 100), Whole, "{text}");
        }
        let same = format!("bytes={}", vec!["0-"; 1300].join(","));
        assert_eq!(asked(&same, 100), Whole);
    }

    proptest! {
        #[test]
        fn parts_are_within_the_file_and_do_not_overlap(text in "bytes=[0-9,\\- ]{0,40}", size in 0_u64..200) {
            if let Parts(parts) = asked(&text, size) {
                prop_assert!(!parts.is_empty() && parts.len() <= RANGES_MAX);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= size));
                let total: u64 = parts.iter().map(|part| part.end - part.start).sum();
                prop_assert!(total <= size);
            }
        }
    }
}
