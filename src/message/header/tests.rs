use http::HeaderValue;
use proptest::prelude::*;

use super::*;

fn map(names: &[&str]) -> HeaderMap {
    names
        .iter()
        .map(|name| (HeaderName::from_bytes(name.as_bytes()).expect("a token"), HeaderValue::from_static("admin")))
        .collect()
}

#[test]
fn h_01_to_h_05_protected_names_are_stripped_under_every_spelling() {
    let mut headers = map(&[
        "X-Amzn-Oidc-Identity",
        "X_Amzn_Oidc_Identity",
        "X-Amzn_Oidc-Data",
        "X.Amzn.Oidc.Data",
        "X~Forwarded~User",
        "X!Forwarded!User",
        "X+Forwarded+User",
        "x_forwarded_groups",
        "X-FORWARDED-EMAIL",
        "Accept",
    ]);
    Protected::new(None).strip(&mut headers);
    assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["accept"]);
}

#[test]
fn h_02_names_that_we_write_anew_are_kept_in_their_own_spelling_only() {
    let mut headers = map(&["x-forwarded-for", "x-amzn-trace-id", "content-length", "content-type"]);
    Protected::new(None).strip(&mut headers);
    assert_eq!(headers.len(), 4);
    let mut aliases =
        map(&["x_forwarded_for", "x.amzn.trace.id", "content_length", "content-type", "transfer_encoding"]);
    Protected::new(None).strip(&mut aliases);
    assert_eq!(aliases.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["content-type"]);
}

#[test]
fn h_14_trailers_carry_nothing_that_belongs_to_the_head() {
    let mut trailers = map(&["x-forwarded-user", "x-forwarded-for", "cookie", "authorization", "host", "x-checksum"]);
    Protected::new(None).strip_trailers(&mut trailers);
    assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-checksum"]);
}

#[test]
fn names_that_the_configuration_makes_ours_are_protected_too() {
    let ours = HeaderName::from_static("x-team");
    let protected = Protected::new([&ours]);
    assert!(protected.contains(&HeaderName::from_static("x_team")));
    assert!(!Protected::new(None).contains(&ours));
}

#[test]
fn h_10_connection_cannot_remove_end_to_end_headers() {
    let mut headers = map(&["cookie", "authorization", "x-real-thing", "foo", "te", "keep-alive"]);
    headers
        .insert(header::CONNECTION, HeaderValue::from_static("close, Cookie, Authorization, X-Real-Thing, Foo, Host"));
    remove_hop_by_hop(&mut headers);
    let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["authorization", "cookie", "x-real-thing"]);
}

proptest! {
    #[test]
    fn h_04_any_separator_folds(separators in proptest::collection::vec("[-_.~!#$%&'*+^`|]", 3)) {
        let name = format!("X{}Amzn{}Oidc{}Data", separators[0], separators[1], separators[2]);
        let mut headers = map(&[&name]);
        Protected::new(None).strip(&mut headers);
        prop_assert!(headers.is_empty());
    }
}
