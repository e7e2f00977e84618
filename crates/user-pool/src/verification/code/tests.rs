use super::*;
use crate::MIGRATIONS;
use crate::crypto::aead::Key;
use crate::database::{Database, Others};
use crate::testing::{Directory, temporary_directory};

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const OF: CodeOf<'static> = CodeOf { subject: "ada", purpose: Purpose::SignUp, target: "email" };
const RESET: CodeOf<'static> = CodeOf { purpose: Purpose::Reset, ..OF };

struct Bench {
    database: Arc<Database>,
    codes: Codes,
    _directory: Directory,
}

fn vault(bytes: &[u8]) -> Vault {
    Vault::new(bytes.iter().map(|byte| Key::new(&Secret::new([*byte; 32]))).collect())
}

fn bench(name: &str) -> Bench {
    let directory = temporary_directory(name);
    let database = Database::open(&directory.join("pool.db"), MIGRATIONS, Others::Nobody, NOW).expect("a database");
    Bench { database: Arc::new(database), codes: Codes::new("people".into(), vault(&[7])), _directory: directory }
}

fn another(code: &OneTimeCode) -> String {
    let first = if code.digits.expose().starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code.digits.expose()[1..])
}

impl Bench {
    async fn issue(&self, of: CodeOf<'static>, pending: Option<&'static str>) -> OneTimeCode {
        let code = OneTimeCode::random(of.purpose.lifetime(), NOW);
        let (codes, issued) = (self.codes.clone(), code.clone());
        self.database.write(move |on| codes.issue(on, &of, &issued, pending)).await.expect("issued");
        code
    }

    async fn issue_unsent(&self, of: CodeOf<'static>, now: Timestamp) -> OneTimeCode {
        let code = OneTimeCode::random(of.purpose.lifetime(), now);
        let (codes, issued) = (self.codes.clone(), code.clone());
        self.database.write(move |on| codes.issue_unsent(on, &of, (&issued, None), now)).await.expect("issued");
        code
    }

    async fn take_with(&self, codes: &Codes, of: CodeOf<'static>, typed: &str, now: Timestamp) -> Taken {
        let (codes, typed) = (codes.clone(), typed.to_owned());
        self.database.write(move |on| codes.take(on, &of, &typed, now)).await.expect("compared")
    }

    async fn take(&self, of: CodeOf<'static>, typed: &str) -> Taken {
        self.take_with(&self.codes, of, typed, NOW).await
    }

    async fn is_valid(&self, code: &OneTimeCode, now: Timestamp) -> bool {
        let (codes, id) = (self.codes.clone(), code.id.clone());
        self.database.read(move |on| codes.is_valid(on, &id, now)).await.expect("read")
    }
}

const RIGHT: Taken = Taken::Right { pending: None };

#[tokio::test]
async fn a_code_is_taken_once() {
    let bench = bench("codes-once");
    let code = bench.issue(OF, Some("new@example.com")).await;
    assert_eq!(code.digits.expose().len(), 6, "pool §6.1");
    assert!(bench.is_valid(&code, NOW).await);
    let spaced = format!(" {} {}\t", &code.digits.expose()[..3], &code.digits.expose()[3..]);
    assert_eq!(bench.take(OF, &spaced).await, Taken::Right { pending: Some("new@example.com".into()) });
    assert_eq!(bench.take(OF, code.digits.expose()).await, Taken::Expired);
    assert!(!bench.is_valid(&code, NOW).await);
}

#[tokio::test]
async fn of_fifty_who_bring_it_at_once_one_gets_it() {
    let bench = bench("codes-fifty");
    for _ in 0..100 {
        let code = bench.issue(OF, None).await;
        let tries = futures_util::future::join_all((0..50).map(|_| bench.take(OF, code.digits.expose()))).await;
        assert_eq!(tries.iter().filter(|taken| **taken == RIGHT).count(), 1);
        assert_eq!(tries.iter().filter(|taken| **taken == Taken::Expired).count(), 49);
    }
}

#[tokio::test]
async fn the_fifth_wrong_try_makes_it_void() {
    let bench = bench("codes-wrong");
    let code = bench.issue(OF, None).await;
    for _ in 0..4 {
        assert_eq!(bench.take(OF, &another(&code)).await, Taken::Wrong);
    }
    assert!(bench.is_valid(&code, NOW).await);
    assert_eq!(bench.take(OF, "").await, Taken::TooMany);
    assert_eq!(bench.take(OF, code.digits.expose()).await, Taken::TooMany);
    assert!(!bench.is_valid(&code, NOW).await);
    let new = bench.issue(OF, None).await;
    assert_eq!(bench.take(OF, new.digits.expose()).await, RIGHT);
}

#[tokio::test]
async fn guesses_at_the_same_time_are_counted_one_by_one() {
    let bench = bench("codes-guesses");
    let code = bench.issue(OF, None).await;
    let guess = another(&code);
    let tries = futures_util::future::join_all((0..50).map(|_| bench.take(OF, &guess))).await;
    assert_eq!(tries.iter().filter(|taken| **taken == Taken::Wrong).count(), 4);
    assert_eq!(bench.take(OF, code.digits.expose()).await, Taken::TooMany);
}

