//! Users in the database of a pool: the commands that administer them, beside the process that serves.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::app::{Proxy, START};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::process::{Finished, Process, vestibule};
use crate::harness::server::Server;
use crate::harness::target;
use crate::user_pool::{configuration, sign_in_page, submit};

pub const PASSWORD: &str = "first compiler";

pub fn with_store(target: &Server) -> String {
    let store = "    store: { sqlite: people.db, key_files: [store-key] }\n    users:";
    configuration(target).replacen("    users:", store, 1)
}

/// A proxy whose pool has a database. Its configuration is also in a file, for the commands.
fn start(target: &Server) -> Proxy {
    let proxy = Proxy::start(&with_store(target));
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy
}

/// Runs `vestibule users` with a password on its standard input.
#[track_caller]
pub fn users(folder: &Path, arguments: &[&str]) -> Finished {
    let config = folder.join("vestibule.yaml");
    let (command, rest) = arguments.split_first().expect("a command");
    let mut all = vec!["users", command, "--config", config.to_str().expect("UTF-8")];
    all.extend(rest);
    let mut process = Process::start(vestibule(&all));
    process.say_all(PASSWORD);
    process.finish()
}

/// The same, which succeeds and prints JSON.
#[track_caller]
fn users_json(folder: &Path, arguments: &[&str]) -> Value {
    let done = users(folder, &[arguments, &["--json"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.errors);
    serde_json::from_str(&done.output).expect("JSON")
}

#[track_caller]
pub fn done(finished: Finished) {
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
}

/// Signs in at the pool, and opens a page of the application.
#[track_caller]
pub fn sign_in(browser: &mut Browser, username: &str) -> Answer {
    let page = sign_in_page(browser, "https://app.test/reports");
    let back = submit(browser, &page, username, PASSWORD);
    assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{} {}", back.status, back.location());
    browser.get(back.location());
    browser.get("https://app.test/reports")
}

#[test]
fn a_user_who_is_added_while_the_process_serves_signs_in() {
    let target = target::echo();
    let proxy = start(&target);
    let folder = proxy.folder();
    done(users(folder, &["add-group", "ops", "--description", "Operators"]));
    let set = ["--set", "email=grace@example.com", "--set", "email_verified=true", "--group", "ops"];
    let added = users_json(folder, &[&["add", "Grace"], &set[..]].concat());
    assert_eq!((&added["username"], &added["status"]), (&json!("Grace"), &json!("CONFIRMED")));
    assert!(!added.to_string().contains("argon2"), "no hash is printed: {added}");
    on_both(|protocol| {
        let there = sign_in(&mut proxy.browser(protocol), "grace");
        assert_eq!(there.status, 200, "{}", there.text());
        assert_eq!(target.last().header("x-amzn-oidc-identity"), added["sub"].as_str());
    });
    // The user of the configuration is there as before.
    let mut browser = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, "https://app.test/reports");
    let back = submit(&mut browser, &page, "alice", crate::user_pool::PASSWORD);
    assert!(back.location().starts_with("https://app.test/oauth2/idpresponse?"), "{}", back.text());
}

#[test]
fn a_user_who_is_disabled_loses_the_session_at_the_pool_and_the_next_refresh() {
    let target = target::echo();
    let proxy = start(&target);
    done(users(proxy.folder(), &["add", "grace"]));
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(sign_in(&mut browser, "grace").status, 200);
    done(users(proxy.folder(), &["disable", "grace"]));
    let mut other = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut other, "https://app.test/");
    let told = submit(&mut other, &page, "grace", PASSWORD);
    let told = other.get(&format!("https://login.test{}", told.location()));
    assert!(told.text().contains("This account is disabled."), "{}", told.text());
    proxy.clock.advance(std::time::Duration::from_secs(3700));
    let again = browser.get("https://app.test/reports");
    assert_eq!(again.status, 302, "the session has ended, and a refresh would be refused");
    let page = browser.get(again.location());
    assert!(page.text().contains("name=\"password\""), "and so is the session at the pool: {}", page.text());
    done(users(proxy.folder(), &["enable", "grace"]));
    // What has ended stays so.
    assert_eq!(sign_in(&mut browser, "grace").status, 200);
}

