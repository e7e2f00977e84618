//! Somebody reads the mail of a user, and has asked for a code. An administrator does something about it.

use super::*;
use crate::directory::status::Status;
use crate::passwords::Lasting;

const OLD: &str = "grace@example.com";
const NEW: &str = "hopper@example.com";
/// What somebody else wants the password to be.
const STOLEN: &str = "the password of eve";

fn chosen() -> directory::settings::Settings {
    directory::settings::Settings { aliases: vec![directory::settings::Alias::Email], ..Default::default() }
}

impl Open {
    /// Asks for a code that goes to `to`.
    async fn asked(&self, to: &str) -> String {
        let mut browser = self.fixture.browser();
        let page = browser.get(routes::FORGOT_PASSWORD).await;
        let fields = [("request", &*page.hidden()), ("username", "grace")];
        browser.send_form(routes::FORGOT_PASSWORD, &fields).await;
        self.code(to).await
    }

    /// Brings a code to another browser, with a password.
    async fn brought(&self, code: &str, password: &str) -> Answer {
        let mut browser = self.fixture.browser();
        let page = browser.get(routes::RESET_PASSWORD).await;
        let fields = [("request", &*page.hidden()), ("username", "grace"), ("code", code), ("password", password)];
        browser.send_form(routes::RESET_PASSWORD, &fields).await
    }

    /// Changes the address, and nothing else: not as an administrator.
    async fn has_address(&self, name: &str, address: &str, is_verified: bool) {
        let user = self.users.show(name).await.expect("found");
        let mut attributes = user.attributes.clone();
        attributes.set("email", address).expect("an address");
        if is_verified {
            attributes.verify("email");
        }
        let records = Records { pool: "demo".into() };
        let set = self.database.write(move |on| records.set_attributes(on, &user.subject, &attributes, START));
        set.await.expect("set");
    }

    async fn set(&self, name: &str, changes: &[(&str, &str)]) {
        let changes = changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.users.set_attributes(name, changes, START).await.expect("set");
    }
}

fn has_changed(answer: &Answer) -> bool {
    answer.text().contains("Your password has changed")
}

#[tokio::test]
async fn u_03_what_an_administrator_does_makes_codes_of_before_void() {
    let reactions = ["nothing", "address", "verdict", "password", "temporary password", "reset", "sign out", "disable"];
    let mut seen = Vec::new();
    for reaction in reactions {
        let open = Open::new(chosen()).await;
        open.add("grace", OLD).await;
        let code = open.asked(OLD).await;
        let passwords = open.fixture.pool.ui().service.as_ref().expect("a database").passwords.clone();
        let grace = open.users.show("grace").await.expect("found");
        match reaction {
            "nothing" => {}
            "address" => open.set("grace", &[("email", NEW), ("email_verified", "true")]).await,
            "verdict" => {
                open.set("grace", &[("email_verified", "false")]).await;
                open.set("grace", &[("email_verified", "true")]).await;
            }
            "password" => {
                let password = Secret::new("another compiler for all".to_owned());
                passwords.set(&grace, password, Lasting::Permanent, START).await.map(drop).expect("set");
            }
            "temporary password" => {
                passwords.set_temporary(&grace, START).await.map(drop).expect("set");
            }
            "reset" => open.users.reset("grace", START).await.expect("reset"),
            "sign out" => open.users.sign_out("grace", START).await.expect("signed out"),
            _ => {
                open.users.set_enabled("grace", false, START).await.expect("disabled");
                open.users.set_enabled("grace", true, START).await.expect("enabled");
            }
        }
        let other = other_than(&code);
        let wrong = shown(&open.brought(&other, STOLEN).await, &[&other]);
        let answer = open.brought(&code, STOLEN).await;
        let is_taken = has_changed(&answer);
        seen.push((reaction, is_taken, !is_taken && shown(&answer, &[&code]) == wrong));
    }
    assert_eq!(seen, reactions.map(|reaction| (reaction, reaction == "nothing", reaction != "nothing")));
}

#[tokio::test]
async fn u_03_the_new_address_gets_a_code_that_is_good() {
    let open = Open::new(chosen()).await;
    open.add("grace", OLD).await;
    let former = open.asked(OLD).await;
    open.set("grace", &[("email", NEW), ("email_verified", "true")]).await;
    let code = open.asked(NEW).await;
    assert!(former == code || !has_changed(&open.brought(&former, STOLEN).await));
    assert!(has_changed(&open.brought(&code, PASSWORD).await));
    open.fixture.browser().sign_in("grace", PASSWORD).await.code();
}

