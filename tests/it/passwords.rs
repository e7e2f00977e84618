//! Passwords of users in a database: the policy, the list of breached ones, temporary ones, and hashes of other systems.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::app::Proxy;
use crate::harness::browser::{Browser, Protocol};
use crate::harness::process::{Finished, Process, vestibule};
use crate::harness::server::Server;
use crate::harness::target;
use crate::user_pool::{configuration, sign_in_page, submit};

/// A proxy whose pool has a database and a policy. Its configuration is also in a file, for the commands.
fn start(target: &Server, policy: &str) -> Proxy {
    let store = format!("    store: {{ sqlite: people.db, key_files: [store-key] }}\n{policy}    users:");
    let proxy = Proxy::start(&configuration(target).replacen("    users:", &store, 1));
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy
}

/// Runs `vestibule users` with a line on its standard input.
#[track_caller]
fn users(folder: &Path, arguments: &[&str], line: &str) -> Finished {
    let config = folder.join("vestibule.yaml");
    let (command, rest) = arguments.split_first().expect("a command");
    let mut all = vec!["users", command, "--config", config.to_str().expect("UTF-8")];
    all.extend(rest);
    let mut process = Process::start(vestibule(&all));
    process.say_all(line);
    process.finish()
}

/// The same, which succeeds and prints JSON.
#[track_caller]
fn users_json(folder: &Path, arguments: &[&str], line: &str) -> Value {
    let done = users(folder, &[arguments, &["--json"]].concat(), line);
    assert_eq!(done.code, Some(0), "{}", done.errors);
    serde_json::from_str(&done.output).expect("JSON")
}

/// What the browser gets after the form: whether a session began, and what the page says otherwise.
#[track_caller]
fn signs_in(browser: &mut Browser, username: &str, password: &str) -> Result<(), String> {
    let page = sign_in_page(browser, "https://app.test/");
    let back = submit(browser, &page, username, password);
    // A page, where only an administrator can help.
    if back.status != 303 {
        return Err(back.text().to_owned());
    }
    if back.location().starts_with("https://app.test/oauth2/idpresponse?") {
        return Ok(());
    }
    Err(browser.get(&format!("https://login.test{}", back.location())).text().to_owned())
}

#[test]
fn a_hash_of_another_system_signs_in_and_is_replaced() {
    let target = target::echo();
    let proxy = start(&target, "");
    let folder = proxy.folder();
    // bcrypt 4.0.1 of PyPI, passlib 1.7.4, Django 5.2.
    let hashes = [
        ("ada", "$2b$04$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6"),
        ("bob", "$scrypt$ln=4,r=8,p=1$XStFKGVsbU0pxbi39h6jNA$O4mLi4lKMzBsdRSDGHuaJbiiAzEIaycLqyCT6edkb24"),
        ("eve", "pbkdf2_sha256$1000$HXq9TJTjTagM3TtzdGf6wa$ee+CIgNNjJyAaHma2hzEbZ1ir0Kos3ker3WankFaovE="),
    ];
    for (username, hash) in hashes {
        let added = users_json(folder, &["add", username, "--password-hash"], hash);
        assert_eq!(added["password"], json!(true));
        assert!(!added.to_string().contains("HXq9"), "no hash is printed");
    }
    for round in 1..=2 {
        for (username, _) in hashes {
            let mut browser = proxy.browser(Protocol::Http1);
            let wrong = signs_in(&mut browser, username, "correct horse battery stapler").expect_err("wrong");
            assert!(wrong.contains("Incorrect user name or password."), "{wrong}");
            assert_eq!(signs_in(&mut browser, username, "correct horse battery staple"), Ok(()), "{username} {round}");
        }
    }
    for refused in ["hunter2", "$2b$31$/vAKKvfsQrMkVYPwKX.OTu5gh8ObIeMdHERIy6rGjyveidtJi67d6"] {
        let refused = users(folder, &["add", "mallory", "--password-hash"], refused);
        assert_eq!(refused.code, Some(1), "{}", refused.errors);
        assert!(refused.errors.contains("hash"), "{}", refused.errors);
    }
}

