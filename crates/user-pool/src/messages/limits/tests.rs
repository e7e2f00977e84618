use super::*;
use crate::MIGRATIONS;
use crate::crypto::aead::Key;
use crate::database::{Database, Others};
use crate::secret::Secret;
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

struct Bench {
    directory: Directory,
    database: Database,
    limits: Limits,
}

fn bench(name: &str, ceilings: Ceilings, prefixes: &[&str]) -> Bench {
    let directory = temporary_directory(name);
    let database = open(&directory);
    let prefixes = prefixes.iter().map(|prefix| (*prefix).to_owned()).collect();
    let vault = Vault::new([Key::new(&Secret::new([7; 32]))].into());
    let limits = Limits::new("people".into(), vault, ceilings, prefixes, Arc::default());
    Bench { directory, database, limits }
}

fn open(directory: &Directory) -> Database {
    Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database")
}

fn wide() -> Ceilings {
    Ceilings { per_user: 100, per_destination: 100, per_country: 100, mails: 100, sms: 100 }
}

fn email(address: &str) -> Recipient {
    Recipient { medium: Medium::Email, address: address.into() }
}

fn sms(address: &str) -> Recipient {
    Recipient { medium: Medium::Sms, address: address.into() }
}

impl Bench {
    async fn ask(&self, kind: Kind, to: Recipient, subject: Option<&'static str>, now: Timestamp) -> Verdict {
        let limits = self.limits.clone();
        self.database.write(move |on| limits.may_send(on, kind, &to, subject, now)).await.expect("counted")
    }

    /// How many of ten messages are sent, and why the next is not.
    async fn ten(&self, to: impl Fn(usize) -> Recipient, subject: Option<&'static str>) -> (usize, Option<Withheld>) {
        for number in 0..10 {
            if let Verdict::Withhold(why) = self.ask(Kind::Reset, to(number), subject, NOW).await {
                return (number, Some(why));
            }
        }
        (10, None)
    }

    async fn rows(&self) -> usize {
        let count = self.database.read(|on| on.query("SELECT of FROM message_limits", &[]));
        count.await.expect("read").len()
    }
}

#[tokio::test]
async fn each_ceiling_holds_on_its_own() {
    let to = |number: usize| email(&format!("user{number}@example.com"));
    let bench_of = |name, ceilings| bench(name, ceilings, &[]);
    let one = bench_of("limits-destination", Ceilings { per_destination: 3, ..wide() });
    assert_eq!(one.ten(|_| email("ada@example.com"), None).await, (3, Some(Withheld::Destination)));
    assert_eq!(one.ten(to, None).await, (10, None));
    let one = bench_of("limits-user", Ceilings { per_user: 3, ..wide() });
    assert_eq!(one.ten(to, Some("ada")).await, (3, Some(Withheld::User)));
    assert_eq!(one.ask(Kind::Reset, to(1), Some("bob"), NOW).await, Verdict::Send);
    assert_eq!(one.ask(Kind::SecondFactor, to(1), Some("ada"), NOW).await, Verdict::Send, "another kind");
    let one = bench_of("limits-pool", Ceilings { mails: 3, ..wide() });
    assert_eq!(one.ten(to, None).await, (3, Some(Withheld::Pool)));
    assert_eq!(one.ask(Kind::Reset, sms("+4930123456"), None, NOW).await, Verdict::Send, "another medium");
    let one = bench_of("limits-country", Ceilings { per_country: 3, ..wide() });
    assert_eq!(one.ten(|number| sms(&format!("+4930{number}")), None).await, (3, Some(Withheld::Country)));
    assert_eq!(one.ask(Kind::Reset, sms("+4330"), None, NOW).await, Verdict::Send, "another country");
}

