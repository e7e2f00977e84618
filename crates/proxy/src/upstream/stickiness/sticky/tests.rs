use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;

use super::*;
use crate::clock::Clock;
use crate::crypto::aead::Key;
use crate::crypto::sealed::Sealer;
use crate::secret::Secret;
use crate::upstream::members::Members;
use crate::upstream::place::Place;
use crate::upstream::stickiness::cookies::PAIRS_MAX;
use crate::upstream::stickiness::lines::FRESH_MAX;
use crate::upstream::stickiness::settings::Format;
use crate::upstream::target::{Target, TargetId};

const NOW: Timestamp = Timestamp::from_seconds(1_795_507_200);
const HOUR: Duration = Duration::from_secs(3600);

fn sticky(format: Format, kind: Kind) -> Sticky {
    let sealer = Sealer::new(Arc::from([Key::new(&Secret::new([1; 32]))]));
    Sticky::new(&Settings { kind, duration: HOUR, format, sealer }, "app")
}

fn lb() -> Sticky {
    sticky(Format::Vestibule, Kind::LbCookie)
}

fn app(format: Format) -> Sticky {
    sticky(format, Kind::AppCookie("JSESSIONID".into()))
}

/// A group with targets at these hosts.
fn targets(hosts: &[&str]) -> StickyTargets {
    let now = Clock::system().instant();
    let target = |host: &&str| {
        let id = TargetId { group: "app".into(), place: Place::new(host, 80), tls: None };
        (Arc::new(Target::new(id, now)), 1)
    };
    StickyTargets::new(&Members::new(1, hosts.iter().map(target).collect()))
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a value"))
    };
    fields.iter().map(field).collect()
}

