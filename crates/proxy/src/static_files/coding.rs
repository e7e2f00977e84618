//! Which form of a file a client takes: the file, or a compressed copy beside it (RFC 9110 §12.5.3).

use http::{HeaderMap, header};

/// A coding that copies can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coding {
    /// The name in `Content-Encoding`.
    pub(super) name: &'static str,
    /// What the name of the copy ends with.
    pub(super) suffix: &'static str,
}

/// The smaller copy is first.
const CODINGS: [Coding; 2] = [Coding { name: "br", suffix: ".br" }, Coding { name: "gzip", suffix: ".gz" }];

/// A weight in thousandths.
type Weight = u16;

/// The codings that the client takes rather than the file itself, the best first.
pub(super) fn accepted(fields: &HeaderMap) -> Vec<Coding> {
    let items = || {
        let values = fields.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).map(item)
    };
    let of = |name: &str| items().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, weight)| weight);
    let all = of("*");
    // Without a word about it, the file itself is acceptable, and the least wanted.
    let identity = of("identity").unwrap_or(0);
    let weight = |coding: &Coding| {
        let alias = if coding.name == "gzip" { of("x-gzip") } else { None };
        of(coding.name).or(alias).or(all).unwrap_or(0)
    };
    let mut taken: Vec<(Weight, Coding)> = CODINGS
        .iter()
        .map(|coding| (weight(coding), *coding))
        .filter(|(weight, _)| *weight > 0 && *weight >= identity)
        .collect();
    // Stable: of equal weights, the first of the table is first.
    taken.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    taken.into_iter().map(|(_, coding)| coding).collect()
}

/// A coding and its weight. A weight that cannot be read is zero: the file itself is always right.
fn item(text: &str) -> (&str, Weight) {
    let (name, parameters) = text.split_once(';').unwrap_or((text, ""));
    let weight = match parameters.trim() {
        "" => 1000,
        parameter => match parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")) {
            Some(weight) => thousandths(weight.trim()),
            None => 0,
        },
    };
    (name.trim(), weight)
}

/// RFC 9110 §12.4.2: `0`, `1`, with up to three digits behind the point.
fn thousandths(text: &str) -> Weight {
    let (whole, digits) = text.split_once('.').unwrap_or((text, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return 0;
    }
    let part = format!("{digits:0<3}").parse().unwrap_or(0);
    match whole {
        "0" => part,
        "1" if part == 0 => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_client_says_what_it_takes() {
        let check = |text: &'static str, expected: &[&str]| {
            let fields = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))]);
            let names: Vec<_> = accepted(&fields).iter().map(|coding| coding.name).collect();
            assert_eq!(names, expected, "{text}");
        };
        check("gzip, deflate, br, zstd", &["br", "gzip"]);
        check("gzip", &["gzip"]);
        check("x-gzip", &["gzip"]);
        check("GZIP;q=0.5, br;q=0.4", &["gzip", "br"]);
        check("br;q=0, gzip", &["gzip"]);
        check("*", &["br", "gzip"]);
        check("*;q=0", &[]);
        check("gzip;q=0, *", &["br"]);
        check("identity", &[]);
        check("identity, br", &["br"]);
        check("identity;q=1, br;q=0.5", &[]);
        check("br;q=0.001", &["br"]);
        check("br;q=2, gzip;q=1.5", &[]);
        check("br;q=0.0001", &[]);
        check("br;level=9", &[]);
        check("", &[]);
        check("deflate", &[]);
        assert_eq!(accepted(&HeaderMap::new()), []);
    }
}
