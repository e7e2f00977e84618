use super::*;

fn headers(fields: &[&str]) -> HeaderMap {
    fields.iter().map(|field| (FORWARDED_FOR, HeaderValue::from_str(field).expect("a value"))).collect()
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[track_caller]
fn client(trusted: &[&str], peer: &str, fields: &[&str], expected: &str) {
    let trusted = trusted.iter().map(|network| network.parse().expect("a network")).collect();
    let policy = Policy { trusted, ..Policy::default() };
    assert_eq!(policy.client(&headers(fields), ip(peer)), ip(expected), "{fields:?}");
}

#[test]
fn f_06_a_trusted_peer_is_walked_from_the_right() {
    client(&["10.0.0.5/32"], "10.0.0.5", &["9.9.9.9, 6.6.6.6"], "6.6.6.6");
    client(&["10.0.0.0/8"], "10.0.0.5", &["9.9.9.9", "6.6.6.6, 10.0.0.7"], "6.6.6.6");
    client(&["10.0.0.0/8"], "10.0.0.5", &["10.0.0.9"], "10.0.0.9");
    client(&["10.0.0.0/8"], "10.0.0.5", &[], "10.0.0.5");
}

#[test]
fn f_03_nobody_is_trusted_by_default() {
    client(&[], "192.0.2.66", &["127.0.0.1"], "192.0.2.66");
    client(&["10.0.0.5/32"], "192.0.2.66", &["127.0.0.1"], "192.0.2.66");
}

#[test]
fn f_08_what_cannot_be_read_is_not_believed() {
    for list in ["not-an-ip", "127.0.0.1:99999", "[::1", "", "127.0.0.1, x", ",", "[127.0.0.1]", "[127.0.0.1]:80"] {
        client(&["10.0.0.0/8"], "10.0.0.5", &[list], "10.0.0.5");
    }
    client(&["10.0.0.0/8"], "10.0.0.5", &["x, 6.6.6.6:80"], "6.6.6.6");
    client(&["10.0.0.0/8"], "10.0.0.5", &["[2001:db8::1]:80"], "2001:db8::1");
}

#[test]
fn f_08_a_port_that_no_client_can_have_used_is_not_believed() {
    let port = |value: &str| {
        let policy = Policy { trusted: vec!["10.0.0.0/8".parse().expect("a network")], ..Policy::default() };
        let headers = HeaderMap::from_iter([(FORWARDED_PORT, HeaderValue::from_str(value).expect("a value"))]);
        policy.told(&headers, ip("10.0.0.5")).expect("a trusted peer").port
    };
    assert_eq!(port("8443"), Some(8443));
    for unreadable in ["0", "00", "65536", "-1", "443, 443", "https", ""] {
        assert_eq!(port(unreadable), None, "{unreadable:?}");
    }
}

#[track_caller]
fn written(mode: Mode, fields: &[&str], expected: Option<&str>) {
    let mut map = headers(fields);
    let mut own = OwnFields::default();
    Policy { mode, ..Policy::default() }
        .write(&map, &HeaderValue::from_static("127.0.0.1"), &mut own)
        .expect("few addresses");
    own.write_into(&mut map);
    let values: Vec<_> = map.get_all(FORWARDED_FOR).iter().map(|value| value.to_str().expect("ASCII")).collect();
    assert_eq!(values, expected.into_iter().collect::<Vec<_>>());
}

#[test]
fn the_list_is_appended_to_preserved_or_removed() {
    written(Mode::Append, &[], Some("127.0.0.1"));
    written(Mode::Append, &["127.0.0.4"], Some("127.0.0.4, 127.0.0.1"));
    written(Mode::Append, &["a", "b"], Some("a, b, 127.0.0.1"));
    written(Mode::Preserve, &["127.0.0.4"], Some("127.0.0.4"));
    written(Mode::Remove, &["127.0.0.4"], None);
}

#[test]
fn more_than_thirty_addresses_are_refused() {
    let list = |count: usize| vec!["192.0.2.1"; count].join(", ");
    let write = |lists: &[&str]| {
        let peer = HeaderValue::from_static("127.0.0.1");
        Policy::default().write(&headers(lists), &peer, &mut OwnFields::default())
    };
    assert!(write(&[&list(30)]).is_ok());
    assert!(write(&[&list(31)]).is_err());
    assert!(write(&[&list(20), &list(11)]).is_err());
}

#[test]
fn the_port_of_the_peer_is_appended_where_the_address_is() {
    let policy = Policy { has_client_port: true, ..Policy::default() };
    let hop = |address: &str| policy.hop(ip(address), 8080).expect("a port");
    assert_eq!(hop("1.2.3.4"), "1.2.3.4:8080");
    assert_eq!(hop("2001:db8::1"), "[2001:db8::1]:8080");
    for mode in [Mode::Preserve, Mode::Remove] {
        assert_eq!(Policy { mode, ..policy.clone() }.hop(ip("1.2.3.4"), 8080), None, "ALB §10.2: the mode decides");
    }
    assert_eq!(Policy::default().hop(ip("1.2.3.4"), 8080), None);
}

#[test]
fn the_trace_id_keeps_a_root() {
    let id = |given: Option<&'static str>| {
        let given = given.map(HeaderValue::from_static);
        trace_id(given.as_ref(), "1-2-3").to_str().expect("ASCII").to_owned()
    };
    assert_eq!(id(None), "Root=1-2-3");
    assert_eq!(id(Some("Root=1-a-b;CalledFrom=app")), "Self=1-2-3;Root=1-a-b;CalledFrom=app");
    assert_eq!(id(Some("Self=1-x-y;Root=1-a-b")), "Self=1-2-3;Root=1-a-b");
    assert_eq!(id(Some("nonsense")), "Root=1-2-3");
}

#[test]
fn with_more_than_7_kb_of_headers_a_new_trace_begins() {
    let id = |name: HeaderName, length: usize| {
        let mut headers = HeaderMap::from_iter([(TRACE_ID, HeaderValue::from_static("Root=1-a-b"))]);
        headers.insert(name, HeaderValue::try_from("x".repeat(length)).expect("a value"));
        trace_id(given_trace(&headers), "1-2-3").to_str().expect("ASCII").to_owned()
    };
    // `x-amzn-trace-id: Root=1-a-b` and `accept: ` with their line ends.
    let rest = 29 + 10;
    assert_eq!(id(header::ACCEPT, 7 * 1024 - rest), "Self=1-2-3;Root=1-a-b");
    assert_eq!(id(header::ACCEPT, 7 * 1024 - rest + 1), "Root=1-2-3");
    assert_eq!(id(header::COOKIE, 16 * 1024), "Self=1-2-3;Root=1-a-b", "the cookies of a session");
}
