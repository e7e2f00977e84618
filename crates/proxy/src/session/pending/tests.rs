use http::header;

use super::*;
use crate::session::tests::{BASE, NOW, settings};

const HOST: &str = "app.test";

fn logins() -> PendingLogins {
    PendingLogins::new(&settings([1]), BASE.into(), 32 * 1024)
}

fn request(pairs: &[String]) -> HeaderMap {
    HeaderMap::from_iter([(header::COOKIE, pairs.join("; ").parse().expect("a header value"))])
}

/// Begins a login in a browser with the cookies `jar`, and adds the login's cookies to them.
fn begin(jar: &mut Vec<String>, state: &str, now: Timestamp) {
    let lines = logins().save(HOST, state, state.to_owned(), &request(jar), now).expect("fits");
    for line in lines {
        let line = line.to_str().expect("ASCII");
        let (pair, attributes) = line.split_once(';').expect("attributes");
        let name = pair.split_once('=').expect("a pair").0;
        jar.retain(|kept| kept.split_once('=').expect("a pair").0 != name);
        if !attributes.ends_with("Max-Age=0") {
            jar.push(pair.to_owned());
        }
    }
}

fn find(jar: &[String], host: &str, state: &str, now: Timestamp) -> Result<(String, bool), Error> {
    logins().find::<String>(host, state, &request(jar), now).map(|found| (found.login, found.is_expired))
}

#[test]
fn c_04_each_tab_finds_its_own_login() {
    let mut jar = vec!["theme=dark".to_owned()];
    for state in ["a", "b", "c"] {
        begin(&mut jar, state, NOW);
    }
    for state in ["c", "a", "b"] {
        assert_eq!(find(&jar, HOST, state, NOW), Ok((state.to_owned(), false)));
    }
}

#[test]
fn c_02_c_05_a_login_of_nobody_or_from_elsewhere_is_not_found() {
    let mut jar = Vec::new();
    begin(&mut jar, "a", NOW);
    assert_eq!(find(&[], HOST, "a", NOW), Err(Error::Invalid));
    assert_eq!(find(&jar, HOST, "b", NOW), Err(Error::Invalid));
    assert_eq!(find(&jar, HOST, "", NOW), Err(Error::Invalid));
    let name = logins().name("a");
    for planted in ["", "1", "1.", "1.AAAA", ".AAAA", "99999999999999999999.AAAA"] {
        assert_eq!(find(&[format!("{name}={planted}")], HOST, "a", NOW), Err(Error::Invalid), "{planted}");
    }
}

#[test]
fn c_13_a_login_belongs_to_its_host() {
    let mut jar = Vec::new();
    begin(&mut jar, "a", NOW);
    assert_eq!(find(&jar, "other.test", "a", NOW), Err(Error::Invalid));
}

#[test]
fn c_14_a_login_under_the_name_of_another_is_refused() {
    let mut jar = Vec::new();
    begin(&mut jar, "a", NOW);
    let renamed = jar[0].replace(&logins().name("a"), &logins().name("b"));
    assert_eq!(find(&[renamed], HOST, "b", NOW), Err(Error::Invalid));
}

#[test]
fn s_10_two_cookies_of_one_login_are_not_chosen_from() {
    let mut jar = Vec::new();
    begin(&mut jar, "a", NOW);
    let twice = [jar.clone(), jar].concat();
    assert_eq!(find(&twice, HOST, "a", NOW), Err(Error::Invalid));
}

#[test]
fn c_11_a_login_ends_after_fifteen_minutes() {
    let mut jar = Vec::new();
    begin(&mut jar, "a", NOW);
    let later = |seconds| find(&jar, HOST, "a", NOW + Duration::from_secs(seconds)).map(|(_, is_expired)| is_expired);
    assert_eq!(later(900), Ok(false));
    assert_eq!(later(901), Ok(true));
    // A clock that was set back five minutes between the two requests.
    assert_eq!(find(&jar, HOST, "a", NOW - Duration::from_secs(300)).map(|(_, expired)| expired), Ok(false));
    // The time outside the encrypted value is not trusted.
    let dated = jar[0].replacen(&NOW.seconds().to_string(), &(NOW.seconds() + 3600).to_string(), 1);
    assert_eq!(find(&[dated], HOST, "a", NOW + Duration::from_secs(901)).map(|(_, expired)| expired), Ok(true));
}

#[test]
fn d_17_logins_do_not_pile_up() {
    let mut jar = Vec::new();
    for number in 0..50 {
        begin(&mut jar, &format!("state {number}"), NOW + Duration::from_secs(number));
        assert!(jar.len() <= LOGINS_MAX);
    }
    assert!(find(&jar, HOST, "state 49", NOW).is_ok() && find(&jar, HOST, "state 44", NOW).is_ok());
    assert!(find(&jar, HOST, "state 43", NOW).is_err());
    begin(&mut jar, "much later", NOW + COOKIE_LIFE + Duration::from_secs(60));
    assert_eq!(jar.len(), 1);
}

#[test]
fn garbage_under_our_names_makes_room_first() {
    let mut jar = vec![format!("{BASE}-login-garbage1=x"), format!("{BASE}-login-garbage2=;")];
    for number in 0..LOGINS_MAX {
        begin(&mut jar, &number.to_string(), NOW);
    }
    assert_eq!(jar.len(), LOGINS_MAX);
    assert!((0..LOGINS_MAX).all(|number| find(&jar, HOST, &number.to_string(), NOW).is_ok()));
}

