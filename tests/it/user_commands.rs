//! Each command of `vestibule users`: it says what it has done, and its JSON is JSON.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::harness::app::Proxy;
use crate::harness::process::{Process, vestibule};
use crate::harness::target;
use crate::stored_users::{done, users, with_store};

/// Commands that print one thing and no more, or do nothing with users.
const WITHOUT_JSON: [&str; 2] = ["hash", "help"];

/// A pool in a folder, which no process serves. Its mail server does not answer.
fn place() -> Proxy {
    let mail = "    mail: { smtp: 'smtp://127.0.0.1:9', from: 'Example <no-reply@example.com>' }\n    recovery: [email]\n    sign_up: { open: true, verify: [email] }\n    users:";
    let mut proxy = Proxy::start(&with_store(&target::echo()).replacen("    users:", mail, 1).replacen(
        "    signing_key_file: pool-key.pem\n",
        "",
        1,
    ));
    proxy.shutdown();
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy
}

/// What `--help` lists.
fn commands() -> BTreeSet<String> {
    let help = Process::start(vestibule(&["users", "--help"])).finish().output;
    let (_, rest) = help.split_once("Commands:\n").expect("commands");
    let names = rest.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// All commands for a user of this name, in an order in which each succeeds.
fn all(name: &str, folder: &Path) -> Vec<Vec<String>> {
    let path = |file: &str| folder.join(format!("{name}-{file}")).display().to_string();
    std::fs::write(path("new.jsonl"), format!("{{\"username\":\"{name}-new\",\"status\":\"UNCONFIRMED\",\"attributes\":{{\"email\":\"{name}-new@example.com\"}}}}\n"))
        .expect("written");
    std::fs::write(path("plain"), "password\n").expect("written");
    let (imported, breached, list) = (path("new.jsonl"), path("plain"), path("list"));
    let (copy, export, one) = (path("copy.db"), path("all.jsonl"), path("one.json"));
    let text = format!(
        "add-group {name}-ops --description Operators
         groups
         add {name} --set email={name}@example.com --set email_verified=true
         add {name}-temporary --temporary --set email={name}-t@example.com
         add {name}-invited --invite --set email={name}-i@example.com
         resend {name}-temporary
         import {imported}
         resend {name}-new
         confirm {name}-new
         list
         list --limit 1
         show {name}
         set {name} nickname=Lovely
         set-password {name}
         set-password {name} --temporary
         set-password {name}
         disable {name}
         enable {name}
         join {name} {name}-ops
         leave {name} {name}-ops
         delete-group {name}-ops
         sessions {name}
         end-session {name} none --others
         sign-out {name}
         factors {name}
         factors alice
         reset-factors {name}
         reset {name}
         resend {name}
         events {name}
         events
         events --unknown
         audit
         audit --user {name}
         keys
         rotate-keys
         rotate-keys --revoke
         export {name}
         export {name} --out {one}
         export --all --out {export}
         backup --out {copy}
         breach-list --plain --out {list} {breached}
         rekey
         delete {name}-new
         erase {name}"
    );
    text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

#[test]
fn every_command_prints_json_and_says_what_it_has_done() {
    let place = place();
    let folder = place.folder();
    let mut seen: BTreeSet<String> = WITHOUT_JSON.iter().map(|name| (*name).to_owned()).collect();
    for words in all("ada", folder) {
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        seen.insert(words[0].to_owned());
        words.push("--json");
        let said = run(folder, &words);
        let value: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"));
        let is_change = value.get("done").is_some();
        assert!(value.is_array() || value.is_object(), "{words:?}: {said}");
        assert!(!said.contains("argon2"), "{words:?}: no hash is printed: {said}");
        let reads = [
            "list",
            "show",
            "groups",
            "sessions",
            "events",
            "audit",
            "keys",
            "rotate-keys",
            "rekey",
            "import",
            "breach-list",
        ];
        let is_read =
            reads.contains(&words[0]) || words[..2] == ["factors", "ada"] || words[..2] == ["factors", "alice"];
        assert_eq!(is_change, !is_read && words[..] != ["export", "ada", "--json"], "{words:?}: {said}");
    }
    for words in all("bob", folder) {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let said = run(folder, &words);
        assert!(!said.trim().is_empty(), "{words:?} prints nothing");
        // Of a message, only the masked address.
        if ["resend", "reset"].contains(&words[0]) || words.contains(&"--invite") {
            assert!(said.contains("b***@e***") && !said.contains("@example.com"), "{words:?}: {said}");
        }
        // Nothing about one user is longer than a line, but what was asked for.
        if [
            "disable",
            "enable",
            "confirm",
            "reset",
            "resend",
            "erase",
            "delete",
            "join",
            "leave",
            "sign-out",
            "backup",
            "add-group",
            "delete-group",
        ]
        .contains(&words[0])
        {
            assert_eq!(said.lines().count(), 1, "{words:?}: {said}");
        }
    }
    let tried = users(folder, &["test-message", "--to", "you@example.com", "--json"]);
    assert_eq!(tried.code, Some(1));
    let tried: Value = serde_json::from_str(&tried.output).expect("JSON");
    assert_eq!(tried["result"], "later");
    seen.insert("test-message".to_owned());
    assert_eq!(commands(), seen, "each command is here");
}

#[track_caller]
fn run(folder: &Path, words: &[&str]) -> String {
    let finished = match words[0] {
        // It needs no configuration.
        "breach-list" => Process::start(vestibule(&[&["users"], words].concat())).finish(),
        _ => users(folder, words),
    };
    assert_eq!(finished.code, Some(0), "{words:?}: {}{}", finished.output, finished.errors);
    finished.output
}

#[test]
fn no_file_is_replaced_and_the_error_says_what_to_do() {
    let place = place();
    let folder = place.folder();
    done(users(folder, &["add", "ada"]));
    let out = folder.join("there");
    std::fs::write(&out, "precious").expect("written");
    let out = out.to_str().expect("UTF-8");
    for words in [&["backup"][..], &["export", "--all"], &["export", "ada"]] {
        let refused = users(folder, &[words, &["--out", out]].concat());
        assert_eq!(refused.code, Some(1), "{words:?}");
        let said =
            format!("{out} exists, and is not replaced: name another file with --out, or remove that one first\n");
        assert_eq!(refused.errors, format!("vestibule: {said}"), "{words:?}");
        assert_eq!(std::fs::read_to_string(out).expect("there"), "precious");
    }
    let audited = users(folder, &["audit"]).output;
    assert!(!audited.contains("backup") && !audited.contains("export"), "nothing was begun: {audited}");
}

#[test]
fn the_audit_tells_what_has_failed() {
    let place = place();
    let folder = place.folder();
    done(users(folder, &["add", "ada"]));
    for words in [&["show", "nobody"][..], &["leave", "ada", "x"], &["confirm", "ada"], &["resend", "ada"]] {
        let _ = users(folder, words);
    }
    let taken = folder.join("no-such-folder/copy.db");
    assert_eq!(users(folder, &["backup", "--out", taken.to_str().expect("UTF-8")]).code, Some(1));
    let audited = users(folder, &["audit", "--json"]).output;
    let audited: Vec<Value> = serde_json::from_str(&audited).expect("JSON");
    let all: Vec<String> = audited
        .iter()
        .rev()
        .map(|entry| format!("{} {}", text(&entry["operation"]), text(&entry["outcome"])))
        .collect();
    assert_eq!(
        all,
        [
            "user.add done",
            "user.show failed",
            "group.leave done",
            "user.confirm failed",
            "user.resend failed",
            "backup begun",
            "backup failed"
        ]
    );
    assert!(audited[3]["sub"].is_string(), "whom it was about: {}", audited[3]);
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}