/// However the address has changed, and whoever has sent the code.
#[tokio::test]
async fn u_03_a_code_for_another_password_is_of_the_address_that_it_went_to() {
    for by_administrator in [false, true] {
        let open = Open::new(chosen()).await;
        open.add("grace", OLD).await;
        let code = if by_administrator {
            open.users.reset("grace", START).await.expect("reset");
            let grace = open.users.show("grace").await.expect("found");
            let service = open.fixture.pool.ui().service.as_ref().expect("a database");
            service.send_reset(&grace, START).await.expect("written");
            open.code(OLD).await
        } else {
            open.asked(OLD).await
        };
        let other = other_than(&code);
        for (address, is_verified) in [(NEW, true), (OLD, false)] {
            open.has_address("grace", address, is_verified).await;
            let wrong = shown(&open.brought(&other, STOLEN).await, &[&other]);
            let answer = open.brought(&code, STOLEN).await;
            assert!(!has_changed(&answer), "{address}");
            assert_eq!(shown(&answer, &[&code]), wrong, "{address}: as a wrong one");
        }
        open.has_address("grace", OLD, true).await;
        assert!(has_changed(&open.brought(&code, PASSWORD).await), "it was not used up");
    }
}

/// Nobody knows where it went. It is good for an hour.
#[tokio::test]
async fn u_03_a_code_of_an_earlier_version_sets_no_password() {
    let open = Open::new(chosen()).await;
    open.add("grace", OLD).await;
    let code = open.asked(OLD).await;
    open.database.write(|on| on.execute("UPDATE codes SET pending = NULL", &[])).await.expect("as before");
    assert!(!has_changed(&open.brought(&code, STOLEN).await));
    let code = open.asked(OLD).await;
    assert!(has_changed(&open.brought(&code, PASSWORD).await));
}

#[tokio::test]
async fn u_03_a_code_of_a_sign_up_verifies_only_the_address_that_it_went_to() {
    for by_administrator in [false, true] {
        let open = Open::new(chosen()).await;
        let mut browser = open.fixture.browser();
        let page = browser.get(routes::SIGN_UP).await;
        let typed = [("username", "ada"), ("email", "eve@example.com"), ("password", PASSWORD)];
        let page = browser.send_form(routes::SIGN_UP, &[&[("request", &*page.hidden())][..], &typed].concat()).await;
        let message = open.messages().await.pop().expect("a message");
        let code = message.body.secret.expect("a code").expose().clone();
        let link = message.body.link.expect("a link").expose().clone();
        if by_administrator {
            open.set("ada", &[("email", NEW)]).await;
        } else {
            open.has_address("ada", NEW, false).await;
        }
        // On the page of the sign-up, on the one that takes the name, and by the link.
        browser.send_form(routes::VERIFY, &[("request", &page.hidden()), ("code", &code)]).await;
        let mut other = open.fixture.browser();
        let form = other.get(routes::CONFIRM_USER).await;
        let fields = [("request", &*form.hidden()), ("username", "ada"), ("code", &*code)];
        let answer = other.send_form(routes::CONFIRM_USER, &fields).await;
        assert!(answer.text().contains("or it is no longer valid"), "{}", answer.text());
        let opened = other.get(link.strip_prefix(ISSUER).expect("at the issuer")).await;
        let answer = other.send_form(routes::CONFIRM_USER, &[("request", &opened.hidden())]).await;
        assert!(answer.text().contains("This link is no longer valid."), "{}", answer.text());
        let ada = async || open.users.show("ada").await.expect("found");
        let is = |user: &crate::management::Record| (user.status, user.attributes.is_verified("email"));
        assert_eq!(is(&ada().await), (Status::Unconfirmed, false), "{by_administrator}");
        // Another code goes to the address of now.
        let page = browser.send_form(routes::RESEND, &[("request", &page.hidden())]).await;
        let code = open.code(NEW).await;
        browser.send_form(routes::VERIFY, &[("request", &page.hidden()), ("code", &code)]).await;
        assert_eq!(is(&ada().await), (Status::Confirmed, true), "{by_administrator}");
    }
}