#[test]
fn the_commands_show_and_change_users_and_groups() {
    let target = target::echo();
    let mut proxy = start(&target);
    // Nobody serves: the commands work on the file alone.
    proxy.shutdown();
    let folder = proxy.folder();
    done(users(folder, &["add-group", "ops", "--precedence", "1"]));
    done(users(folder, &["add-group", "all"]));
    done(users(folder, &["add", "ada", "--no-password", "--set", "name=Ada L.", "--group", "all"]));
    done(users(folder, &["join", "ADA", "ops"]));
    done(users(folder, &["set", "ada", "email=ada@example.com", "name="]));
    done(users(folder, &["set-password", "ada"]));
    let ada = users_json(folder, &["show", "ada"]);
    assert_eq!(ada["groups"], json!(["ops", "all"]));
    assert_eq!(ada["attributes"], json!({"email": "ada@example.com"}));
    assert_eq!(ada["password"], json!(true));
    done(users(folder, &["leave", "ada", "all"]));
    let listed = users(folder, &["list"]);
    let line = listed.output.lines().nth(1).expect("a user");
    assert_eq!(line.split_whitespace().collect::<Vec<_>>(), ["ada", "CONFIRMED", "yes", "ada@example.com", "ops"]);
    assert_eq!(users_json(folder, &["list"]).as_array().map(Vec::len), Some(1));
    let groups = users_json(folder, &["groups"]);
    assert_eq!(groups[1], json!({"name": "ops", "description": null, "precedence": 1}));
    done(users(folder, &["delete-group", "all"]));
    done(users(folder, &["delete", "ada"]));
    let gone = users(folder, &["show", "ada"]);
    assert_eq!(gone.code, Some(1));
    assert!(gone.errors.contains("there is no user `ada`"), "{}", gone.errors);
    for (arguments, why) in [
        (&["add", "bob", "--no-password", "--group", "none"][..], "there is no group `none`: add it first"),
        (&["add", "bob", "--no-password", "--set", "email=bob"], "`email` is not an e-mail address"),
        (&["add", "bob", "--no-password", "--set", "colour=red"], "there is no attribute `colour`"),
        (&["add", "bob", "--pool", "other", "--no-password"], "no pool `other` with a `store`"),
    ] {
        let refused = users(folder, arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}");
        assert!(refused.errors.contains(why), "{arguments:?}: {}", refused.errors);
    }
}

#[test]
fn a_password_that_the_policy_refuses_is_not_set() {
    let target = target::echo();
    let proxy = start(&target);
    let folder = proxy.folder();
    let sentence = "Choose a password without your user name, your e-mail address and your name.";
    let refused = users(folder, &["add", "compiler"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains(sentence), "{}", refused.errors);
    done(users(folder, &["add", "grace"]));
    done(users(folder, &["set", "grace", "nickname=First"]));
    let refused = users(folder, &["set-password", "grace"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains(sentence), "{}", refused.errors);
    assert_eq!(sign_in(&mut proxy.browser(Protocol::Http1), "grace").status, 200);
}

#[test]
fn a_copy_of_the_database_restores_the_users() {
    let target = target::echo();
    let mut proxy = start(&target);
    let folder = proxy.folder().to_owned();
    done(users(&folder, &["add", "grace"]));
    let copy = folder.join("copy.db");
    done(users(&folder, &["backup", "--out", copy.to_str().expect("UTF-8")]));
    done(users(&folder, &["delete", "grace"]));
    proxy.shutdown();
    for ending in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder.join(format!("people.db{ending}")));
    }
    std::fs::rename(copy, folder.join("people.db")).expect("in its place");
    let restored = Proxy::start_in(folder, &with_store(&target), START);
    assert_eq!(sign_in(&mut restored.browser(Protocol::Http1), "grace").status, 200);
}

#[test]
fn a_second_process_on_the_database_and_a_wrong_key_are_refused_with_what_to_do() {
    let target = target::echo();
    let mut proxy = start(&target);
    let config = proxy.folder().join("vestibule.yaml");
    let serve = || Process::start(vestibule(&["serve", "--config", config.to_str().expect("UTF-8")])).finish();
    let second = serve();
    assert_eq!(second.code, Some(1));
    assert!(second.errors.contains("another process of Vestibule uses the database"), "{}", second.errors);
    proxy.shutdown();
    std::fs::remove_file(proxy.folder().join("store-key")).expect("removed");
    done(vestibule_keys(&proxy.folder().join("store-key")));
    let locked = serve();
    assert_eq!(locked.code, Some(1));
    assert!(locked.errors.contains("no key of `store.key_files` decrypts the database"), "{}", locked.errors);
}

#[track_caller]
fn vestibule_keys(out: &Path) -> Finished {
    Process::start(vestibule(&["keys", "store", "--out", out.to_str().expect("UTF-8")])).finish()
}