/// Who knows no password cannot use up what those who know theirs need.
#[tokio::test]
async fn codes_of_second_factors_have_a_share_of_their_own() {
    let bench = bench("limits-share", Ceilings { mails: 3, sms: 3, per_country: 2, ..wide() }, &[]);
    assert_eq!(bench.ten(|number| email(&format!("user{number}@example.com")), None).await.0, 3);
    assert_eq!(bench.ten(|number| sms(&format!("+4930{number}")), None).await, (2, Some(Withheld::Country)));
    for (to, share) in [(email("ada@example.com"), 3), (sms("+4930123456"), 2)] {
        for _ in 0..share {
            assert_eq!(bench.ask(Kind::SecondFactor, to.clone(), Some("ada"), NOW).await, Verdict::Send);
        }
        assert!(
            matches!(bench.ask(Kind::SecondFactor, to, Some("bob"), NOW).await, Verdict::Withhold(_)),
            "a ceiling too"
        );
    }
}

#[test]
fn a_site_can_do_less_than_its_networks_together() {
    let bench = bench("limits-site", wide(), &[]);
    let ask = |site: u16, network: u16| {
        let client = IpAddr::from([0x2001, 0xdb8, site, network, 0, 0, 0, 1]);
        bench.limits.admit(Operation::Reset, &format!("{site}-{network}"), client, NOW)
    };
    assert!((0..240).all(|network| ask(1, network).is_ok()));
    assert!(ask(1, 240).is_err() && ask(2, 240).is_ok());
    let ask = |last: u8| bench.limits.admit(Operation::Reset, &last.to_string(), IpAddr::from([192, 0, 2, last]), NOW);
    assert!((0..=255).all(|last| ask(last).is_ok()), "addresses of IPv4 belong to nobody together");
}

#[test]
fn a_name_that_is_typed_takes_nothing_from_the_second_factor() {
    let bench = bench("limits-sub", wide(), &[]);
    while bench.limits.admit(Operation::SignIn, "ada", HOME, NOW).is_ok() {}
    assert!(bench.limits.admit(Operation::SecondFactor, "ada", HOME, NOW).is_ok());
}

#[tokio::test]
async fn spellings_of_one_mailbox_count_together() {
    let bench = bench("limits-mailbox", Ceilings { per_destination: 3, ..wide() }, &[]);
    let spellings = ["ada@example.com", "ADA@Example.COM", "ada+1@example.com", "ada+2@example.com"];
    assert_eq!(bench.ten(|number| email(spellings[number % 4]), None).await, (3, Some(Withheld::Destination)));
}

#[tokio::test]
async fn a_restart_does_not_allow_as_many_again_and_an_hour_does() {
    let Bench { directory, database, limits } = bench("limits-restart", Ceilings { per_destination: 3, ..wide() }, &[]);
    let before = Bench { directory, database, limits };
    assert_eq!(before.ten(|_| email("ada@example.com"), None).await.0, 3);
    let Bench { directory, database, limits } = before;
    drop(database);
    let after = Bench { database: open(&directory), directory, limits };
    assert_eq!(after.ten(|_| email("ada@example.com"), None).await.0, 0);
    let ask = |now| after.ask(Kind::Reset, email("ada@example.com"), None, now);
    assert_eq!(ask(NOW + Duration::from_mins(20)).await, Verdict::Send, "one of three within 20 minutes");
    assert!(matches!(ask(NOW + Duration::from_mins(20)).await, Verdict::Withhold(_)));
    for _ in 0..3 {
        assert_eq!(ask(NOW + Duration::from_hours(2)).await, Verdict::Send);
    }
    assert!(matches!(ask(NOW + Duration::from_hours(2)).await, Verdict::Withhold(_)));
}

#[tokio::test]
async fn strangers_cannot_grow_the_table_beyond_the_ceiling_of_the_pool() {
    let bench = bench("limits-rows", Ceilings { mails: 4, ..wide() }, &[]);
    bench.ten(|number| email(&format!("user{number}@example.com")), None).await;
    bench.ten(|number| email(&format!("other{number}@example.com")), None).await;
    assert_eq!(bench.rows().await, 7, "four destinations, the pool, and one of each that is nobody's");
    let full = NOW + Duration::from_hours(1);
    for (now, left) in [(NOW, 5), (full, 0)] {
        bench.database.write(move |on| sweep(on, "people", now, 500)).await.expect("swept");
        assert_eq!(bench.rows().await, left);
    }
}

