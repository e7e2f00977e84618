//! Mails to users of a pool, through a mail server that nobody here wrote.

use std::path::Path;

use serde_json::Value;

use crate::harness::app::{Proxy, free_port, wait_until};
use crate::harness::process::{self, Finished, Process, vestibule};
use crate::harness::target;
use crate::user_pool::configuration;

const PASSWORD: &str = "first compiler";

/// The server, and its port. `port` is 0, or where it has to listen.
fn mail_server(kind: &str, port: u16, folder: &Path) -> (Process, String) {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    let port = port.to_string();
    let mut arguments = vec![kind, &port];
    if kind != "plain" {
        arguments.extend([certificate.to_str().expect("UTF-8"), key.to_str().expect("UTF-8")]);
    }
    let server = Process::start(process::python("python/mail_server.py", &arguments));
    let port = server.next_line().expect("a port");
    (server, port)
}

/// A folder with everything that the configuration names, as long as this value lives. Nobody serves it.
fn place() -> Proxy {
    let store = "    store: { sqlite: people.db, key_files: [store-key] }\n    users:";
    let mut proxy = Proxy::start(&configuration(&target::echo()).replacen("    users:", store, 1));
    proxy.shutdown();
    let folder = proxy.folder();
    std::fs::write(folder.join("vestibule.yaml"), proxy.yaml()).expect("written");
    std::fs::write(folder.join("mail-password"), "hunter2\n").expect("written");
    let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(folder.join("mail-password"), owner_only).expect("it is ours");
    proxy
}

/// Writes a configuration whose pool sends mail as `mail` says.
fn configure(folder: &Path, mail: &str) {
    let file = folder.join("vestibule.yaml");
    let yaml = std::fs::read_to_string(&file).expect("written before");
    let start = yaml.find("    mail:").unwrap_or_else(|| yaml.find("    users:").expect("users"));
    let end = yaml.find("    users:").expect("users");
    let mail = format!("    mail: {{ from: 'Example Ltd <no-reply@example.com>', {mail} }}\n");
    std::fs::write(file, format!("{}{mail}{}", &yaml[..start], &yaml[end..])).expect("written");
}

#[track_caller]
fn users(folder: &Path, arguments: &[&str]) -> Finished {
    let config = folder.join("vestibule.yaml");
    let (command, rest) = arguments.split_first().expect("a command");
    let mut all = vec!["users", command, "--config", config.to_str().expect("UTF-8")];
    all.extend(rest);
    let mut process = Process::start(vestibule(&all));
    process.say_all(PASSWORD);
    process.finish()
}

#[track_caller]
fn done(finished: Finished) {
    assert_eq!(finished.code, Some(0), "{}{}", finished.output, finished.errors);
}

fn serve(folder: &Path) -> Process {
    Process::start(vestibule(&["serve", "--config", folder.join("vestibule.yaml").to_str().expect("UTF-8")]))
}

/// Tries the server, and answers the exit code and what is printed.
#[track_caller]
fn try_to(folder: &Path, address: &str) -> (Option<i32>, String) {
    let tried = users(folder, &["test-message", "--to", address]);
    (tried.code, tried.output)
}

#[test]
fn the_command_that_tries_a_mail_server_says_what_it_answers() {
    let place = place();
    let folder = place.folder();
    for (kind, scheme, trust) in
        [("smtps", "smtps", ", ca_file: ca.pem"), ("starttls", "smtp", ", ca_file: ca.pem"), ("plain", "smtp", "")]
    {
        let (server, port) = mail_server(kind, 0, folder);
        let address = format!("smtp: '{scheme}://localhost:{port}'{trust}");
        configure(folder, &format!("{address}, username: pool, password_file: mail-password"));
        let sent = try_to(folder, "ada@example.com");
        assert_eq!(sent, (Some(0), "sent; the server answers: 250 2.0.0 taken\n".into()), "{kind}");
        let mail = server.next_json();
        assert_eq!((&mail["from"], &mail["to"][0]), (&"no-reply@example.com".into(), &"ada@example.com".into()));
        assert_eq!((&mail["tls"], &mail["user"]), (&(kind != "plain").into(), &"pool".into()), "{kind}");
        assert_mail(&mail, "123456 is your code for Sign in to the tests", "123456");

        let (code, said) = try_to(folder, "busy@example.com");
        assert_eq!(code, Some(1));
        assert!(said.starts_with("not sent; Vestibule would try it again: ") && said.contains("451"), "{said}");
        let (code, said) = try_to(folder, "gone@example.com");
        assert_eq!(code, Some(1));
        assert!(said.starts_with("not sent; Vestibule would give it up: ") && said.contains("550"), "{said}");

        configure(folder, &format!("{address}, username: pool, password: wrong"));
        let (code, said) = try_to(folder, "ada@example.com");
        assert_eq!(code, Some(1));
        assert!(said.starts_with("not sent; Vestibule would try it again: ") && said.contains("535"), "{said}");
    }
}