#[test]
fn check_and_explain_leave_the_database_alone() {
    let target = target::echo();
    // Makes the other keys.
    let proxy = Proxy::start(&configuration(&target));
    let folder = proxy.folder();
    done(vestibule_keys(&folder.join("store-key")));
    let config = folder.join("vestibule.yaml");
    std::fs::write(&config, with_store(&target)).expect("written");
    let config = config.to_str().expect("UTF-8");
    for arguments in
        [&["check", "--config", config][..], &["check", "--config", config, "--request", "https://app.test/"]]
    {
        let checked = Process::start(vestibule(arguments)).finish();
        assert_eq!(checked.code, Some(0), "{arguments:?} {}{}", checked.output, checked.errors);
    }
    assert!(!folder.join("people.db").exists(), "nothing is made");
}

/// A session of a rule refreshes its tokens at the pool, which holds them to what a sign-in asks for today.
#[test]
fn a_rule_that_requires_a_second_factor_from_now_on_sends_the_users_of_before_to_sign_in() {
    let target = target::echo();
    for scope in ["openid profile email groups", "openid profile email groups offline_access"] {
        let yaml = with_store(&target).replace("scope: openid profile email groups", &format!("scope: {scope}"));
        let proxy = Proxy::start(&yaml);
        std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
        done(users(proxy.folder(), &["add", "grace"]));
        on_both(|protocol| {
            let mut browser = proxy.browser(protocol);
            assert_eq!(sign_in(&mut browser, "grace").status, 200);
            let later = || proxy.clock.advance(std::time::Duration::from_secs(3700));
            let mode = |mode: &str| yaml.replacen("    users:", &format!("    mfa: {{ mode: {mode} }}\n    users:"), 1);
            proxy.reload(&mode("optional")).expect("reloaded");
            later();
            assert_eq!(browser.get("https://app.test/reports").status, 200, "{scope}: she has none, and needs none");
            proxy.reload(&mode("required")).expect("reloaded");
            later();
            let away = browser.get("https://app.test/reports");
            assert_eq!(away.status, 302, "{scope}: {}", away.text());
            let page = browser.get(away.location());
            assert!(page.text().contains("name=\"password\""), "{scope}: {}", page.text());
            proxy.reload(&yaml).expect("reloaded");
        });
    }
}

#[test]
fn commands_say_whose_alias_they_were_given_and_take_nobody_else() {
    let target = target::echo();
    let sign_in = "    sign_in: { aliases: [preferred_username] }\n    store:";
    let mut proxy = Proxy::start(&with_store(&target).replacen("    store:", sign_in, 1));
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy.shutdown();
    let folder = proxy.folder();
    done(users(folder, &["add", "bob", "--no-password", "--set", "preferred_username=bobby"]));
    let shown = users(folder, &["show", "Bobby"]);
    assert!(shown.errors.contains("`Bobby` is an alias of the user `bob` ("), "{}", shown.errors);
    assert_eq!(shown.code, Some(0));
    let shown = users(folder, &["show", "BOB"]);
    assert!(!shown.errors.contains("alias"), "{}", shown.errors);
    for (arguments, why) in [
        (&["sign-out", "alice"][..], "`alice` is a user of the configuration file"),
        (&["delete", "ALICE"], "`ALICE` is a user of the configuration file"),
        (&["add", "bobby", "--no-password"], "another user signs in by `bobby`"),
        (&["set", "bob", "preferred_username=Alice"], "another user signs in by this `preferred_username`"),
    ] {
        let refused = users(folder, arguments);
        assert_eq!(refused.code, Some(1), "{arguments:?}");
        assert!(refused.errors.contains(why), "{arguments:?}: {}", refused.errors);
    }
    done(users(folder, &["factors", "alice"]));
    done(users(folder, &["reset-factors", "alice"]));
    // One thing at a time is taken away, and only what is there.
    for arguments in
        [&["--remove-app"][..], &["--remove-passkey", "x"], &["--forget-browser", "x"], &["--forget-browsers"]]
    {
        let refused = users(folder, &[&["factors", "bob"], arguments].concat());
        assert_eq!(refused.code, Some(1), "{arguments:?}");
        assert!(refused.errors.contains("has no such factor or trusted browser"), "{}", refused.errors);
    }
    let both = users(folder, &["factors", "bob", "--remove-app", "--forget-browsers"]);
    assert_eq!(both.code, Some(2), "{}", both.errors);
    let json = users(folder, &["factors", "bob", "--json"]);
    assert!(
        json.output.contains(r#""passkeys": []"#) && json.output.contains(r#""app_since": null"#),
        "{}",
        json.output
    );
    // What is changed may be what was typed.
    done(users(folder, &["set", "bobby", "preferred_username="]));
    assert_eq!(users(folder, &["show", "bobby"]).code, Some(1));
}
