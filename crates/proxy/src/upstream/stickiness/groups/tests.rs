use std::sync::Arc;

use http::{HeaderName, header};

use super::*;
use crate::crypto::aead::Key;
use crate::secret::Secret;

const NOW: Timestamp = Timestamp::from_seconds(1_795_507_200);
const HOUR: Duration = Duration::from_secs(3600);

fn sticky_with(key: u8, format: Format, groups: &[&str]) -> StickyGroups {
    let sealer = Sealer::new(Arc::from([Key::new(&Secret::new([key; 32]))]));
    StickyGroups::new(&Settings { duration: HOUR, format, sealer }, groups)
}

fn sticky(groups: &[&str]) -> StickyGroups {
    sticky_with(1, Format::Vestibule, groups)
}

fn headers(fields: &[(HeaderName, &str)]) -> HeaderMap {
    fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a value"))).collect()
}

/// The `Cookie` field that returns what was set for a group.
fn returned(sticky: &StickyGroups, index: usize, now: Timestamp) -> HeaderMap {
    let asked = sticky.read(&HeaderMap::new(), Scheme::Https, now);
    let lines = sticky.lines(asked, index, &HeaderMap::new(), now).expect("a cookie");
    let pair = lines[0].to_str().expect("ASCII").split(';').next().expect("a pair");
    headers(&[(header::COOKIE, pair)])
}

#[test]
fn a_browser_stays_at_its_group_until_the_duration_is_over() {
    let groups = sticky(&["blue", "green"]);
    let cookie = returned(&groups, 1, NOW);
    assert_eq!(groups.read(&cookie, Scheme::Https, NOW).bound_to, Some(1));
    assert_eq!(groups.read(&cookie, Scheme::Https, NOW + HOUR).bound_to, None);
    assert_eq!(groups.read(&cookie, Scheme::Http, NOW).bound_to, None);
    assert_eq!(groups.read(&HeaderMap::new(), Scheme::Https, NOW).bound_to, None);
}

#[test]
fn a_cookie_names_its_group_whatever_else_changes() {
    let cookie = returned(&sticky(&["blue", "green", "red"]), 1, NOW);
    let bound = |groups: &StickyGroups| groups.read(&cookie, Scheme::Https, NOW).bound_to;
    assert_eq!(bound(&sticky(&["blue", "red", "green"])), Some(2), "another order");
    assert_eq!(bound(&sticky(&["blue", "green"])), Some(1), "a group was removed");
    assert_eq!(bound(&sticky(&["blue", "red"])), None, "the group was removed");
    assert_eq!(bound(&sticky(&["green", "blue"])), None, "another first group is another cookie");
    assert_eq!(bound(&sticky_with(2, Format::Vestibule, &["blue", "green"])), None, "another key");
}

#[test]
fn attributes_are_those_of_our_cookies() {
    let lines = |format, scheme| {
        let groups = sticky_with(1, format, &["app", "green"]);
        let asked = groups.read(&HeaderMap::new(), scheme, NOW);
        let lines = groups.lines(asked, 0, &HeaderMap::new(), NOW).expect("cookies");
        let without_value = |line: &HeaderValue| {
            let (name, rest) = line.to_str().expect("ASCII").split_once('=').expect("a cookie");
            format!("{name}{}", &rest[rest.find(';').expect("attributes")..])
        };
        lines.iter().map(without_value).collect::<Vec<_>>()
    };
    let own = ["__Host-vestibule-group.eCnJg595; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax; Secure"];
    assert_eq!(lines(Format::Vestibule, Scheme::Https), own);
    let plain = ["vestibule-group.eCnJg595; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax"];
    assert_eq!(lines(Format::Vestibule, Scheme::Http), plain);
    let expires = "Expires=Tue, 01 Dec 2026 08:00:00 GMT; Path=/; HttpOnly;";
    assert_eq!(
        lines(Format::Alb, Scheme::Https),
        [format!("AWSALBTG; {expires} SameSite=Lax; Secure"), format!("AWSALBTGCORS; {expires} SameSite=None; Secure")]
    );
}

#[test]
fn s_03_a_cookie_for_a_target_says_nothing_of_a_group() {
    let groups = sticky(&["blue", "green"]);
    let sealer = Sealer::new(Arc::from([Key::new(&Secret::new([1; 32]))]));
    let value = Seal::new(sealer, "blue").seal(Tag::of_group("green"), NOW + HOUR);
    let cookie = headers(&[(header::COOKIE, &format!("{}={value}", groups.names.secure))]);
    assert_eq!(groups.read(&cookie, Scheme::Https, NOW).bound_to, None);
}

#[test]
fn an_answer_for_shared_caches_sets_no_cookie() {
    let groups = sticky(&["blue", "green"]);
    let asked = groups.read(&HeaderMap::new(), Scheme::Https, NOW);
    assert!(groups.lines(asked, 0, &headers(&[(header::CACHE_CONTROL, "public")]), NOW).is_none());
    assert!(groups.lines(asked, 0, &headers(&[(header::CACHE_CONTROL, "max-age=60")]), NOW).is_some());
}