#[test]
fn a_server_with_a_certificate_of_nobody_gets_neither_mail_nor_password() {
    let place = place();
    let folder = place.folder();
    let (server, port) = mail_server("smtps", 0, folder);
    let signs_in = "username: pool, password_file: mail-password";
    configure(folder, &format!("smtp: 'smtps://localhost:{port}', {signs_in}"));
    let (code, said) = try_to(folder, "ada@example.com");
    assert_eq!(code, Some(1));
    assert!(said.contains("certificate"), "{said}");
    // The name is not in the certificate.
    configure(folder, &format!("smtp: 'smtps://127.0.0.2:{port}', ca_file: ca.pem, {signs_in}"));
    assert_eq!(try_to(folder, "ada@example.com").0, Some(1));
    configure(folder, &format!("smtp: 'smtps://localhost:{port}', ca_file: ca.pem, {signs_in}"));
    assert_eq!(try_to(folder, "last@example.com").0, Some(0));
    assert_eq!(server.next_json()["to"][0], "last@example.com");
}

#[track_caller]
fn assert_mail(mail: &Value, subject: &str, content: &str) {
    let headers = &mail["headers"];
    assert_eq!(headers["Subject"], subject);
    assert_eq!(headers["From"], "Example Ltd <no-reply@example.com>");
    assert_eq!(headers["Auto-Submitted"], "auto-generated");
    assert!(headers["Message-ID"].as_str().is_some_and(|id| id.ends_with("@login.test>")), "{headers}");
    assert!(headers["Date"].is_string() && mail["defects"].as_array().is_some_and(Vec::is_empty), "{mail}");
    for part in ["text", "html"] {
        assert!(mail[part].as_str().is_some_and(|text| text.contains(content)), "{}", mail[part]);
    }
}

/// The metrics of a process that serves.
#[track_caller]
fn until_it_says(process: &Process, what: &str) {
    wait_until(what, || process.errors().contains(what).then_some(()));
}

#[test]
fn a_message_outlives_a_server_that_is_down_and_a_process_that_is_killed() {
    let place = place();
    let folder = place.folder();
    let port = free_port();
    configure(folder, &format!("smtp: 'smtp://127.0.0.1:{port}', username: pool, password_file: mail-password"));
    done(users(folder, &["add", "grace", "--set", "email=grace@example.com", "--set", "email_verified=true"]));
    done(users(folder, &["set", "grace", "locale=de-AT", "email=grace@example.com", "email_verified=true"]));
    done(users(folder, &["set-password", "grace"]));
    let mut process = serve(folder);
    until_it_says(&process, "a message cannot be sent now");
    process.signal("KILL");
    process.wait();
    let (server, _) = mail_server("plain", port, folder);
    let process = serve(folder);
    let mail = server.next_json();
    assert_eq!(mail["to"][0], "grace@example.com");
    assert_mail(&mail, "Ihr Passwort wurde geändert", "Guten Tag grace");
    // The next one is sent while the process serves, and the first one is not sent again.
    done(users(folder, &["set-password", "grace"]));
    let second = server.next_json();
    assert_ne!(mail["headers"]["Message-ID"], second["headers"]["Message-ID"]);
    assert!(!process.errors().contains("grace@"), "no addresses in the log: {}", process.errors());
}

#[test]
fn a_recipient_that_does_not_exist_is_given_up_and_said_so() {
    let place = place();
    let folder = place.folder();
    let (_server, port) = mail_server("plain", 0, folder);
    configure(folder, &format!("smtp: 'smtp://localhost:{port}', username: pool, password_file: mail-password"));
    done(users(folder, &["add", "grace", "--set", "email=gone@example.com", "--set", "email_verified=true"]));
    done(users(folder, &["set-password", "grace"]));
    let process = serve(folder);
    until_it_says(&process, "a message is given up");
    assert!(process.errors().contains("550") && !process.errors().contains("gone@"), "{}", process.errors());
}
