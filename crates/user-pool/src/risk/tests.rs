use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a name")
}

fn v4(last: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last))
}

fn from(last: u32) -> Origin<'static> {
    Origin { address: v4(last), browser: None }
}

fn begin<'r>(risk: &'r Risk, user: &UserName, address: IpAddr, now: Timestamp) -> Result<Attempt<'r>, Duration> {
    turn(risk, user, Origin { address, browser: None }, now)
}

fn turn<'r>(risk: &'r Risk, user: &UserName, from: Origin<'_>, now: Timestamp) -> Result<Attempt<'r>, Duration> {
    match risk.turn(user.into(), from, Guess::Password, now) {
        Turn::Now(attempt) => Ok(attempt),
        Turn::Refused(wait) => Err(wait),
        Turn::Later => panic!("no attempt is under way"),
    }
}

#[test]
fn u_02_guesses_at_one_user_from_one_address_are_slowed_down() {
    let risk = Risk::new();
    for _ in 0..5 {
        let _wrong = begin(&risk, &user("alice"), v4(1), NOW).expect("within the burst");
    }
    assert_eq!(begin(&risk, &user("ALICE "), v4(1), NOW).expect_err("too many"), Duration::from_secs(30));
    assert!(begin(&risk, &user("alice"), v4(2), NOW).is_ok(), "another address is not slowed down");
    assert!(begin(&risk, &user("bob"), v4(1), NOW).is_ok(), "another user is not slowed down");
    assert!(begin(&risk, &user("alice"), v4(1), NOW + Duration::from_secs(30)).is_ok(), "waiting helps");
}

#[test]
fn u_02_spraying_many_users_from_one_network_is_slowed_down() {
    let risk = Risk::new();
    let address = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, host));
    for host in 0..30 {
        let _wrong = begin(&risk, &user(&format!("user{host}")), address(host), NOW).expect("within the burst");
    }
    assert!(begin(&risk, &user("someone"), address(99), NOW).is_err());
    let elsewhere = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1));
    assert!(begin(&risk, &user("someone"), elsewhere, NOW).is_ok());
    assert_eq!(network("::ffff:10.0.0.1".parse().expect("an address")), network(v4(1)));
}

#[test]
fn u_02_one_site_with_many_networks_is_one_site() {
    let risk = Risk::new();
    // A customer is given 65,536 networks (RFC 6177); whoever wants as many for nothing gets them of a tunnel broker.
    let address = |site: u16, network: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, site, network, 0, 0, 0, 1));
    let guess = |site, number: u16| begin(&risk, &user(&format!("user{number}")), address(site, number), NOW).map(drop);
    let taken = (0..10_000).filter(|number| guess(1, *number).is_ok()).count();
    assert_eq!(taken, 120);
    assert_eq!(guess(1, 20_000), Err(Duration::from_secs(1)));
    assert_eq!(guess(2, 20_000), Ok(()), "another site is not slowed down");
    for last in 0..1000 {
        let _wrong = begin(&risk, &user(&format!("user{last}")), v4(last), NOW).expect("an IPv4 address is one");
    }
    for number in 0..1000_u16 {
        let name = user(&format!("other{number}"));
        let right = begin(&risk, &name, address(3, number), NOW).expect("right passwords are not counted");
        right.succeeded();
        risk.remember(&name, address(3, number), NOW);
    }
}

#[test]
fn u_02_an_attacker_on_many_addresses_does_not_lock_the_user_out() {
    let risk = Risk::new();
    let home = v4(0xffff);
    let right = begin(&risk, &user("alice"), home, NOW).expect("the first");
    right.succeeded();
    risk.remember(&user("alice"), home, NOW);
    for last in 0..50 {
        let _wrong = begin(&risk, &user("alice"), v4(last), NOW).expect("within the burst");
    }
    assert!(begin(&risk, &user("alice"), v4(1000), NOW).is_err());
    assert!(begin(&risk, &user("alice"), home, NOW).is_ok());
}

