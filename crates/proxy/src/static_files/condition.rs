//! Conditional requests, in the order of RFC 9110 §13.2.2.

use std::time::UNIX_EPOCH;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::static_files::validator::Validators;

/// The fields that a file is asked for with. No other field of a request matters to a file.
pub(super) const FIELDS: [HeaderName; 7] = [
    header::IF_MATCH,
    header::IF_UNMODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
    header::ACCEPT_ENCODING,
];

/// What the conditions of a GET or HEAD say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They hold, or there are none.
    Proceed,
    /// 304: the client has this version.
    NotModified,
    /// 412: the client wants another version.
    Failed,
}

/// Evaluates the conditions of a GET or HEAD.
pub(super) fn evaluate(fields: &HeaderMap, file: &Validators) -> Verdict {
    if fields.contains_key(header::IF_MATCH) {
        // §13.1.1: a strong comparison.
        let holds = any_tag(fields, &header::IF_MATCH, |tag| !file.is_weak && tag == file.tag);
        if !holds {
            return Verdict::Failed;
        }
    } else if let Some(date) = date(fields, &header::IF_UNMODIFIED_SINCE)
        && file.modified.is_none_or(|modified| modified > date)
    {
        return Verdict::Failed;
    }
    if fields.contains_key(header::IF_NONE_MATCH) {
        // §13.1.2: a weak comparison.
        let is_known = any_tag(fields, &header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag) == file.tag);
        return if is_known { Verdict::NotModified } else { Verdict::Proceed };
    }
    match (date(fields, &header::IF_MODIFIED_SINCE), file.modified) {
        (Some(date), Some(modified)) if modified <= date => Verdict::NotModified,
        _ => Verdict::Proceed,
    }
}

/// Whether `Range` is to be applied (§13.1.5): the client has a part of this very version, or does not say which it has.
pub(super) fn ranges_apply(fields: &HeaderMap, file: &Validators) -> bool {
    let mut values = fields.get_all(header::IF_RANGE).iter();
    let Some(value) = values.next() else { return true };
    let Some(text) = value.to_str().ok().filter(|_| values.next().is_none()).map(str::trim) else { return false };
    // A date does not tell two versions apart: images and reproducible builds give every file one time, and a compressed copy may have the
    // time of its file. So it is never strong (§8.8.2.2), and gets the whole file.
    text.starts_with('"') && !file.is_weak && text == file.tag
}

/// Whether `*` or one of the tags of a list (§8.8.3) meets the test. What is no list of tags meets none.
fn any_tag(fields: &HeaderMap, name: &HeaderName, is_it: impl Fn(&str) -> bool) -> bool {
    let is_met = |value: &HeaderValue| {
        let Ok(mut rest) = value.to_str().map(str::trim) else { return false };
        if rest == "*" {
            return true;
        }
        let mut found = false;
        while !rest.is_empty() {
            let opaque = rest.strip_prefix("W/").unwrap_or(rest);
            let Some(end) = opaque.strip_prefix('"').and_then(|inner| inner.find('"')) else { return false };
            let length = rest.len() - opaque.len() + end + 2;
            found |= is_it(&rest[..length]);
            let behind = rest[length..].trim_start();
            if !behind.is_empty() && !behind.starts_with(',') {
                return false;
            }
            rest = behind.trim_start_matches([',', ' ', '\t']);
        }
        found
    };
    fields.get_all(name).iter().any(is_met)
}

/// The date of a field, in seconds. A field that is no date, or comes twice, is ignored (§13.1.3, §13.1.4).
fn date(fields: &HeaderMap, name: &HeaderName) -> Option<u64> {
    let mut values = fields.get_all(name).iter();
    let value = values.next().filter(|_| fields.get_all(name).iter().count() == 1)?;
    seconds(value.to_str().ok()?.trim())
}

