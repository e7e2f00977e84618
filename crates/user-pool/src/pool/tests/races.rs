//! What is good once is good once, also for fifty at the same moment: on ten threads, each with five of them.
//!
//! Each row runs once; `tests/races` runs each of them a hundred times (`VESTIBULE_RACES`).

use std::future::Future;

use super::mfa::{factors, pool, vault};
use super::self_service::{Open, PASSWORD, by_address};
use super::stored::Stored;
use super::*;
use crate::credential::recovery_code;
use crate::credential::webauthn::tests::Device;
use crate::directory;
use crate::events::event::Visit;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::messages::message::Kind;
use crate::self_service::Bringer;
use crate::self_service::email_code::Proved;
use crate::self_service::settings::Address;
use crate::self_service::verify::Confirmed;
use crate::settings::Store;
use crate::signin::proof::Proofs;
use crate::signin::second::{Answer as Answered, SetUp};
use crate::signin::step::UnderWay;

const THREADS: u8 = 10;
const OF_A_THREAD: u8 = 5;

/// How often each row runs.
fn rounds() -> usize {
    let text = std::env::var_os("VESTIBULE_RACES").and_then(|text| text.into_string().ok());
    text.map_or(1, |text| text.parse().expect("VESTIBULE_RACES is a number"))
}

/// What fifty get who do the same at the same moment. Each has a number.
fn fifty<F: Future<Output: Send>>(one: impl Fn(u8) -> F + Sync) -> Vec<F::Output> {
    std::thread::scope(|scope| {
        let one = &one;
        let thread = |number: u8| {
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                let numbers = number * OF_A_THREAD..(number + 1) * OF_A_THREAD;
                runtime.block_on(futures_util::future::join_all(numbers.map(one)))
            })
        };
        let threads: Vec<_> = (0..THREADS).map(thread).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// How many of fifty are right.
fn winners<F: Future<Output = bool>>(one: impl Fn(u8) -> F + Sync) -> usize {
    fifty(one).into_iter().filter(|is_winner| *is_winner).count()
}

/// An address of each of the fifty, so that no limit takes part.
fn address(number: u8) -> IpAddr {
    IpAddr::from([198, 51, 100, number])
}

impl Browser<'_> {
    /// A browser elsewhere with the same cookies.
    fn copy(&self, number: u8) -> Browser<'_> {
        Browser { cookies: self.cookies.clone(), address: address(number), headers: vec![], ..*self }
    }
}

macro_rules! races {
    ($($name:ident: $round:ident,)*) => {$(
        #[tokio::test]
        async fn $name() {
            for round in 1..=rounds() {
                assert_eq!($round().await, 1, "round {round}");
            }
        }
    )*};
}

races! {
    one_of_fifty_uses_of_a_verification_code_confirms: verification_code,
    one_of_fifty_uses_of_an_authorization_code_gives_tokens: authorization_code,
    fifty_uses_of_a_refresh_token_give_one_next_token: refresh_token,
    one_of_fifty_uses_of_a_step_of_an_app_is_right: totp_step,
    one_of_fifty_uses_of_a_recovery_code_is_right: recovery_code,
    one_of_fifty_answers_of_a_passkey_signs_in: passkey_answer,
    one_of_fifty_uses_of_a_sign_in_code_is_right: sign_in_code,
    one_of_fifty_uses_of_a_sent_second_factor_is_right: sent_second_factor,
    one_of_fifty_uses_of_a_reset_code_sets_a_password: reset_code,
    one_of_fifty_pages_sets_up_an_app: set_up_page,
    of_two_factors_fifty_remove_one_where_one_must_stay: removal,
}

async fn verification_code() -> usize {
    let open = Open::new(by_address()).await;
    let mut browser = open.fixture.browser();
    let page = browser.get(routes::SIGN_UP).await;
    let fields = [("request", &*page.hidden()), ("email", "ada@example.com"), ("password", PASSWORD)];
    browser.send_form(routes::SIGN_UP, &fields).await;
    let code = Secret::new(open.code("ada@example.com").await);
    let subject = open.users.search(Default::default(), None, 1).await.expect("listed").users.remove(0).subject;
    let service = open.fixture.pool.ui().service.as_ref().expect("a store");
    let (visit, now) = (Visit::none(), START);
    winners(|_| {
        let confirmed = service.confirm(Bringer::known(subject.clone()), Address::Email, code.clone(), (&visit, now));
        async { confirmed.await.expect("written") == Confirmed::Yes }
    })
}

async fn authorization_code() -> usize {
    let stored = Stored::new().await;
    let code = stored.fixture.browser().sign_in("grace", "first compiler").await.code();
    winners(|_| async { stored.fixture.redeem(&code).await.status() == StatusCode::OK })
}

/// For ten seconds, each of them gets the same: an answer may have been lost (pool §8.4).
async fn refresh_token() -> usize {
    let stored = Stored::new().await;
    let tokens = stored.tokens().await;
    let token = tokens["refresh_token"].as_str().expect("a token");
    let next = fifty(|_| async {
        let answer = stored.fixture.refresh(token).await;
        // Some are too many requests for one user.
        (answer.status() == StatusCode::OK)
            .then(|| answer.json()["refresh_token"].as_str().expect("a token").to_owned())
    });
    let next: std::collections::BTreeSet<_> = next.into_iter().flatten().collect();
    assert!(!next.contains(token), "it is another one");
    assert_eq!(stored.count("families").await, 1);
    next.len()
}

