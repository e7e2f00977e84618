use http::{HeaderMap, header};

use super::*;
use crate::session::shards::{Found, find};

fn with<R>(cookie: &str, read: impl FnOnce(&Shards<'_>) -> R) -> R {
    let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().expect("a header value"))]);
    match find(&headers, "s") {
        Found::Whole(shards) => read(&shards),
        other => panic!("{other:?}"),
    }
}

fn remember(opened: &mut EvidenceCache<u32>, cookie: &str, value: u32) {
    with(cookie, |shards| opened.remember(&Key { scope: 1, host: "app.test", evidence: *shards }, Rc::new(value), 4));
}

fn look(opened: &mut EvidenceCache<u32>, scope: u64, host: &str, cookie: &str) -> Option<u32> {
    with(cookie, |shards| opened.find(&Key { scope, host, evidence: *shards }).map(|value| *value))
}

#[test]
fn only_the_same_bytes_at_the_same_place_are_found() {
    let mut opened = EvidenceCache::default();
    let long = "x".repeat(100);
    remember(&mut opened, &format!("s-0=2{long}a; s-1=b"), 7);
    assert_eq!(look(&mut opened, 1, "app.test", &format!("s-1=b; s-0=2{long}a")), Some(7));
    // The hashed part is the same in all of these.
    for other in [format!("s-0=2{long}c; s-1=b"), format!("s-0=2{long}a; s-1=c"), format!("s-0=2{long}a; s-1=bb")] {
        assert_eq!(look(&mut opened, 1, "app.test", &other), None, "{other}");
    }
    assert_eq!(look(&mut opened, 1, "app.test", &format!("s-0=1{long}a")), None);
    assert_eq!(look(&mut opened, 2, "app.test", &format!("s-0=2{long}a; s-1=b")), None, "of another gate");
    assert_eq!(look(&mut opened, 1, "other.test", &format!("s-0=2{long}a; s-1=b")), None, "at another host");
}

#[test]
fn what_is_over_is_forgotten() {
    let mut opened = EvidenceCache::default();
    remember(&mut opened, "s-0=1a", 7);
    with("s-0=1b", |shards| opened.forget(&Key { scope: 1, host: "app.test", evidence: *shards }));
    assert_eq!(look(&mut opened, 1, "app.test", "s-0=1a"), Some(7));
    with("s-0=1a", |shards| opened.forget(&Key { scope: 1, host: "app.test", evidence: *shards }));
    assert_eq!(look(&mut opened, 1, "app.test", "s-0=1a"), None);
}

#[test]
fn memory_is_bounded_and_what_is_used_stays() {
    let mut opened = EvidenceCache::with_capacity(10);
    remember(&mut opened, "s-0=1used", 7);
    for number in 0..1000 {
        remember(&mut opened, &format!("s-0=1n{number}"), number);
        assert!(opened.young.len() + opened.old.len() <= 20);
        assert_eq!(look(&mut opened, 1, "app.test", "s-0=1used"), Some(7), "{number}");
    }
    assert_eq!(look(&mut opened, 1, "app.test", "s-0=1n0"), None);
    assert_eq!(look(&mut opened, 1, "app.test", "s-0=1n999"), Some(999));
}

#[test]
fn memory_is_bounded_by_entries_and_by_bytes() {
    // A session of which the claims compress well: a short cookie, and a megabyte in memory.
    let value_bytes = 1 << 20;
    let mut opened = EvidenceCache::default();
    for number in 0..200 {
        let cookie = format!("s-0=1n{number}");
        with(&cookie, |shards| {
            opened.remember(&Key { scope: 1, host: "app.test", evidence: *shards }, Rc::new(number), value_bytes);
        });
        let weigh = |generation: &Generation<u32>| generation.values().map(|entry| entry.weight).sum::<usize>();
        assert!(weigh(&opened.young) <= GENERATION_BYTES_MAX && weigh(&opened.old) <= GENERATION_BYTES_MAX);
        assert_eq!(opened.young_bytes, weigh(&opened.young));
    }
    with("s-0=1n199", |shards| opened.forget(&Key { scope: 1, host: "app.test", evidence: *shards }));
    assert_eq!(opened.young_bytes, opened.young.values().map(|entry| entry.weight).sum::<usize>());
    assert_eq!(look(&mut opened, 1, "app.test", "s-0=1n198"), Some(198));
}