fn seconds(text: &str) -> Option<u64> {
    let date = httpdate::parse_http_date(text).ok()?;
    date.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Failed, NotModified, Proceed};
    use super::*;

    const DATE: &str = "Sun, 09 Sep 2001 01:46:40 GMT";
    const BEFORE: &str = "Sun, 09 Sep 2001 01:46:39 GMT";
    const AFTER: &str = "Sun, 09 Sep 2001 01:46:41 GMT";

    fn fields(pairs: &[(&HeaderName, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in pairs {
            fields.append(*name, HeaderValue::from_str(value).unwrap());
        }
        fields
    }

    fn file(is_weak: bool) -> Validators {
        Validators { tag: "\"a\"".to_owned(), is_weak, modified: Some(1_000_000_000) }
    }

    #[track_caller]
    fn check(pairs: &[(&HeaderName, &str)], strong: Verdict, weak: Verdict) {
        let fields = fields(pairs);
        let found = (evaluate(&fields, &file(false)), evaluate(&fields, &file(true)));
        assert_eq!(found, (strong, weak), "{pairs:?}");
    }

    #[test]
    fn each_condition_by_its_own_comparison() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        check(&[], Proceed, Proceed);
        check(&[(&IF_MATCH, "\"a\"")], Proceed, Failed);
        check(&[(&IF_MATCH, "W/\"a\"")], Failed, Failed);
        check(&[(&IF_MATCH, "*")], Proceed, Proceed);
        check(&[(&IF_MATCH, "\"b\", \"a\"")], Proceed, Failed);
        check(&[(&IF_MATCH, "\"b\"")], Failed, Failed);
        check(&[(&IF_MATCH, "a")], Failed, Failed);
        check(&[(&IF_MATCH, "")], Failed, Failed);
        check(&[(&IF_NONE_MATCH, "\"a\"")], NotModified, NotModified);
        check(&[(&IF_NONE_MATCH, "W/\"a\"")], NotModified, NotModified);
        check(&[(&IF_NONE_MATCH, "*")], NotModified, NotModified);
        check(&[(&IF_NONE_MATCH, "\"b\" , W/\"a\"")], NotModified, NotModified);
        check(&[(&IF_NONE_MATCH, "\"b\""), (&IF_NONE_MATCH, "\"a\"")], NotModified, NotModified);
        check(&[(&IF_NONE_MATCH, "\"b\"")], Proceed, Proceed);
        // A comma can be in a tag.
        check(&[(&IF_NONE_MATCH, "\"x,\"a\",y\"")], Proceed, Proceed);
        check(&[(&IF_NONE_MATCH, "w/\"a\"")], Proceed, Proceed);
        check(&[(&IF_NONE_MATCH, "\"a\" x")], Proceed, Proceed);
        check(&[(&IF_MODIFIED_SINCE, DATE)], NotModified, NotModified);
        check(&[(&IF_MODIFIED_SINCE, AFTER)], NotModified, NotModified);
        check(&[(&IF_MODIFIED_SINCE, BEFORE)], Proceed, Proceed);
        check(&[(&IF_MODIFIED_SINCE, "yesterday")], Proceed, Proceed);
        check(&[(&IF_MODIFIED_SINCE, DATE), (&IF_MODIFIED_SINCE, DATE)], Proceed, Proceed);
        check(&[(&IF_MODIFIED_SINCE, "Sunday, 09-Sep-01 01:46:40 GMT")], NotModified, NotModified);
        check(&[(&IF_UNMODIFIED_SINCE, DATE)], Proceed, Proceed);
        check(&[(&IF_UNMODIFIED_SINCE, BEFORE)], Failed, Failed);
        check(&[(&IF_UNMODIFIED_SINCE, "never")], Proceed, Proceed);
    }

    #[test]
    fn the_order_is_that_of_rfc_9110_13_2_2() {
        use header::{IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE};
        // A tag decides, and the date beside it does not.
        check(&[(&IF_NONE_MATCH, "\"b\""), (&IF_MODIFIED_SINCE, AFTER)], Proceed, Proceed);
        check(&[(&IF_MATCH, "*"), (&IF_UNMODIFIED_SINCE, BEFORE)], Proceed, Proceed);
        // 412 comes before 304.
        check(&[(&IF_MATCH, "\"b\""), (&IF_NONE_MATCH, "\"a\"")], Failed, Failed);
        check(&[(&IF_UNMODIFIED_SINCE, BEFORE), (&IF_MODIFIED_SINCE, AFTER)], Failed, Failed);
        check(&[(&IF_MATCH, "\"a\""), (&IF_NONE_MATCH, "\"a\"")], NotModified, Failed);
    }

    #[test]
    fn without_a_date_nothing_is_older_or_newer() {
        let file = Validators { modified: None, ..file(false) };
        let with = |name: &HeaderName| evaluate(&fields(&[(name, AFTER)]), &file);
        assert_eq!(with(&header::IF_MODIFIED_SINCE), Proceed);
        assert_eq!(with(&header::IF_UNMODIFIED_SINCE), Failed);
    }

    #[test]
    fn if_range_needs_the_very_version() {
        let check = |values: &[&str], strong: bool, weak: bool| {
            let pairs: Vec<_> = values.iter().map(|value| (&header::IF_RANGE, *value)).collect();
            let fields = fields(&pairs);
            let found = (ranges_apply(&fields, &file(false)), ranges_apply(&fields, &file(true)));
            assert_eq!(found, (strong, weak), "{values:?}");
        };
        check(&[], true, true);
        check(&["\"a\""], true, false);
        check(&["W/\"a\""], false, false);
        check(&["\"b\""], false, false);
        check(&["\"a\", \"b\""], false, false);
        check(&[DATE], false, false);
        check(&[AFTER], false, false);
        check(&[BEFORE], false, false);
        check(&["soon"], false, false);
        check(&["*"], false, false);
        check(&["\"a\"", "\"a\""], false, false);
    }
}