#[tokio::test]
async fn one_that_is_not_sent_leaves_the_former_as_it_is() {
    let bench = bench("codes-unsent");
    let after = |minutes| NOW + Duration::from_mins(minutes);
    let take = async |typed: &str, at| bench.take_with(&bench.codes, RESET, typed, at).await;
    let former = bench.issue(RESET, Some("former@example.com")).await;
    assert_eq!(take(&another(&former), NOW).await, Taken::Wrong);
    let unsent = bench.issue_unsent(RESET, after(30)).await;
    assert!(bench.is_valid(&former, after(59)).await && !bench.is_valid(&unsent, after(30)).await);
    // Four more wrong ones, as after a new one. The former had four left, so the fifth makes it void.
    for _ in 0..3 {
        assert_eq!(take(&another(&former), after(31)).await, Taken::Wrong);
    }
    let right = Taken::Right { pending: Some("former@example.com".into()) };
    assert_eq!(take(former.digits.expose(), after(59)).await, right);
    assert_eq!(take(former.digits.expose(), after(59)).await, Taken::Expired);
}

#[tokio::test]
async fn a_code_does_not_live_longer_by_those_that_are_not_sent() {
    let bench = bench("codes-unsent-end");
    let after = |minutes| NOW + Duration::from_mins(minutes);
    let former = bench.issue(RESET, None).await;
    bench.issue_unsent(RESET, after(30)).await;
    bench.issue_unsent(RESET, after(50)).await;
    assert!(!bench.is_valid(&former, after(60)).await);
    // What is said is the same as of a code that was sent.
    let take = async |at| bench.take_with(&bench.codes, RESET, former.digits.expose(), at).await;
    assert_eq!(take(after(60)).await, Taken::Wrong);
    assert_eq!(take(after(110)).await, Taken::Expired);
}

#[tokio::test]
async fn a_code_has_five_tries_however_often_others_are_asked_for() {
    let bench = bench("codes-unsent-tries");
    let former = bench.issue(RESET, None).await;
    for wrong in 0..5 {
        assert_eq!(bench.take(RESET, &another(&former)).await, Taken::Wrong, "{wrong}");
        bench.issue_unsent(RESET, NOW).await;
    }
    assert!(!bench.is_valid(&former, NOW).await);
    assert_eq!(bench.take(RESET, former.digits.expose()).await, Taken::Wrong);
}

#[tokio::test]
async fn one_that_went_to_another_address_is_a_wrong_one() {
    const ADA: &str = "ada@example.com";
    let bench = bench("codes-address");
    let take = async |address: Option<&'static str>, typed: &str, is_look: bool| {
        let (codes, typed) = (bench.codes.clone(), typed.to_owned());
        let work = bench.database.write(move |on| {
            let brought = (&*typed, address);
            if is_look {
                codes.look_sent_to(on, &RESET, brought, NOW)
            } else {
                codes.take_sent_to(on, &RESET, brought, NOW)
            }
        });
        work.await.expect("compared")
    };
    let code = bench.issue(RESET, Some(ADA)).await;
    // Each of them counts.
    for (address, is_look) in [(Some("new@example.com"), true), (None, true), (Some("Ada@example.com"), false)] {
        assert_eq!(take(address, code.digits.expose(), is_look).await, Taken::Wrong, "{address:?}");
    }
    assert_eq!(take(Some(ADA), &another(&code), false).await, Taken::Wrong);
    assert_eq!(take(Some(ADA), code.digits.expose(), true).await, RIGHT, "it stays");
    assert_eq!(take(Some(ADA), code.digits.expose(), false).await, Taken::Right { pending: Some(ADA.into()) });
    assert_eq!(take(Some(ADA), code.digits.expose(), false).await, Taken::Expired);
    let code = bench.issue(RESET, Some(ADA)).await;
    for _ in 0..4 {
        assert_eq!(take(None, code.digits.expose(), false).await, Taken::Wrong);
    }
    assert_eq!(take(None, code.digits.expose(), false).await, Taken::TooMany);
    assert_eq!(take(Some(ADA), code.digits.expose(), false).await, Taken::TooMany);
    // Of a version that has not written where it went.
    let code = bench.issue(RESET, None).await;
    for address in [Some(ADA), None] {
        assert_eq!(take(address, code.digits.expose(), true).await, Taken::Wrong);
        assert_eq!(take(address, code.digits.expose(), false).await, Taken::Wrong);
    }
}

#[tokio::test]
async fn a_new_one_voids_the_former() {
    let bench = bench("codes-former");
    let former = bench.issue(OF, Some("former@example.com")).await;
    let new = bench.issue(OF, Some("new@example.com")).await;
    assert!(!bench.is_valid(&former, NOW).await);
    if former.digits != new.digits {
        assert_eq!(bench.take(OF, former.digits.expose()).await, Taken::Wrong);
    }
    assert_eq!(bench.take(OF, new.digits.expose()).await, Taken::Right { pending: Some("new@example.com".into()) });
}

