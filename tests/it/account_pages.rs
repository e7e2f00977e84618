//! The account pages of a user pool, behind the proxy and with a mail server that nobody here wrote.

use crate::harness::app::{Proxy, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::process::Process;
use crate::harness::target;
use crate::sign_up::{code, follow, mail_server, send, with_sign_up};
use crate::user_pool::{sign_in_page, submit};

const PASSWORD: &str = "a compiler for everybody";
const PAGE: &str = "https://app.test/reports";

/// A browser in which somebody has signed up and has reached the application.
fn signed_up(proxy: &Proxy, mails: &Process, protocol: Protocol, address: &str) -> Browser {
    let mut browser = proxy.browser(protocol);
    let page = sign_in_page(&mut browser, PAGE);
    let page = follow(&mut browser, &page, "Create an account");
    let page = send(&mut browser, &page, &[("email", address), ("given_name", "Ada"), ("password", PASSWORD)]);
    let back = send(&mut browser, &page, &[("code", &code(&mails.next_json()))]);
    browser.get(back.location());
    assert_eq!(browser.get(PAGE).status, 200);
    browser
}

fn account(browser: &mut Browser, path: &str) -> Answer {
    browser.get(&format!("https://login.test/account{path}"))
}

#[test]
fn a_user_changes_address_and_password_and_ends_another_browser() {
    let target = target::echo();
    let (mails, port) = mail_server();
    let proxy = Proxy::start(&with_sign_up(&target, &port));
    on_both(|protocol| {
        let (before, after) = (format!("ada.{protocol:?}@example.com"), format!("ada.new.{protocol:?}@example.com"));
        let mut browser = signed_up(&proxy, &mails, protocol, &before);
        let mut phone = proxy.browser(protocol);
        let page = sign_in_page(&mut phone, PAGE);
        let back = submit(&mut phone, &page, &before, PASSWORD);
        phone.get(back.location());
        assert_eq!(phone.get(PAGE).status, 200);

        let page = account(&mut browser, "/email");
        let page = send(&mut browser, &page, &[("email", &*after)]);
        let mail = mails.next_json();
        assert_eq!(mail["to"][0], *after);
        let page = send(&mut browser, &page, &[("code", &code(&mail))]);
        assert!(page.text().contains("Your new address is confirmed."), "{}", page.text());
        assert_eq!(mails.next_json()["to"][0], *before, "the notice");

        let page = account(&mut browser, "/sessions");
        let page = send(&mut browser, &page, &[("others", "all")]);
        assert!(page.text().contains("All other sessions have ended."), "{}", page.text());
        wait_until("the rules refuse the other browser", || (phone.get(PAGE).status == 302).then_some(()));
        assert_eq!(browser.get(PAGE).status, 200);
        let page = sign_in_page(&mut phone, PAGE);
        let back = submit(&mut phone, &page, &after, PASSWORD);
        assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{}", back.text());

        let page = account(&mut browser, "/password");
        let page = send(&mut browser, &page, &[("current", PASSWORD), ("password", "another compiler for all")]);
        assert!(page.text().contains("Your password has changed."), "{}", page.text());
        assert_eq!(mails.next_json()["to"][0], *after, "the notice");
        assert!(account(&mut browser, "").text().contains("Your account"), "this browser goes on");

        let page = account(&mut browser, "/delete");
        let page = send(&mut browser, &page, &[("name", &*after)]);
        assert!(page.text().contains("Your account is deleted"), "{}", page.text());
        wait_until("the rules refuse who is deleted", || (browser.get(PAGE).status == 302).then_some(()));
    });
}