/// The lines for an answer with these fields to a request with these, without the values of the cookies.
fn answer(
    sticky: &Sticky,
    scheme: Scheme,
    request: &[(&'static str, &str)],
    answer: &[(&'static str, &str)],
) -> Vec<String> {
    let targets = targets(&["10.0.0.1", "10.0.0.2"]);
    let asked = sticky.read(&headers(request), scheme, NOW);
    let lines = sticky.lines(&asked, (&targets, 0), &headers(answer), NOW);
    let without_value = |line: &HeaderValue| {
        let (name, rest) = line.to_str().expect("ASCII").split_once('=').expect("a cookie");
        format!("{name}{}", &rest[rest.find(';').expect("attributes")..])
    };
    lines.iter().flat_map(|lines| lines.iter()).map(without_value).collect()
}

/// The `Cookie` field that returns what was set for a member.
fn returned(sticky: &Sticky, targets: &StickyTargets, index: usize) -> String {
    let asked = sticky.read(&HeaderMap::new(), Scheme::Https, NOW);
    let set = headers(&[("set-cookie", "JSESSIONID=1")]);
    let lines = sticky.lines(&asked, (targets, index), &set, NOW).expect("a cookie");
    lines[0].to_str().expect("ASCII").split(';').next().expect("a pair").to_owned()
}

const CROSS: &[(&str, &str)] = &[("origin", "https://other.test"), ("sec-fetch-site", "cross-site")];

#[test]
fn attributes_are_those_of_our_cookies() {
    let secure = "__Host-vestibule-target.eCnJg595; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax; Secure";
    for request in [&[][..], CROSS] {
        assert_eq!(answer(&lb(), Scheme::Https, request, &[]), [secure]);
    }
    let plain = "vestibule-target.eCnJg595; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax";
    assert_eq!(answer(&lb(), Scheme::Http, &[], &[]), [plain]);
}

#[test]
fn alb_9_5_attributes_are_those_of_the_load_balancer() {
    let expires = "Expires=Tue, 01 Dec 2026 08:00:00 GMT; Path=/; HttpOnly";
    let own = format!("AWSALB; {expires}; SameSite=Lax; Secure");
    let twin = format!("AWSALBCORS; {expires}; SameSite=None; Secure");
    let alb = sticky(Format::Alb, Kind::LbCookie);
    assert_eq!(answer(&alb, Scheme::Https, &[], &[]), [own, twin]);
    assert_eq!(answer(&alb, Scheme::Http, &[], &[]), [format!("AWSALB; {expires}; SameSite=Lax")]);
    let (alb, set) = (app(Format::Alb), [("set-cookie", "JSESSIONID=1")]);
    let app_cookie = |request| answer(&alb, Scheme::Https, request, &set);
    assert_eq!(app_cookie(&[]), [format!("AWSALBAPP-0; {expires}; SameSite=Lax; Secure")]);
    assert_eq!(app_cookie(CROSS), [format!("AWSALBAPP-0; {expires}; SameSite=None; Secure")]);
    let same_site = [("origin", "https://app.test"), ("sec-fetch-site", "same-origin")];
    assert_eq!(app_cookie(&same_site), [format!("AWSALBAPP-0; {expires}; SameSite=Lax; Secure")]);
}

#[test]
fn a_cookie_is_read_where_it_was_set() {
    let targets = targets(&["10.0.0.1", "10.0.0.2"]);
    let sticky = lb();
    let cookie = returned(&sticky, &targets, 1);
    let found = |sticky: &Sticky, scheme, cookies: &str| {
        let asked = sticky.read(&headers(&[("cookie", cookies)]), scheme, NOW);
        asked.bound_to.and_then(|tag| targets.find(tag))
    };
    assert_eq!(found(&sticky, Scheme::Https, &cookie), Some(1));
    assert_eq!(found(&sticky, Scheme::Https, &format!("a=1; {cookie}; b=2")), Some(1));
    assert_eq!(found(&sticky, Scheme::Http, &cookie), None);
    let plain = cookie.trim_start_matches("__Host-").to_owned();
    assert_eq!(found(&sticky, Scheme::Http, &plain), Some(1));
    assert_eq!(found(&sticky, Scheme::Https, &plain), None, "another host of the domain could set it");
    let many = format!("{}{cookie}", "a=1; ".repeat(PAIRS_MAX));
    assert_eq!(found(&sticky, Scheme::Https, &many), None);
    // The first of two counts.
    let (name, _) = cookie.split_once('=').expect("a pair");
    assert_eq!(found(&sticky, Scheme::Https, &format!("{name}=x; {cookie}")), None);
    // The twin counts where the other cannot be used.
    let alb = super::tests::sticky(Format::Alb, Kind::LbCookie);
    let cookie = returned(&alb, &super::tests::targets(&["10.0.0.1", "10.0.0.2"]), 1);
    let twin = cookie.replace("AWSALB=", "AWSALBCORS=");
    for cookies in [&cookie, &twin, &format!("AWSALB=x; {twin}")] {
        assert_eq!(found(&alb, Scheme::Https, cookies), Some(1), "{cookies}");
    }
}

#[test]
fn b_6_what_is_for_shared_caches_gets_no_cookie() {
    for cache in ["public, max-age=60", "s-maxage=60"] {
        assert_eq!(answer(&lb(), Scheme::Https, &[], &[("cache-control", cache)]), [""; 0]);
    }
    for cache in ["max-age=60", "private", "no-store"] {
        assert_eq!(answer(&lb(), Scheme::Https, &[], &[("cache-control", cache)]).len(), 1);
    }
    // The application's own cookie is a session, whatever is said of caches.
    let fields = [("cache-control", "public"), ("set-cookie", "JSESSIONID=1")];
    assert_eq!(answer(&app(Format::Vestibule), Scheme::Https, &[], &fields).len(), 1);
}

#[test]
fn alb_9_5_only_the_name_of_the_applications_cookie_counts() {
    let count = |line| answer(&app(Format::Vestibule), Scheme::Https, &[], &[("set-cookie", line)]).len();
    for line in ["JSESSIONID=1", "JSESSIONID=; Max-Age=0", " JSESSIONID = x; Path=/a", "JSESSIONID="] {
        assert_eq!(count(line), 1, "{line}");
    }
    for line in ["sid=1", "sid=JSESSIONID=1", "jsessionid=1", "JSESSIONID2=1", "sid=1; JSESSIONID=1", "=JSESSIONID=1"] {
        assert_eq!(count(line), 0, "{line}");
    }
    assert_eq!(answer(&app(Format::Vestibule), Scheme::Https, &[], &[]), [""; 0]);
}

#[test]
fn a_browser_that_goes_to_another_target_is_bound_to_it() {
    let (sticky, targets) = (app(Format::Vestibule), targets(&["10.0.0.1", "10.0.0.2"]));
    let cookie = returned(&sticky, &targets, 0);
    let asked = sticky.read(&headers(&[("cookie", &cookie)]), Scheme::Https, NOW);
    let lines = |index, fields| sticky.lines(&asked, (&targets, index), &headers(fields), NOW);
    assert!(lines(0, &[]).is_none(), "nothing is new");
    assert!(lines(1, &[]).is_some());
    assert!(lines(1, &[("cache-control", "public")]).is_none());
    // A cookie that is over binds nobody.
    let asked = sticky.read(&headers(&[("cookie", &cookie)]), Scheme::Https, NOW + HOUR);
    assert!(sticky.lines(&asked, (&targets, 1), &HeaderMap::new(), NOW + HOUR).is_none());
}

#[test]
fn a_browser_keeps_its_cookie_while_a_name_is_not_looked_up() {
    let (before, starting) = (targets(&["10.0.0.1"]), targets(&["app.test", "10.0.0.2"]));
    for sticky in [lb(), app(Format::Vestibule)] {
        let cookie = returned(&sticky, &before, 0);
        let asked = sticky.read(&headers(&[("cookie", &cookie)]), Scheme::Https, NOW);
        for index in [0, 1] {
            assert!(sticky.lines(&asked, (&starting, index), &HeaderMap::new(), NOW).is_none());
        }
        let other = targets(&["10.0.0.3", "10.0.0.2"]);
        assert!(sticky.lines(&asked, (&other, 1), &HeaderMap::new(), NOW).is_some(), "it has left");
    }
    // Which address of the name has answered is not known.
    let asked = lb().read(&HeaderMap::new(), Scheme::Https, NOW);
    assert!(lb().lines(&asked, (&starting, 0), &HeaderMap::new(), NOW).is_none());
    assert!(lb().lines(&asked, (&starting, 1), &HeaderMap::new(), NOW).is_some());
}

#[test]
fn all_browsers_get_the_same_for_a_while() {
    let (sticky, targets) = (lb(), targets(&["10.0.0.1", "10.0.0.2"]));
    let asked = sticky.read(&HeaderMap::new(), Scheme::Https, NOW);
    let line =
        |index, now| sticky.lines(&asked, (&targets, index), &HeaderMap::new(), now).expect("a cookie")[0].clone();
    let first = line(0, NOW);
    assert_eq!(line(0, NOW + FRESH_MAX - Duration::from_millis(1)), first);
    assert_ne!(line(1, NOW), first);
    let later = line(0, NOW + FRESH_MAX);
    assert_ne!(later, first);
    assert_ne!(line(0, NOW), later, "the clock was set back");
}
