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
    let protected = Protected::new(None);
    strip_trailers(&mut trailers, |name| protected.contains(name));
    assert_eq!(trailers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-checksum"]);
}

#[test]
fn heads_and_trailers_have_one_list_of_what_concerns_a_connection() {
    for name in OF_THE_CONNECTION.iter().chain(&["connection"]) {
        let (mut head, mut trailers) = (map(&[name, "x-checksum"]), map(&[name, "x-checksum"]));
        remove_hop_by_hop(&mut head);
        strip_trailers(&mut trailers, |_| false);
        for left in [head, trailers] {
            assert_eq!(left.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x-checksum"], "{name}");
        }
    }
}

#[test]
fn blanks_around_a_value_are_seen() {
    for value in [" a", "a ", "\ta", "a\t", " "] {
        assert!(has_outer_blank(&HeaderValue::from_static(value)), "{value:?}");
    }
    for value in ["", "a", "a b"] {
        assert!(!has_outer_blank(&HeaderValue::from_static(value)), "{value:?}");
    }
}

#[test]
fn names_that_the_configuration_makes_ours_are_protected_too() {
    let ours = HeaderName::from_static("x-team");
    let protected = Protected::new([&ours]);
    assert!(protected.contains(&HeaderName::from_static("x_team")));
    assert!(!Protected::new(None).contains(&ours));
}

#[test]
fn h_10_connection_cannot_remove_what_a_message_needs() {
    let mut headers = map(&["cookie", "authorization", "x-forwarded-for", "x-hop", "foo", "te", "keep-alive"]);
    let connection = "close, Cookie, Authorization, X-Forwarded-For, X-Hop, Foo, Host";
    headers.insert(header::CONNECTION, HeaderValue::from_static(connection));
    let named = remove_hop_by_hop(&mut headers);
    let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["authorization", "cookie", "x-forwarded-for"]);
    assert_eq!(named.iter().map(HeaderName::as_str).collect::<Vec<_>>(), ["close", "x-hop", "foo"]);
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
