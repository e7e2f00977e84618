use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn user(name: &str) -> UserName {
    UserName::parse(name).expect("a name")
}

fn v4(last: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + last))
}

#[test]
fn u_02_guesses_at_one_user_from_one_address_are_slowed_down() {
    let risk = Risk::new();
    for _ in 0..5 {
        let _wrong = risk.begin(&user("alice"), v4(1), NOW).expect("within the burst");
    }
    assert_eq!(risk.begin(&user("ALICE "), v4(1), NOW).expect_err("too many").0, Duration::from_secs(30));
    assert!(risk.begin(&user("alice"), v4(2), NOW).is_ok(), "another address is not slowed down");
    assert!(risk.begin(&user("bob"), v4(1), NOW).is_ok(), "another user is not slowed down");
    assert!(risk.begin(&user("alice"), v4(1), NOW + Duration::from_secs(30)).is_ok(), "waiting helps");
}

#[test]
fn u_02_spraying_many_users_from_one_network_is_slowed_down() {
    let risk = Risk::new();
    let address = |host: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 0, 0, 0, host));
    for host in 0..30 {
        let _wrong = risk.begin(&user(&format!("user{host}")), address(host), NOW).expect("within the burst");
    }
    assert!(risk.begin(&user("someone"), address(99), NOW).is_err());
    let elsewhere = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 0, 0, 0, 1));
    assert!(risk.begin(&user("someone"), elsewhere, NOW).is_ok());
    assert_eq!(network("::ffff:10.0.0.1".parse().expect("an address")), network(v4(1)));
}

#[test]
fn u_02_an_attacker_on_many_addresses_does_not_lock_the_user_out() {
    let risk = Risk::new();
    let home = v4(0xffff);
    let right = risk.begin(&user("alice"), home, NOW).expect("the first");
    risk.succeeded(right, &user("alice"), home, NOW);
    for last in 0..50 {
        let _wrong = risk.begin(&user("alice"), v4(last), NOW).expect("within the burst");
    }
    assert!(risk.begin(&user("alice"), v4(1000), NOW).is_err());
    assert!(risk.begin(&user("alice"), home, NOW).is_ok());
}

#[test]
fn a_right_password_is_not_counted() {
    let risk = Risk::new();
    for _ in 0..200 {
        let attempt = risk.begin(&user("alice"), v4(1), NOW).expect("never too many");
        risk.succeeded(attempt, &user("alice"), v4(1), NOW);
    }
    for _ in 0..200 {
        let attempt = risk.begin(&user("bob"), v4(1), NOW).expect("never too many");
        risk.not_made(attempt);
    }
}

#[test]
fn u_02_one_user_on_many_addresses_does_not_make_anothers_address_unknown() {
    let risk = Risk::new();
    let home = v4(0x00ff_ffff);
    let right = risk.begin(&user("alice"), home, NOW).expect("the first");
    risk.succeeded(right, &user("alice"), home, NOW);
    for number in 0..101_000 {
        let address = IpAddr::V6(Ipv6Addr::from((0x2001_0db8_u128 << 96) + (u128::from(number as u32) << 64)));
        let right = risk.begin(&user("mallory"), address, NOW).expect("right each time");
        risk.succeeded(right, &user("mallory"), address, NOW);
    }
    for last in 0..50 {
        let _wrong = risk.begin(&user("alice"), v4(last), NOW).expect("within the burst");
    }
    assert!(risk.begin(&user("alice"), v4(1000), NOW).is_err());
    assert!(risk.begin(&user("alice"), home, NOW).is_ok());
}
