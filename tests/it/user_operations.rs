//! The operator's day with the users of a database: imports, exports, erasing, new keys, logs. All of it while the process serves.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::app::Proxy;
use crate::harness::browser::Protocol;
use crate::harness::process::{Finished, Process, vestibule};
use crate::harness::server::Server;
use crate::harness::target;
use crate::stored_users::{PASSWORD, done, sign_in, users, with_store};
use crate::user_pool::{sign_in_page, submit};

fn start(target: &Server) -> Proxy {
    let proxy = Proxy::start(&with_store(target));
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy
}

/// Writes a file, and returns its path.
fn file(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

fn lines(finished: &Finished) -> Vec<Value> {
    finished.output.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn json_of(finished: &Finished) -> Value {
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
    serde_json::from_str(&finished.output).expect("JSON")
}

/// What `users hash` makes of the password.
fn hash() -> String {
    let mut process = Process::start(vestibule(&["users", "hash"]));
    process.say_all(PASSWORD);
    process.finish().output.trim().to_owned()
}

#[test]
fn users_of_a_file_sign_in_at_once_and_a_bad_line_is_told() {
    let target = target::echo();
    let proxy = start(&target);
    let folder = proxy.folder();
    let header = "cognito:username,email,email_verified,password_hash,cognito:mfa_enabled";
    let hash = hash().replace(',', "\\,");
    let text = format!(
        "{header}\ngrace,grace@example.com,true,{hash},false\nbob,bob,true,,false\neve,eve@example.com,false,,false\ndan,dan@example.com,TRUE,,FALSE\n"
    );
    let path = file(folder, "people.csv", &text);
    let faults = [
        json!({"line": 3, "error": "`email` is not an e-mail address"}),
        json!({"line": 4, "error": "neither `email` nor `phone_number` is verified: the user could not choose a password"}),
    ];
    let trial = users(folder, &["import", &path, "--dry-run", "--json"]);
    let expected = json!({"dry_run": true, "added": 2, "existing": 0, "failed": 2});
    assert_eq!((trial.code, lines(&trial)), (Some(1), [&faults[..], &[expected]].concat()), "{}", trial.errors);
    assert_eq!(users(folder, &["show", "grace"]).code, Some(1), "nothing has changed");
    let imported = users(folder, &["import", &path]);
    assert_eq!(imported.code, Some(1));
    assert!(imported.output.ends_with("2 added, 0 there already, 2 refused\n"), "{}", imported.output);
    assert!(imported.output.starts_with("line 3: `email`"), "{}", imported.output);
    assert_eq!(sign_in(&mut proxy.browser(Protocol::Http1), "grace").status, 200);
    let dan = json_of(&users(folder, &["show", "dan", "--json"]));
    assert_eq!(dan["status"], "RESET_REQUIRED");
    let unknown = users(folder, &["import", &file(folder, "bad.csv", "colour\nred\n")]);
    assert!(unknown.errors.contains("unknown column `colour`"), "{}", unknown.errors);
}

#[test]
fn an_import_that_was_killed_is_run_again() {
    let target = target::echo();
    let mut proxy = start(&target);
    proxy.shutdown();
    let folder = proxy.folder();
    let line = |number: u32| match number {
        // It says when the import is here.
        700 => "{}\n".to_owned(),
        _ => format!("{{\"username\":\"person-{number}\",\"sub\":\"s-{number}\"}}\n"),
    };
    let path = file(folder, "people.jsonl", &(1..=3000).map(line).collect::<String>());
    let config = folder.join("vestibule.yaml");
    let mut process =
        Process::start(vestibule(&["users", "import", "--config", config.to_str().expect("UTF-8"), &path]));
    process.read_until("line 700:");
    process.signal("KILL");
    process.wait();
    let again = users(folder, &["import", &path, "--json"]);
    let [fault, summary] = &lines(&again)[..] else { panic!("{}", again.output) };
    assert_eq!(fault["line"], 700);
    let number = |name: &str| summary[name].as_u64().expect("a number");
    assert!(number("existing") >= 640, "what was committed is there: {summary}");
    assert_eq!((number("added") + number("existing"), number("failed")), (2999, 1));
    assert_eq!(json_of(&users(folder, &["list", "--json"])).as_array().map(Vec::len), Some(2999));
}

#[test]
fn an_export_of_all_is_imported_elsewhere_with_passwords_and_subs() {
    let target = target::echo();
    let (from, to) = (start(&target), start(&target));
    done(users(from.folder(), &["add-group", "ops", "--precedence", "3"]));
    done(users(from.folder(), &["add", "grace", "--group", "ops", "--set", "email=grace@example.com"]));
    let out = from.folder().join("all.jsonl");
    let out = out.to_str().expect("UTF-8");
    let written = json_of(&users(from.folder(), &["export", "--all", "--out", out, "--json"]));
    assert_eq!(written, json!({"done": "users.export", "users": 1, "groups": 1, "file": out}));
    let again = users(from.folder(), &["export", "--all", "--out", out]);
    assert!(again.errors.contains("exists, and is not replaced"), "no file is replaced: {}", again.errors);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(out).expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
    done(users(to.folder(), &["import", out]));
    let [there, here] = [&to, &from].map(|proxy| json_of(&users(proxy.folder(), &["show", "grace", "--json"])));
    assert_eq!(
        (&there["sub"], &there["groups"], &there["attributes"]),
        (&here["sub"], &here["groups"], &here["attributes"])
    );
    assert_eq!(sign_in(&mut to.browser(Protocol::Http1), "grace").status, 200);
}

#[test]
fn what_is_known_of_a_user_is_told_and_erased() {
    let target = target::echo();
    let proxy = start(&target);
    let folder = proxy.folder();
    done(users(folder, &["add", "grace", "--set", "email=grace@example.com"]));
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(sign_in(&mut browser, "grace").status, 200);
    let known = json_of(&users(folder, &["export", "grace"]));
    assert_eq!(known["user"]["attributes"]["email"], "grace@example.com");
    assert_eq!(known["sessions"].as_array().map(Vec::len), Some(1));
    assert!(!known.to_string().contains("argon2"), "{known}");
    done(users(folder, &["erase", "grace"]));
    assert_eq!(users(folder, &["show", "grace"]).code, Some(1));
    proxy.clock.advance(std::time::Duration::from_secs(3700));
    let page = browser.get("https://app.test/reports");
    assert_eq!(page.status, 302, "nobody is signed in any more");
    let audited = json_of(&users(folder, &["audit", "--json"]));
    let erased = audited.as_array().and_then(|all| all.iter().find(|entry| entry["operation"] == "user.erase"));
    let actor = erased.and_then(|entry| entry["actor"].as_str());
    assert!(actor.is_some_and(|actor| actor.starts_with("cli:")), "{audited}");
    assert!(!audited.to_string().contains("grace"), "{audited}");
}

#[test]
fn a_database_gets_a_new_key_while_it_is_served() {
    let target = target::echo();
    let mut proxy = start(&target);
    let folder = proxy.folder().to_owned();
    done(users(&folder, &["add", "grace"]));
    let new = folder.join("new-key");
    let mut process = Process::start(vestibule(&["keys", "store", "--out", new.to_str().expect("UTF-8")]));
    process.close_input();
    done(process.finish());
    let both = proxy.yaml().replace("key_files: [store-key]", "key_files: [new-key, store-key]");
    std::fs::write(folder.join("vestibule.yaml"), &both).expect("written");
    let text = users(&folder, &["rekey"]);
    assert_eq!(text.code, Some(0), "{}", text.errors);
    assert!(text.output.ends_with("with the first key before: 0\n"), "{}", text.output);
    let again = json_of(&users(&folder, &["rekey", "--json"]));
    assert_eq!((&again["changed"], &again["unreadable"]), (&json!(0), &json!(0)));
    proxy.shutdown();
    // The former key is not needed any more.
    std::fs::write(folder.join("vestibule.yaml"), both.replace("[new-key, store-key]", "[new-key]")).expect("written");
    done(users(&folder, &["show", "grace"]));
    std::fs::write(folder.join("vestibule.yaml"), both.replace("[new-key, store-key]", "[store-key]"))
        .expect("written");
    let former = users(&folder, &["show", "grace"]);
    assert!(former.errors.contains("no key of `store.key_files` decrypts the database"), "{}", former.errors);
}

#[test]
fn the_sign_in_log_has_what_browsers_have_done() {
    let target = target::echo();
    let mut proxy = start(&target);
    let folder = proxy.folder().to_owned();
    done(users(&folder, &["add", "grace"]));
    let mut browser = proxy.browser(Protocol::Http1);
    for name in ["grace", "nobody-at-all"] {
        let page = sign_in_page(&mut browser, "https://app.test/");
        submit(&mut browser, &page, &format!("{name} "), crate::user_pool::PASSWORD);
    }
    assert_eq!(sign_in(&mut browser, "grace").status, 200);
    // What waits is written before the process ends.
    proxy.shutdown();
    let events = json_of(&users(&folder, &["events", "grace", "--json"]));
    let responses: Vec<&str> =
        events.as_array().expect("a list").iter().filter_map(|event| event["response"].as_str()).collect();
    assert_eq!(responses, ["Pass", "Fail"], "{events}");
    assert_eq!(events[1]["challenges"], json!([{"name": "Password", "response": "Failure"}]));
    let unknown = users(&folder, &["events", "--unknown", "--json"]);
    assert_eq!(json_of(&unknown).as_array().map(Vec::len), Some(1));
    assert!(!unknown.output.contains("nobody-at-all"), "{}", unknown.output);
    let audited = users(&folder, &["audit", "--user", "grace"]);
    assert!(audited.output.contains("user.add") && audited.output.contains("user.events"), "{}", audited.output);
}