async fn totp_step() -> usize {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let subject = &stored.users.show("grace").await.expect("found").subject;
    let step = seed.step_of(&stored.code(&seed), START).expect("a code of now");
    winners(|_| async {
        let subject = subject.clone();
        stored.database.write(move |on| factors().take_totp_step(on, &subject, step)).await.expect("written")
    })
}

async fn recovery_code() -> usize {
    let stored = pool(Mode::Optional).await;
    let hash = recovery_code::hash("22222-33333-44444").expect("a code");
    stored.with_totp(vec![hash]).await;
    let subject = &stored.users.show("grace").await.expect("found").subject;
    winners(|_| async {
        let subject = subject.clone();
        stored.database.write(move |on| factors().take_recovery_code(on, &subject, &hash)).await.expect("written")
    })
}

async fn passkey_answer() -> usize {
    let stored = super::passkeys::pool(Mode::Optional).await;
    let device: Device = super::passkeys::with_passkey(&stored).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    let (options, request) = super::passkeys::passkey_form(&page, "get");
    let answer = device.get(&options);
    winners(|number| {
        let mut same = browser.copy(number);
        let fields = [("request", &*request), ("credential", &*answer)];
        async move { same.post(routes::PASSKEY, &fields).await.status() == StatusCode::SEE_OTHER }
    })
}

async fn sign_in_code() -> usize {
    let stored = Stored::with(|settings| {
        settings.mfa = Mfa { email_code_is_first: true, ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await;
    let mut browser = stored.fixture.browser();
    super::email_code::ask(&mut browser, "grace").await;
    let code = Secret::new(stored.sent(Kind::SignIn, "grace@example.com").await);
    let subject = stored.users.show("grace").await.expect("found").subject;
    let service = stored.fixture.pool.ui().service.as_ref().expect("a store");
    let visit = Visit::none();
    winners(|_| {
        let proved = service.sign_in_with_code(Bringer::known(subject.clone()), code.clone(), (&visit, START));
        async { matches!(proved.await.expect("written"), Proved::Yes(_)) }
    })
}

async fn sent_second_factor() -> usize {
    let stored = super::sent_codes::pool(Mode::Optional, &[Factor::Email]).await;
    stored.half_way().await;
    let code = &stored.sent(Kind::SecondFactor, "grace@example.com").await;
    let (sign_in, under_way) = (&stored.fixture.pool.ui().sign_in, &grace_with_password(&stored).await);
    winners(|number| async move {
        let answer = sign_in.sent_code(under_way, Factor::Email, code, (address(number), None)).await;
        matches!(answer.expect("written"), Answered::Right)
    })
}

async fn reset_code() -> usize {
    let aliases = vec![directory::settings::Alias::Email];
    let open = Open::new(directory::settings::Settings { aliases, ..Default::default() }).await;
    open.add("grace", "grace@example.com").await;
    let mut browser = open.fixture.browser();
    let page = browser.get(routes::FORGOT_PASSWORD).await;
    let hidden = page.hidden();
    let page = browser.send_form(routes::FORGOT_PASSWORD, &[("request", &hidden), ("username", "grace")]).await;
    let (code, hidden) = (open.code("grace@example.com").await, page.hidden());
    winners(|number| {
        let (mut same, hidden, code) = (browser.copy(number), hidden.clone(), code.clone());
        async move {
            let password = format!("{PASSWORD} {number}");
            let fields = [("request", &*hidden), ("code", &*code), ("password", &*password)];
            same.post(routes::RESET_PASSWORD, &fields).await.text().contains("Your password has changed")
        }
    })
}

/// Each page has a secret of its own, and each has been let through to the write.
async fn set_up_page() -> usize {
    let stored = pool(Mode::Required).await;
    let (sign_in, under_way) = (&stored.fixture.pool.ui().sign_in, &grace_with_password(&stored).await);
    let stored = &stored;
    winners(|_| async move {
        let seed = crate::credential::totp::Seed::random();
        let set_up = sign_in.set_up_totp(under_way, &seed, &stored.code(&seed)).await;
        matches!(set_up.expect("written"), SetUp::Done(_))
    })
}

/// Half of them remove the app, and half the passkey.
async fn removal() -> usize {
    let stored = super::passkeys::pool(Mode::Required).await;
    let seed = stored.with_totp(vec![[7; 32]]).await;
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, &stored.code(&seed)).await.code();
    let page = browser.get(super::passkeys::ADD).await;
    browser.add(&page, &mut Device::new()).await;
    let hidden = browser.get("/account/factors").await.hidden();
    let passkey = stored.users.factors("grace").await.expect("found").passkeys[0].id.clone();
    winners(|number| {
        let (mut same, hidden, passkey) = (browser.copy(number), hidden.clone(), passkey.clone());
        async move {
            let (name, value) = if number % 2 == 0 { ("remove_app", "yes") } else { ("remove_passkey", &*passkey) };
            same.post("/account/factors", &[("request", &hidden), (name, value)]).await.status()
                == StatusCode::SEE_OTHER
        }
    })
}

/// Grace after her password.
async fn grace_with_password(stored: &Stored) -> UnderWay {
    let name = crate::UserName::parse("grace").expect("a name");
    let user = stored.fixture.pool.directory.user_named(&name).await.expect("read").expect("there");
    UnderWay::of(&user, Proofs::of_before())
}