#[test]
fn u_02_a_browser_of_the_user_is_kept_out_by_nobody_and_gives_no_more_guesses() {
    let risk = Risk::new();
    let alice = user("alice");
    // From the same network, and from everywhere.
    for last in 1..100 {
        while let Ok(_wrong) = begin(&risk, &alice, v4(last), NOW) {}
    }
    let own = |browser| Origin { address: v4(1), browser: Some(browser) };
    turn(&risk, &alice, own("laptop"), NOW).expect("her own").succeeded();
    risk.remember(&alice, v4(1), NOW);
    // Whoever has stolen the cookie may guess as often as anybody else.
    let guesses = |browser, now| std::iter::from_fn(|| turn(&risk, &alice, own(browser), now).map(drop).ok()).count();
    assert_eq!(guesses("stolen", NOW), 5);
    assert!(turn(&risk, &alice, own("laptop"), NOW).is_ok(), "and keeps no other browser out");
    // Whoever knows one password makes many browsers of that user, and does not guess faster for it.
    let names: Vec<String> = (0..100).map(|number| format!("browser{number}")).collect();
    assert_eq!(names.iter().map(|name| guesses(name, NOW)).sum::<usize>(), 30 - 5 - 1);
    assert!(turn(&risk, &user("bob"), Origin { address: v4(200), browser: Some("bobs") }, NOW).is_ok());
}

#[test]
fn a_right_password_is_not_counted() {
    let risk = Risk::new();
    for _ in 0..200 {
        let attempt = begin(&risk, &user("alice"), v4(1), NOW).expect("never too many");
        attempt.succeeded();
        risk.remember(&user("alice"), v4(1), NOW);
    }
    for _ in 0..200 {
        let attempt = begin(&risk, &user("bob"), v4(1), NOW).expect("never too many");
        attempt.not_made();
    }
}

#[test]
fn u_02_one_user_on_many_addresses_does_not_make_anothers_address_unknown() {
    let risk = Risk::new();
    let home = v4(0x00ff_ffff);
    let right = begin(&risk, &user("alice"), home, NOW).expect("the first");
    right.succeeded();
    risk.remember(&user("alice"), home, NOW);
    for number in 0..101_000 {
        let address = IpAddr::V6(Ipv6Addr::from((0x2001_0db8_u128 << 96) + (u128::from(number as u32) << 64)));
        let right = begin(&risk, &user("mallory"), address, NOW).expect("right each time");
        right.succeeded();
        risk.remember(&user("mallory"), address, NOW);
    }
    for last in 0..50 {
        let _wrong = begin(&risk, &user("alice"), v4(last), NOW).expect("within the burst");
    }
    assert!(begin(&risk, &user("alice"), v4(1000), NOW).is_err());
    assert!(begin(&risk, &user("alice"), home, NOW).is_ok());
}

#[tokio::test]
async fn an_office_behind_one_address_signs_in_at_the_same_moment() {
    let (clock, _hand) = Clock::manual(NOW);
    let risk = Risk::new();
    let one = async |number: u32| {
        let user = user(&format!("user{number}"));
        let attempt = risk.begin(&user, from(1), Guess::Password, &clock).await.expect("nobody is refused");
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        attempt.succeeded();
        risk.remember(&user, v4(1), NOW);
    };
    futures_util::future::join_all((0..500).map(one)).await;
    assert!(risk.lock().under_way.is_empty());
    assert!(risk.lock().waiting.is_empty());
}

#[tokio::test]
async fn u_02_guesses_at_the_same_moment_are_no_more_than_the_limit() {
    let (clock, _hand) = Clock::manual(NOW);
    let risk = Risk::new();
    let one = async |number: u32| {
        let attempt = risk.begin(&user(&format!("user{number}")), from(1), Guess::Password, &clock).await;
        tokio::task::yield_now().await;
        attempt.map(drop)
    };
    let outcomes = futures_util::future::join_all((0..200).map(one)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 30);
    let refused = outcomes.into_iter().filter_map(Result::err);
    assert!(refused.into_iter().all(|refused| refused == Refused::TooMany(Duration::from_secs(5))));
}