#[test]
fn a_login_that_does_not_fit_is_not_kept() {
    let login = || (0..1000).map(|_| crate::crypto::octets::token()).collect::<String>();
    assert_eq!(logins().save(HOST, "a", login(), &HeaderMap::new(), NOW).err(), Some(Error::TooLarge));
    let logins = PendingLogins::new(&settings([1]), BASE.into(), 1 << 20);
    let large = (0..10).map(|_| login()).collect::<String>();
    assert_eq!(
        logins.save(HOST, "a", large, &HeaderMap::new(), NOW).err(),
        Some(Error::TooLarge),
        "more than the parts hold"
    );
}

/// A login of `bytes` random bytes, which do not compress.
fn long(bytes: usize) -> String {
    let mut text: String = (0..=bytes / 43).map(|_| crate::crypto::octets::token()).collect();
    text.truncate(bytes);
    text
}

/// Saves a login. Returns the browser's cookies.
fn keep(login: &str) -> Vec<String> {
    let lines = logins().save(HOST, "a", login.to_owned(), &HeaderMap::new(), NOW).expect("fits");
    assert!(lines.iter().all(|line| line.len() <= shards::LINE_BYTES_MAX));
    let pair = |line: &HeaderValue| line.to_str().expect("ASCII").split(';').next().expect("a pair").to_owned();
    lines.iter().map(pair).collect()
}

#[test]
fn a_long_login_is_split_and_joined_in_any_order() {
    for bytes in [0, 900, 1024, 2500, 3500, 4096, 9000, 20_000] {
        let login = long(bytes);
        let mut jar = keep(&login);
        jar.reverse();
        assert_eq!(find(&jar, HOST, "a", NOW), Ok((login, false)), "{bytes}");
    }
    assert_eq!(keep(&"x".repeat(100_000)).len(), 1, "what repeats itself is compressed");
}

#[test]
fn s_02_a_login_that_is_not_whole_is_refused_and_all_of_it_is_deleted() {
    let jar = keep(&long(9000));
    assert_eq!(jar.len(), 3);
    for missing in 0..jar.len() {
        let mut part = jar.clone();
        let taken = part.remove(missing);
        assert_eq!(find(&part, HOST, "a", NOW), Err(Error::Invalid), "without {missing}");
        let twice = [jar.clone(), vec![taken]].concat();
        assert_eq!(find(&twice, HOST, "a", NOW), Err(Error::Invalid), "{missing} twice");
        assert_eq!(logins().is_carried("a", &request(&twice)), Carried::Twice);
    }
    assert_eq!(logins().is_carried("a", &request(&jar)), Carried::Once);
    assert_eq!(logins().is_carried("b", &request(&jar)), Carried::No);
    let more = format!("{}.9=AAAA", logins().name("a"));
    assert_eq!(find(&[jar.clone(), vec![more]].concat(), HOST, "a", NOW), Err(Error::Invalid), "one too many");
    let deleted: Vec<String> = logins()
        .delete("a", &request(&jar))
        .iter()
        .map(|line| line.to_str().expect("ASCII").split_once('=').expect("a pair").0.to_owned())
        .collect();
    let names: Vec<&str> = jar.iter().map(|pair| pair.split_once('=').expect("a pair").0).collect();
    assert_eq!(deleted, names);
}

#[test]
fn d_17_long_logins_make_room_for_each_other() {
    let mut jar: Vec<String> = Vec::new();
    for number in 0..10_u64 {
        let state = format!("state {number}");
        let now = NOW + Duration::from_secs(number);
        let lines = logins().save(HOST, &state, long(9000), &request(&jar), now).expect("fits");
        for line in lines {
            let line = line.to_str().expect("ASCII");
            let (pair, rest) = line.split_once(';').expect("attributes");
            let name = pair.split_once('=').expect("a pair").0.to_owned();
            jar.retain(|kept| kept.split_once('=').expect("a pair").0 != name);
            if !rest.ends_with("Max-Age=0") {
                jar.push(pair.to_owned());
            }
        }
        assert!(jar.iter().map(String::len).sum::<usize>() <= 32 * 1024);
        assert!(find(&jar, HOST, &state, now).is_ok());
    }
}

#[test]
fn c_14_a_ticket_opens_where_it_was_made_and_is_no_login() {
    let ticket = logins().seal_ticket(HOST, &"here");
    assert_eq!(logins().open_ticket::<String>(HOST, &ticket), Ok("here".to_owned()));
    assert_eq!(logins().open_ticket::<String>("other.test", &ticket), Err(Error::Invalid));
    let other_name = PendingLogins::new(&settings([1]), "__Host-other".into(), 1024);
    assert_eq!(other_name.open_ticket::<String>(HOST, &ticket), Err(Error::Invalid));
    let other_key = PendingLogins::new(&settings([2]), BASE.into(), 1024);
    assert_eq!(other_key.open_ticket::<String>(HOST, &ticket), Err(Error::Invalid));
    for bad in ["", "x", &ticket[1..], &ticket[..ticket.len() - 1], "AAAA.BBBB"] {
        assert_eq!(logins().open_ticket::<String>(HOST, bad), Err(Error::Invalid), "{bad}");
    }
    let cookie = format!("{}={}.{ticket}", logins().name(&ticket), NOW.seconds());
    assert_eq!(find(&[cookie], HOST, &ticket, NOW), Err(Error::Invalid), "a seal of another purpose");
}
