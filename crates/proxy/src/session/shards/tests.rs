use super::*;

fn headers(fields: &[&str]) -> HeaderMap {
    fields.iter().map(|field| (header::COOKIE, field.parse().expect("a header value"))).collect()
}

#[track_caller]
fn check(fields: &[&str], expected: Option<&[&str]>) {
    let headers = headers(fields);
    match (find(&headers, "s"), expected) {
        (Found::Whole(shards), Some(values)) => {
            let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
            assert_eq!(shards.values(), values);
        }
        (Found::Broken, None) => {}
        (found, _) => panic!("{fields:?}: {found:?}"),
    }
}

#[test]
fn shards_are_found_among_other_cookies() {
    check(&["s-0=1abc"], Some(&["1abc"]));
    check(&["a=b; s-0=1abc; ss-0=x; s-=y; s-x=z"], Some(&["1abc"]));
    check(&["s-1=def", "s-0=2abc"], Some(&["2abc", "def"]));
    check(&["s-1=def;s-0=2abc;"], Some(&["2abc", "def"]));
    check(&["\u{e9}=1; s-0=1abc"], Some(&["1abc"]));
}

#[test]
fn s_10_two_of_a_name_are_not_chosen_from() {
    check(&["s-0=1evil; s-0=1good"], None);
    check(&["s-0=1good; s-0=1evil"], None);
    check(&["s-0=1good", "s-0=1good"], None);
}

#[test]
fn a_number_that_does_not_match_what_came_is_refused() {
    for field in ["s-0=", "s-0=0abc", "s-0=2abc", "s-0=5abc", "s-0=abc", "s-1=abc", "s-0=1a; s-1=b", "s-0=2a; s-2=b"] {
        check(&[field], None);
    }
    for field in ["s-0=1a; s-4=b", "s-0=1a; s-99999999=b", "s-0=1a; s-00=b", "s-0=1a; s-01=b"] {
        check(&[field], None);
    }
}

#[test]
fn d_07_thousands_of_pairs_are_bounded_work() {
    let many = "a=b; ".repeat(5000);
    assert!(matches!(find(&headers(&[&format!("{many}s-0=1abc")]), "s"), Found::Nothing));
    assert!(matches!(find(&headers(&[&";".repeat(64 * 1024)]), "s"), Found::Nothing));
    assert!(matches!(find(&headers(&[&"=".repeat(64 * 1024)]), "s"), Found::Nothing));
    let strays: String = (0..500).map(|number| format!("s-{number}=x; ")).collect();
    assert_eq!(names("s", &headers(&[&strays])).len(), SHARDS_MAX + STRAYS_MAX);
}

#[test]
fn a_value_that_fills_its_shards_leaves_none_empty() {
    let frame = cookie::set("s-0", "", 60).len();
    let room = LINE_BYTES_MAX - frame;
    for (length, count) in [(room - 1, 1), (room, 2), (2 * room - 1, 2), (4 * room - 1, 4)] {
        let lines = write(SameSite::Lax, "s", &"x".repeat(length), 60).expect("fits");
        let set = lines.iter().filter(|line| !line.to_str().expect("ASCII").contains("Max-Age=0")).count();
        assert_eq!((set, lines.len()), (count, SHARDS_MAX), "{length}");
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX));
    }
    assert_eq!(write(SameSite::Lax, "s", &"x".repeat(4 * room), 60).err(), Some(Error::TooLarge));
    assert_eq!(write(SameSite::Lax, &"s".repeat(4096), "x", 60).err(), Some(Error::TooLarge));
}

#[test]
fn a_sign_out_finds_every_session_that_the_cookies_may_be() {
    #[track_caller]
    fn check(field: &str, expected: &[&[&str]]) {
        let headers = headers(&[field]);
        let possible = possible(&headers, "s");
        let values = |shards: &Shards<'_>| shards.values().iter().map(|value| value.to_vec()).collect::<Vec<_>>();
        let found: Vec<_> = possible.iter().map(values).collect();
        let bytes = |shards: &&[&str]| shards.iter().map(|value| value.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(found, expected.iter().map(bytes).collect::<Vec<_>>(), "{field}");
    }
    check("a=b", &[]);
    check("s-0=1a", &[&["1a"]]);
    check("s-0=1a; s-0=1b; s-0=1a", &[&["1a"], &["1b"]]);
    check("s-0=1a; s-1=b; s-7=c", &[&["1a"]]);
    check("s-0=2a; s-1=b; s-1=c", &[&["2a", "b"], &["2a", "c"]]);
    check("s-0=1a; s-0=2b; s-1=c", &[&["1a"], &["2b", "c"]]);
    // A shard is missing.
    check("s-1=b; s-2=c", &[]);
    check("s-0=3a; s-2=c", &[]);
    let many = |number: usize| (0..60).map(move |value| format!("s-{number}=4{value}; ")).collect::<String>();
    let headers = headers(&[&format!("{}{}{}{}", many(0), many(1), many(2), many(3))]);
    assert_eq!(possible(&headers, "s").len(), COMBINATIONS_MAX);
}