#[tokio::test(start_paused = true)]
async fn one_network_takes_a_part_of_the_places_to_wait() {
    let (clock, _hand) = Clock::manual(NOW);
    let risk = Risk::new();
    let held: Vec<_> = (0..30)
        .map(|number| begin(&risk, &user(&format!("user{number}")), v4(1), NOW).expect("within the burst"))
        .collect();
    let one = async |number: u32| {
        risk.begin(&user(&format!("other{number}")), from(1), Guess::Password, &clock).await.map(drop)
    };
    let outcomes = futures_util::future::join_all((0..600).map(one)).await;
    // The 88 that found no place at once, the others after ten seconds.
    assert!(outcomes.iter().all(|outcome| *outcome == Err(Refused::Busy)));
    assert!(
        risk.begin(&user("alice"), from(2), Guess::Password, &clock).await.is_ok(),
        "another network is served at once"
    );
    drop(held);
}

#[test]
fn u_02_a_right_password_gives_no_new_guesses_at_codes() {
    let risk = Risk::new();
    let alice = user("alice");
    let code = |address, now| match risk.turn((&alice).into(), Origin { address, browser: None }, Guess::Code, now) {
        Turn::Now(_wrong) => Ok(()),
        Turn::Refused(wait) => Err(wait),
        Turn::Later => panic!("no attempt is under way"),
    };
    let mut now = NOW;
    for guess in 0..10 {
        begin(&risk, &alice, v4(guess), now).expect("never too many").succeeded();
        assert_eq!(code(v4(guess), now), Ok(()), "guess {guess}");
        now = now + Duration::from_secs(1);
    }
    assert!(code(v4(100), now).is_err(), "ten, from whatever address");
    risk.remember(&alice, v4(101), now);
    assert!(code(v4(101), now).is_err(), "whoever knows the password comes from a known address easily");
    let own = |now| risk.turn((&alice).into(), Origin { address: v4(100), browser: Some("laptop") }, Guess::Code, now);
    for _ in 0..5 {
        assert!(matches!(own(now), Turn::Now(_)), "her own browser has a limit of its own");
    }
    assert!(matches!(own(now), Turn::Refused(_)));
    assert!(begin(&risk, &alice, v4(102), now).is_ok(), "passwords are counted apart");
    assert_eq!(code(v4(103), now + Duration::from_secs(300)), Ok(()), "waiting helps");
}

/// What the visitor is told of: the name alone. By all names of a user together, passwords are wrong after ten.
#[test]
fn u_01_two_names_of_one_user_are_told_apart_and_give_no_more_guesses() {
    let (risk, ada) = (Risk::new(), user("ada"));
    let at = |typed: &UserName, address| {
        let from = Origin { address, browser: None };
        match risk.turn(Named { typed, user: &ada }, from, Guess::Password, NOW) {
            Turn::Now(_attempt) => true,
            Turn::Refused(_) | Turn::Later => false,
        }
    };
    let names = ["ada", "ada@example.com", "+4930123456"].map(user);
    for name in &names {
        assert_eq!((0..9).filter(|_| at(name, v4(1))).count(), 5, "{name:?}");
    }
    let is_right = |is_right, address, now| risk.may_be_right(&ada, Origin { address, browser: None }, is_right, now);
    for _ in 0..10 {
        assert!(!is_right(false, v4(1), NOW));
    }
    assert!(!is_right(true, v4(1), NOW), "not after ten wrong ones");
    assert!(is_right(true, v4(2), NOW), "from another address");
    assert!(is_right(true, v4(1), NOW + Duration::from_secs(30)), "waiting helps");
    for last in 3..1000 {
        is_right(false, v4(last), NOW);
    }
    assert!(!is_right(true, v4(5000), NOW), "not after a hundred from everywhere");
    risk.remember(&ada, v4(5000), NOW);
    assert!(is_right(true, v4(5000), NOW), "an address that is known");
    let own = Origin { address: v4(1), browser: Some("laptop") };
    assert!(risk.may_be_right(&ada, own, true, NOW), "a browser that is known");
}