#[tokio::test]
async fn sms_go_to_the_countries_that_are_named() {
    let bench = bench("limits-prefixes", wide(), &["+49", "+1876"]);
    for (number, expected) in [
        ("+4930123456", Verdict::Send),
        ("+18765550100", Verdict::Send),
        ("+15550100", Verdict::Withhold(Withheld::Country)),
        ("+88213", Verdict::Withhold(Withheld::Country)),
    ] {
        assert_eq!(bench.ask(Kind::SignIn, sms(number), None, NOW).await, expected, "{number}");
    }
    assert_eq!(bench.ask(Kind::SignIn, email("ada@example.com"), None, NOW).await, Verdict::Send);
}

#[tokio::test]
async fn the_file_has_no_addresses() {
    let bench = bench("limits-hashed", wide(), &[]);
    bench.ask(Kind::Reset, email("ada@example.com"), None, NOW).await;
    let Bench { directory, database, .. } = bench;
    drop(database);
    let files = ["pool.db", "pool.db-wal"].map(|name| std::fs::read(directory.join(name)).unwrap_or_default()).concat();
    assert!(!files.windows(3).any(|window| window == b"ada"));
}

#[test]
fn a_clock_that_was_ahead_keeps_nobody_out() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let bench = bench("limits-clock", Ceilings { per_destination: 1, ..wide() }, &[]);
        let ahead = NOW + Duration::from_hours(24 * 365);
        assert_eq!(bench.ask(Kind::Reset, email("ada@example.com"), None, ahead).await, Verdict::Send);
        assert_eq!(bench.ask(Kind::Reset, email("ada@example.com"), None, NOW).await, Verdict::Send);
    });
}

#[test]
fn what_a_visitor_may_do_is_counted_by_name_and_by_network() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let limits = bench("limits-visitors", wide(), &[]).limits;
        let allowed =
            |operation, name: &str| (0..30).take_while(|_| limits.admit(operation, name, HOME, NOW).is_ok()).count();
        assert_eq!(allowed(Operation::Reset, "ada"), 5, "pool §6.2");
        assert_eq!(allowed(Operation::ConfirmSignUp, "ada"), 15, "pool §6.2");
        assert_eq!(allowed(Operation::Reset, "bob"), 5);
        let wait = limits.admit(Operation::Reset, "ada", HOME, NOW).expect_err("too many");
        assert_eq!(wait, Duration::from_mins(12));
        let of_network = (0..100).take_while(|n| limits.admit(Operation::Reset, &n.to_string(), HOME, NOW).is_ok());
        assert_eq!(of_network.count(), 60 - 25);
        let elsewhere = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));
        assert!(limits.admit(Operation::Reset, "carol", elsewhere, NOW).is_ok());
        // Whoever knows a name can type codes for it, so one network does not use up the tries of the user.
        for operation in [Operation::ConfirmSignUp, Operation::ConfirmReset, Operation::ConfirmSignIn] {
            let stranger = IpAddr::from([198, 51, 100, operation as u8]);
            let tries = (0..30).take_while(|_| limits.admit(operation, "grace", stranger, NOW).is_ok());
            assert_eq!(tries.count(), 15);
            assert!(limits.admit(operation, "grace", elsewhere, NOW).is_ok(), "{operation:?}");
        }
    });
}

#[test]
fn the_country_of_a_number() {
    for (number, expected) in [
        ("+4930123456", "49"),
        ("+15550100", "1555"),
        ("+18765550100", "1876"),
        ("+79161234567", "7"),
        ("+358401234567", "358"),
        ("+88213", "882"),
        ("+4", "4"),
        ("+", ""),
        ("+1", "1"),
        ("+ö", "ö"),
    ] {
        assert_eq!(country(number), expected, "{number}");
    }
}

