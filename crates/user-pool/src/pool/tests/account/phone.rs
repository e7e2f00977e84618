//! A phone number is removed.

use super::*;
use crate::messages::message::Kind;
use crate::messages::settings::{Sms, SmsBy};

const PHONE: &str = "/account/phone";
const REMOVE: &str = "/account/phone/remove";
const NUMBER: &str = "+4930123456";

async fn with_number(change: impl FnOnce(&mut Settings)) -> Stored {
    let stored = with(|settings| {
        settings.messages.sms = Some(Sms { by: SmsBy::Console(Console::default()), prefixes: vec![], roots: vec![] });
        change(settings);
    })
    .await;
    let number = vec![("phone_number".into(), NUMBER.into()), ("phone_number_verified".into(), "true".into())];
    stored.users.set_attributes("grace", number, START).await.expect("set");
    stored
}

async fn number(stored: &Stored) -> Option<String> {
    stored.users.show("grace").await.expect("found").attributes.get("phone_number").map(str::to_owned)
}

#[tokio::test]
async fn a_phone_number_is_removed_and_told_so() {
    let stored = with_number(|_| ()).await;
    let mut browser = stored.grace().await;
    let page = browser.get(PHONE).await;
    says(&page, "Remove the phone number");
    let done = browser.fill(REMOVE, &page, &[]).await;
    says(&done, "Your phone number is removed.");
    assert_eq!(number(&stored).await, None);
    assert!(!stored.users.show("grace").await.expect("found").attributes.is_verified("phone_number"));
    let told = stored.messages().await;
    let told: Vec<_> = told.iter().map(|message| (message.kind, &*message.body.to)).collect();
    assert_eq!(told, [(Kind::AddressChanged, NUMBER)]);
    assert!(stored.audited().await.contains(&"user user.address".to_owned()));
    assert!(!browser.get(PHONE).await.text().contains(REMOVE), "there is none any more");
}

#[tokio::test]
async fn a_phone_number_that_has_to_be_there_stays() {
    let stored = with_number(|settings| {
        let rules = Rules { required: vec!["phone_number".into()], ..Rules::clone(&settings.directory) };
        settings.directory = Arc::new(rules);
    })
    .await;
    let mut browser = stored.grace().await;
    let page = browser.get(PHONE).await;
    assert!(!page.text().contains(REMOVE), "{}", page.text());
    says(&browser.fill(REMOVE, &page, &[]).await, "Your account needs a phone number.");
    assert_eq!(number(&stored).await.as_deref(), Some(NUMBER));
}
