use std::cell::RefCell;

use http::{HeaderMap, HeaderValue, Method, Uri, header};
use proptest::prelude::*;

use super::*;
use crate::message::uri::Scheme;

const NONE: [usize; 0] = [];

fn host(patterns: &[&str]) -> Condition {
    Condition::host_header(&strings(patterns)).expect("a host condition")
}

fn path(patterns: &[&str]) -> Condition {
    Condition::path_pattern(&strings(patterns)).expect("a path condition")
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|value| (*value).to_owned()).collect()
}

fn request(host: &str, target: &str) -> CanonicalRequest {
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).expect("a host"))]);
    let uri: Uri = target.parse().expect("a target");
    CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers).expect("a canonical request")
}

/// The places that are asked when none says yes.
fn asked(rules: &[Vec<Condition>], host: &str, target: &str) -> Vec<usize> {
    let asked = RefCell::new(Vec::new());
    let index = Index::new(rules.iter().map(Vec::as_slice));
    let none = index.first(&request(host, target), |place| {
        asked.borrow_mut().push(place);
        false
    });
    assert_eq!(none, None);
    let mut asked = asked.into_inner();
    asked.sort_unstable();
    asked
}

#[test]
fn only_rules_that_can_take_the_request_are_asked() {
    let rules = [
        vec![host(&["App.test"])],
        vec![host(&["*.app.test"])],
        vec![path(&["/a/*", "/b"])],
        vec![host(&["app.test", "*.org"]), path(&["/a/*"])],
        vec![],
        vec![host(&["app.*"]), path(&["*.css"])],
    ];
    assert_eq!(asked(&rules, "APP.test:8443", "/"), [0, 4, 5]);
    assert_eq!(asked(&rules, "app.test.", "/a/x"), [0, 2, 3, 4, 5]);
    assert_eq!(asked(&rules, "x.app.test", "/b"), [1, 2, 4, 5]);
    assert_eq!(asked(&rules, "x.org", "/b/c"), [4, 5]);
    assert_eq!(asked(&rules, "x.org", "/a/"), [2, 3, 4, 5]);
    assert_eq!(asked(&rules, "xapp.test", "/a"), [4, 5]);
}

#[test]
fn rules_with_expressions_are_asked_only_where_they_can_match() {
    let rules = [
        vec![Condition::host_regex(&strings(&[r".*\.App\.test"])).expect("a host condition")],
        vec![Condition::path_regex(&strings(&["/users/[0-9]+", "^/b$"])).expect("a path condition")],
        vec![Condition::path_regex(&strings(&["(/x|/y).*"])).expect("a path condition")],
    ];
    assert_eq!(asked(&rules, "a.app.test", "/"), [0, 2]);
    assert_eq!(asked(&rules, "other.test", "/users/x"), [1, 2]);
    assert_eq!(asked(&rules, "other.test", "/b"), [1, 2]);
    assert_eq!(asked(&rules, "other.test", "/bc"), [2]);
}

/// A thousand tenants of one service, a thousand services of one tenant, and a grid of both.
#[test]
fn of_a_thousand_rules_one_is_asked() {
    let by_host: Vec<_> = (0..1000).map(|n| vec![host(&[&format!("app{n}.test")]), path(&["/api/*"])]).collect();
    let by_path: Vec<_> = (0..1000).map(|n| vec![host(&["app.test"]), path(&[&format!("/api{n}/*")])]).collect();
    let grid = |n: usize| (format!("app{}.test", n / 32), format!("/api{}/*", n % 32));
    let grid: Vec<_> = (0..1000).map(grid).map(|(at, below)| vec![host(&[&at]), path(&[&below])]).collect();
    for n in [0, 1, 500, 998, 999] {
        assert_eq!(asked(&by_host, &format!("app{n}.test"), "/api/x"), [n]);
        assert_eq!(asked(&by_path, "app.test", &format!("/api{n}/x")), [n]);
        assert_eq!(asked(&grid, &format!("app{}.test", n / 32), &format!("/api{}/x", n % 32)), [n]);
    }
    assert_eq!(asked(&by_host, "app.test", "/api/x"), NONE);
    assert_eq!(asked(&by_path, "app.test", "/api/x"), NONE);
    assert_eq!(asked(&grid, "app0.test", "/api999/x"), NONE);
}

#[test]
fn no_rule_behind_the_best_so_far_is_asked() {
    let rules = [vec![], vec![path(&["/a"])], vec![path(&["/a"])], vec![]];
    let asked = RefCell::new(Vec::new());
    let index = Index::new(rules.iter().map(Vec::as_slice));
    let first = index.first(&request("app.test", "/a"), |place| {
        asked.borrow_mut().push(place);
        place != 0
    });
    assert_eq!(first, Some(1));
    assert_eq!(asked.into_inner(), [1, 0]);
}

/// Where the host is cut, no key may come to be the whole of it, and none may be lost.
#[test]
fn hosts_longer_than_any_key_are_looked_up_by_their_end() {
    let longest = format!("{}.test", "a".repeat(123));
    let rules = [vec![host(&[&longest])], vec![host(&["*.test"])], vec![host(&[&format!("*{}", &longest[1..])])]];
    assert_eq!(asked(&rules, &longest, "/"), [0, 1, 2]);
    assert_eq!(asked(&rules, &format!("a{longest}"), "/"), [1, 2]);
    assert_eq!(asked(&rules, &format!("{}{longest}", "x.".repeat(500)), "/"), [1, 2]);
}

#[test]
fn a_rule_of_many_pairs_is_filed_under_the_longer_list() {
    let hosts: Vec<String> = (0..10).map(|n| format!("app{n}.test")).collect();
    let paths: Vec<String> = (0..1000).map(|n| format!("/{n}")).collect();
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let rules = [vec![host(&hosts), path(&paths)]];
    assert_eq!(asked(&rules, "app9.test", "/999"), [0]);
    assert_eq!(asked(&rules, "other.test", "/999"), [0]);
    assert_eq!(asked(&rules, "app9.test", "/1000"), NONE);
}

/// A key that is a start of the next, and that of the one after it, all the way.
#[test]
fn keys_within_keys_are_all_found() {
    let rules: Vec<_> = (0..127).map(|length| vec![path(&[&format!("/{}*", "a".repeat(length))])]).collect();
    assert_eq!(asked(&rules, "app.test", &format!("/{}", "a".repeat(8000))), Vec::from_iter(0..127));
    assert_eq!(asked(&rules, "app.test", "/aaa"), [0, 1, 2, 3]);
    assert_eq!(asked(&rules, "app.test", "/aab"), [0, 1, 2]);
}

proptest! {
    #[test]
    fn every_key_that_fits_is_found(
        keys in prop::collection::btree_set(("[ab]{0,4}", any::<bool>()), 0..12),
        text in "[abc]{0,5}",
    ) {
        let key = |(text, is_whole): (String, bool)| Key {
            text: text.into_bytes().into(),
            reach: if is_whole { Reach::Whole } else { Reach::Start },
        };
        let sorted: BTreeSet<Key> = keys.into_iter().map(key).collect();
        let mut expected: Vec<Key> = sorted.iter().filter(|key| key.fits(text.as_bytes())).cloned().collect();
        expected.reverse();
        let found: Vec<Key> = Keys::new(sorted.into_iter().map(|key| (key.clone(), key)))
            .fitting(text.as_bytes())
            .cloned()
            .collect();
        prop_assert_eq!(found, expected);
    }
}