#[tokio::test]
async fn what_strangers_have_sent_withholds_no_second_factor() {
    let ceilings = Ceilings { per_destination: 2, per_user: 2, ..wide() };
    let bench = bench("limits-second-factor", ceilings, &[]);
    let may = async |kind| {
        let limits = bench.limits.clone();
        bench.database.write(move |on| limits.may_send(on, kind, &email("ada@example.com"), Some("ada"), NOW)).await
    };
    for kind in [Kind::Reset, Kind::SignIn] {
        assert_eq!(may(kind).await.expect("read"), Verdict::Send);
    }
    assert_eq!(may(Kind::Reset).await.expect("read"), Verdict::Withhold(Withheld::Destination));
    for verdict in [Verdict::Send, Verdict::Send, Verdict::Withhold(Withheld::User)] {
        assert_eq!(may(Kind::SecondFactor).await.expect("read"), verdict);
    }
}

/// The time must not tell what has become of a message, nor that there is none.
#[tokio::test]
async fn u_01_the_same_number_of_rows_is_written_whatever_comes_of_it() {
    for (name, to) in [("limits-written-mail", email("ada@example.com")), ("limits-written-sms", sms("+4930123456"))] {
        let bench = bench(name, Ceilings { per_user: 1, ..wide() }, &["+49"]);
        let mut written = Vec::new();
        for (kind, to, is_somebody) in [
            (Kind::Reset, to.clone(), true),
            (Kind::Reset, to.clone(), true),
            (Kind::Reset, Recipient { address: to.address.replace("+49", "+1"), ..to.clone() }, true),
            (Kind::Reset, to, false),
        ] {
            let limits = bench.limits.clone();
            let work = move |on: &mut Transaction<'_>| {
                let total =
                    |on: &mut Transaction<'_>| on.query_one("SELECT total_changes()", &[])?.expect("a row").integer(0);
                let before = total(on)?;
                if is_somebody {
                    limits.may_send(on, kind, &to, Some("ada"), NOW)?;
                } else {
                    limits.pretend(on, kind, &to, NOW)?;
                }
                Ok(total(on)? - before)
            };
            written.push(bench.database.write(work).await.expect("written"));
        }
        assert!(written[0] > 0 && written.iter().all(|count| *count == written[0]), "{name}: {written:?}");
        // What is for nobody uses up nothing.
        assert_eq!(bench.ask(Kind::SignIn, email("bob@example.com"), Some("bob"), NOW).await, Verdict::Send);
    }
}

#[test]
fn a_share_of_a_browser_is_its_own_and_second_factors_have_networks_of_their_own() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let limits = bench("limits-browsers", wide(), &[]).limits;
        let known = |browser| Visitor { client: HOME, browser: Some(browser) };
        let asks = |visitor: Visitor<'_>, name: &str| {
            (0..30).take_while(|_| limits.admit(Operation::Reset, name, visitor, NOW).is_ok()).count()
        };
        assert_eq!(asks(HOME.into(), "ada"), 5);
        // Whomever it names: one browser does not ask for everybody.
        assert_eq!((asks(known("first"), "ada"), asks(known("first"), "bob"), asks(known("second"), "ada")), (5, 0, 5));
        while limits.admit(Operation::SignUp, &uuid(), HOME, NOW).is_ok() {}
        assert!(limits.admit(Operation::Reset, "grace", known("third"), NOW).is_err(), "the network");
        assert!(limits.admit(Operation::SecondFactor, "ada", HOME, NOW).is_ok());
    });
}

fn uuid() -> String {
    crate::crypto::uuid::random()
}

#[tokio::test]
async fn another_form_of_a_letter_is_no_other_mailbox() {
    let bench = bench("limits-forms", Ceilings { per_destination: 2, ..wide() }, &[]);
    for (address, expected) in [
        ("ada@example.com", Verdict::Send),
        ("Ada+1@ｅxample.com", Verdict::Send),
        ("ada@EXAMPLE.com", Verdict::Withhold(Withheld::Destination)),
        ("ada@exａmple.com", Verdict::Withhold(Withheld::Destination)),
    ] {
        assert_eq!(bench.ask(Kind::Reset, email(address), None, NOW).await, expected, "{address}");
    }
}