#[tokio::test]
async fn it_is_valid_for_its_lifetime() {
    let bench = bench("codes-lifetime");
    let code = bench.issue(OF, None).await;
    let end = NOW + Duration::from_hours(24);
    let just_before = end - Duration::from_millis(1);
    assert!(bench.is_valid(&code, just_before).await && !bench.is_valid(&code, end).await);
    assert_eq!(bench.take_with(&bench.codes, OF, code.digits.expose(), end).await, Taken::Expired);
    assert_eq!(bench.take_with(&bench.codes, OF, code.digits.expose(), just_before).await, RIGHT);
}

#[tokio::test]
async fn it_is_of_use_for_its_subject_purpose_target_and_pool_only() {
    let bench = bench("codes-own");
    let code = bench.issue(OF, None).await;
    let others = [
        CodeOf { subject: "bob", ..OF },
        CodeOf { purpose: Purpose::Reset, ..OF },
        CodeOf { target: "phone_number", ..OF },
    ];
    for other in others {
        assert_eq!(bench.take(other, code.digits.expose()).await, Taken::Expired, "{other:?}");
    }
    let elsewhere = Codes::new("others".into(), vault(&[7]));
    assert_eq!(bench.take_with(&elsewhere, OF, code.digits.expose(), NOW).await, Taken::Expired);
    assert_eq!(bench.take(OF, code.digits.expose()).await, RIGHT);
}

#[tokio::test]
async fn a_row_that_was_copied_to_another_user_does_not_count_there() {
    let bench = bench("codes-copied");
    let code = bench.issue(OF, None).await;
    let copy =
        "INSERT INTO codes SELECT pool, 'bob', purpose, target, 'other', mac, 0, NULL, expires_at, NULL, 0 FROM codes";
    bench.database.write(|on| on.execute(copy, &[])).await.expect("copied");
    let bob = CodeOf { subject: "bob", ..OF };
    assert_eq!(bench.take(bob, code.digits.expose()).await, Taken::Wrong);
}

#[tokio::test]
async fn it_is_right_with_any_key_of_the_store() {
    let bench = bench("codes-keys");
    let code = bench.issue(OF, None).await;
    let without = Codes::new("people".into(), vault(&[8]));
    assert_eq!(bench.take_with(&without, OF, code.digits.expose(), NOW).await, Taken::Wrong);
    let rotated = Codes::new("people".into(), vault(&[8, 7]));
    assert_eq!(bench.take_with(&rotated, OF, code.digits.expose(), NOW).await, RIGHT);
}

#[tokio::test]
async fn all_codes_of_a_user_become_void_together() {
    let bench = bench("codes-all");
    let reset = CodeOf { purpose: Purpose::Reset, ..OF };
    let bob = CodeOf { subject: "bob", ..OF };
    let (first, second, third) =
        (bench.issue(OF, None).await, bench.issue(reset, None).await, bench.issue(bob, None).await);
    bench.database.write(|on| forget(on, "people", "ada")).await.expect("void");
    for code in [&first, &second] {
        assert!(!bench.is_valid(code, NOW).await);
    }
    assert_eq!(bench.take(bob, third.digits.expose()).await, RIGHT);
}

#[test]
fn the_digits_of_a_code_are_not_printed() {
    let code = OneTimeCode::random(Duration::from_secs(1), NOW);
    assert!(!format!("{code:?}").contains(code.digits.expose().as_str()));
}

#[test]
fn every_digit_comes_in_every_place() {
    let mut seen = [[false; 10]; 6];
    for _ in 0..2_000 {
        for (place, digit) in digits().bytes().enumerate() {
            seen[place][usize::from(digit - b'0')] = true;
        }
    }
    assert!(seen.iter().flatten().all(|seen| *seen));
}

/// Each request for one would be five more guesses at digits that nobody was sent.
#[tokio::test]
async fn u_03_a_code_that_nobody_has_is_guessed_by_nobody() {
    let bench = bench("codes-nobody");
    let unsent = bench.issue_unsent(RESET, NOW).await;
    assert_eq!(bench.take(RESET, unsent.digits.expose()).await, Taken::Wrong);
    let code = OneTimeCode::random(Purpose::Reset.lifetime(), NOW);
    let (codes, issued) = (bench.codes.clone(), code.that_nobody_has());
    bench.database.write(move |on| codes.issue(on, &RESET, &issued, None)).await.expect("issued");
    assert_eq!(bench.take(RESET, code.digits.expose()).await, Taken::Wrong);
    // Of a user who has asked for none, when somebody brings one.
    let (codes, code) = (bench.codes.clone(), OneTimeCode::random(Purpose::SignUp.lifetime(), NOW));
    let none = code.clone();
    bench.database.write(move |on| codes.issue_if_none(on, &OF, &none, NOW)).await.expect("issued");
    assert_eq!(bench.take(OF, code.digits.expose()).await, Taken::Wrong);
    assert_eq!((code.expires_at(), code.id()), (code.that_nobody_has().expires_at(), code.that_nobody_has().id()));
}
