//! What an administrator takes away from a user.

use super::mfa::{ASKED, claims, vault};
use super::passkeys::with_passkey;
use super::stored::Stored;
use super::*;
use crate::credential::recovery_code;
use crate::factors::change::Removal;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::management::Error;
use crate::management::factors::Taken;
use crate::messages::courier::console::Console;
use crate::messages::message::Kind;
use crate::messages::outgoing::Outgoing;
use crate::messages::settings::MailBy;
use crate::settings::Store;

/// Grace has an app, a passkey, recovery codes, and trusts a browser.
async fn pool() -> (Stored, String) {
    let stored = Stored::with(|settings| {
        let trusts_for = Some(Duration::from_secs(30 * 86_400));
        let factors = vec![Factor::Passkey, Factor::Totp];
        settings.mfa = Mfa { mode: Mode::Optional, factors, trusts_for, ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.messages.mail = Some(MailBy::Console(Console::default()));
    })
    .await;
    with_passkey(&stored).await;
    let seed = stored.with_totp(vec![recovery_code::hash("22222-33333-44444").expect("a code")]).await;
    let mut browser = stored.fixture.browser();
    browser.headers = vec![("user-agent", "Browser/7")];
    let page = browser.sign_in("grace", "first compiler").await;
    let page = {
        let (_, rest) = page.text().split_once(r#"name="request" value=""#).expect("a form");
        let request = rest.split_once('"').expect("its end").0.to_owned();
        browser.post(routes::STEP, &[("request", &request), ("instead", "totp")]).await
    };
    browser.headers = vec![("user-agent", "Browser/7")];
    let fields = [("request", page.hidden()), ("code", stored.code(&seed)), ("trust", "yes".to_owned())];
    let back = browser.post(routes::STEP, &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    assert!(!back.code().is_empty());
    stored.messages().await;
    let subject = stored.users.show("grace").await.expect("found").subject;
    (stored, subject)
}

async fn take(stored: &Stored, what: Taken) -> Result<(), Error> {
    let users = stored.users.clone().telling(Outgoing::new(&stored.fixture.settings, &PoolMemory::default()));
    users.take_factor("grace", what, START).await
}

#[tokio::test]
async fn one_factor_goes_and_the_user_is_told_and_trusted_browsers_end() {
    let (stored, subject) = pool().await;
    let owned = stored.users.factors("grace").await.expect("found");
    assert_eq!(owned.factors, [Factor::Passkey, Factor::Totp]);
    assert_eq!((owned.recovery_codes, owned.app_since), (1, Some(START)));
    assert_eq!((owned.passkeys[0].name.clone(), owned.passkeys[0].created_at), (None, START));
    let [browser] = &owned.trusted_browsers[..] else { panic!("one: {owned:?}") };
    assert_eq!((&*browser.agent, browser.created_at), ("Browser/7", START));
    let passkey = owned.passkeys[0].id.clone();
    take(&stored, Taken::Factor(Removal::Passkey(passkey.clone()))).await.expect("removed");
    let owned = stored.users.factors("grace").await.expect("found");
    assert_eq!((&owned.factors[..], owned.recovery_codes), (&[Factor::Totp][..], 1));
    assert!(owned.passkeys.is_empty() && owned.trusted_browsers.is_empty());
    let told: Vec<_> = stored.messages().await.into_iter().map(|message| (message.kind, message.body.to)).collect();
    assert_eq!(told, [(Kind::FactorRemoved, "grace@example.com".to_owned())]);
    let entries = stored.users.audited(Some(&subject), 1).await.expect("read");
    assert_eq!((&*entries[0].operation, entries[0].detail.as_deref()), ("factor.remove", Some("passkey")));
    let again = take(&stored, Taken::Factor(Removal::Passkey(passkey))).await;
    assert!(matches!(again, Err(Error::NoFactor)), "{again:?}");
    // The last one goes, too, and recovery codes with it: an administrator knows why.
    take(&stored, Taken::Factor(Removal::App)).await.expect("removed");
    assert_eq!(stored.users.factors("grace").await.expect("found"), Default::default());
    let (_, back) = stored.half_way().await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd"]));
}

#[tokio::test]
async fn a_trusted_browser_is_forgotten_and_asks_again() {
    let (stored, _) = pool().await;
    let id = stored.users.factors("grace").await.expect("found").trusted_browsers[0].id.clone();
    for (what, is_there) in [
        (Taken::Browser("another".into()), false),
        (Taken::Browser(id.clone()), true),
        (Taken::Browser(id), false),
        (Taken::Browsers, false),
    ] {
        let taken = take(&stored, what.clone()).await;
        assert_eq!(taken.is_ok(), is_there, "{what:?} {taken:?}");
    }
    assert!(stored.messages().await.is_empty(), "nobody is told of a browser");
    let asked = stored.half_way().await.1;
    assert!(asked.text().contains(&format!("<h1>{ASKED}</h1>")), "{}", asked.text());
}

#[tokio::test]
async fn what_another_user_has_is_not_taken_away() {
    let (stored, _) = pool().await;
    let owned = stored.users.factors("grace").await.expect("found");
    let passkey = Taken::Factor(Removal::Passkey(owned.passkeys[0].id.clone()));
    let browser = Taken::Browser(owned.trusted_browsers[0].id.clone());
    for what in [passkey, browser, Taken::Browsers, Taken::Factor(Removal::App)] {
        let refused = stored.users.take_factor("sub-of-Alice", what.clone(), START).await;
        assert!(matches!(refused, Err(Error::NoUser(_) | Error::NoFactor)), "{what:?} {refused:?}");
    }
    assert_eq!(stored.users.factors("grace").await.expect("found"), owned);
}

#[tokio::test]
async fn a_user_whose_factors_are_all_removed_is_told() {
    let (stored, _) = pool().await;
    let users = stored.users.clone().telling(Outgoing::new(&stored.fixture.settings, &PoolMemory::default()));
    users.reset_factors("grace", START).await.expect("removed");
    users.reset_factors("grace", START).await.expect("nothing is left");
    let told: Vec<_> = stored.messages().await.iter().map(|message| message.kind).collect();
    assert_eq!(told, [Kind::FactorRemoved]);
}