#[test]
fn a_temporary_password_opens_nothing() {
    let target = target::echo();
    let proxy = start(&target, "    password_policy: { temporary_validity: 1d }\n");
    let folder = proxy.folder();
    let added = users_json(folder, &["add", "grace", "--temporary"], "");
    assert_eq!(added["status"], json!("FORCE_CHANGE_PASSWORD"));
    let password = added["temporary_password"].as_str().expect("a password");
    assert!(signs_in(&mut proxy.browser(Protocol::Http1), "grace", password).is_err(), "no session begins with it");
    // A password that stays takes its place.
    let set = users_json(folder, &["set-password", "grace"], "first compiler");
    assert_eq!((&set["status"], &set["temporary_until"]), (&json!("CONFIRMED"), &Value::Null));
    assert_eq!(signs_in(&mut proxy.browser(Protocol::Http1), "grace", "first compiler"), Ok(()));
    assert!(signs_in(&mut proxy.browser(Protocol::Http1), "grace", password).is_err());
    let set = users_json(folder, &["set-password", "grace", "--temporary"], "");
    assert_eq!(set["status"], json!("FORCE_CHANGE_PASSWORD"));
    assert_ne!(set["temporary_password"], json!(password));
}

#[test]
fn a_list_of_breached_passwords_is_made_and_obeyed() {
    let target = target::echo();
    let (plain, hashes) = ("first compiler\nanother one\n", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:9545824\r\n");
    let proxy = start(&target, "");
    let folder = proxy.folder();
    std::fs::write(folder.join("plain.txt"), plain).expect("written");
    std::fs::write(folder.join("hashes.txt"), hashes).expect("written");
    let list = |file: &str, more: &[&str]| {
        let (file, out) = (folder.join(file), folder.join("breached"));
        let (file, out) = (file.to_str().expect("UTF-8"), out.to_str().expect("UTF-8"));
        let arguments = [&["users", "breach-list", "--json", "--out", out, file], more].concat();
        Process::start(vestibule(&arguments)).finish()
    };
    let made = list("hashes.txt", &[]);
    assert_eq!((made.code, made.errors.as_str()), (Some(0), ""));
    let said: Value = serde_json::from_str(&made.output).expect("JSON");
    assert_eq!(said, json!({"lines": 1, "left_out": 0, "passwords": 1}));
    let refused = list("plain.txt", &[]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains("is not a SHA-1") && !refused.errors.contains("compiler"), "{}", refused.errors);
    assert_eq!(list("plain.txt", &["--plain"]).code, Some(0));
    let policy = "    password_policy: { breach_list_file: breached, breached_at_sign_in: reset }\n";
    // Before the list counts, the password can be set.
    assert_eq!(users(folder, &["add", "grace"], "first compiler").code, Some(0));
    assert_eq!(signs_in(&mut proxy.browser(Protocol::Http1), "grace", "first compiler"), Ok(()));
    let yaml = proxy.yaml().replacen("    users:", &format!("{policy}    users:"), 1);
    std::fs::write(folder.join("vestibule.yaml"), &yaml).expect("written");
    let refused = users(folder, &["add", "ada"], "first compiler");
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains("this one is in a list that attackers use"), "{}", refused.errors);
    assert_eq!(users(folder, &["add", "ada"], "second compiler").code, Some(0));
    proxy.reload(&yaml).expect("reloaded");
    assert!(signs_in(&mut proxy.browser(Protocol::Http1), "grace", "first compiler").is_err());
    assert_eq!(users_json(folder, &["show", "grace"], "")["status"], json!("RESET_REQUIRED"));
    assert_eq!(signs_in(&mut proxy.browser(Protocol::Http1), "ada", "second compiler"), Ok(()));
    // The same configuration with another list is another configuration.
    std::fs::write(folder.join("plain.txt"), "second compiler\n").expect("written");
    assert_eq!(list("plain.txt", &["--plain"]).code, Some(0));
    proxy.reload(&yaml).expect("reloaded");
    assert!(signs_in(&mut proxy.browser(Protocol::Http1), "ada", "second compiler").is_err());
}