/// Whoever signs up names any address, and has as many names as there are spellings of a mailbox.
#[tokio::test]
async fn sign_ups_take_nothing_from_what_reset_and_sign_in_codes_need() {
    let bench = bench("limits-sign-ups", Ceilings { per_destination: 3, mails: 8, ..wide() }, &[]);
    let ada = |number: usize| email(&format!("ada+{number}@example.com"));
    for number in 0..3 {
        assert_eq!(bench.ask(Kind::Verification, ada(number), None, NOW).await, Verdict::Send);
    }
    for kind in [Kind::Verification, Kind::AddressTaken] {
        assert_eq!(bench.ask(kind, ada(9), None, NOW).await, Verdict::Withhold(Withheld::Destination));
    }
    for number in 0..5 {
        let elsewhere = email(&format!("user{number}@example.com"));
        assert_eq!(bench.ask(Kind::AddressTaken, elsewhere, None, NOW).await, Verdict::Send);
    }
    let elsewhere = email("grace@example.com");
    assert_eq!(bench.ask(Kind::Verification, elsewhere, None, NOW).await, Verdict::Withhold(Withheld::Pool));
    // Nobody has taken anything from her, and she has limits too.
    for kind in [Kind::Reset, Kind::SignIn, Kind::Reset] {
        assert_eq!(bench.ask(kind, email("ada@example.com"), None, NOW).await, Verdict::Send);
    }
    let more = bench.ask(Kind::SignIn, email("ada@example.com"), None, NOW).await;
    assert_eq!(more, Verdict::Withhold(Withheld::Destination));
    let to = |number: usize| email(&format!("other{number}@example.com"));
    assert_eq!(bench.ten(to, None).await, (5, Some(Withheld::Pool)));
}

#[tokio::test]
async fn sign_ups_take_nothing_from_the_sms_of_a_country() {
    let bench = bench("limits-sign-ups-sms", Ceilings { per_country: 2, ..wide() }, &[]);
    for expected in [Verdict::Send, Verdict::Send, Verdict::Withhold(Withheld::Country)] {
        assert_eq!(bench.ask(Kind::Verification, sms("+4930123456"), None, NOW).await, expected);
    }
    assert_eq!(bench.ask(Kind::Reset, sms("+4930123456"), None, NOW).await, Verdict::Send);
}

/// Otherwise whoever tries codes with two names learns that they are one user, and that there is one.
#[test]
fn u_01_what_is_told_of_tries_depends_on_the_typed_name_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let limits = bench("limits-names", wide(), &[]).limits;
        let tried = |name: &str, subject: &str| limits.admit_try(Operation::ConfirmReset, (name, subject), HOME, NOW);
        for _ in 0..15 {
            assert_eq!(tried("ada", "sub"), Ok(Try::Counts));
        }
        assert_eq!(tried("ada", "sub"), Err(Duration::from_mins(4)));
        for _ in 0..15 {
            assert!(matches!(tried("ada@example.com", "sub"), Ok(Try::InVain(_))));
        }
        assert_eq!(tried("ada@example.com", "sub"), Err(Duration::from_mins(4)));
        assert_eq!(tried("sub", "another"), Ok(Try::Counts), "a name is no `sub`");
        // The network is counted once for each try.
        let others = (0..100).take_while(|n| tried(&format!("user{n}"), &format!("sub{n}")).is_ok());
        assert_eq!(others.count(), 60 - 31);
        // A browser in which this user has signed in before has its own share.
        let own = Visitor { client: IpAddr::from([198, 51, 100, 1]), browser: Some("own") };
        assert_eq!(limits.admit_try(Operation::ConfirmReset, ("ada", "sub"), own, NOW), Ok(Try::Counts));
    });
}

#[test]
fn changes_of_an_account_are_counted_by_the_hour() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let limits = bench("limits-account", wide(), &[]).limits;
        for (operation, most) in [(Operation::ChangeFactors, 15), (Operation::EndSession, 15), (Operation::Export, 5)] {
            let allowed = (0..30).take_while(|_| limits.admit(operation, "ada", HOME, NOW).is_ok());
            assert_eq!(allowed.count(), most, "{operation:?}");
        }
    });
}
