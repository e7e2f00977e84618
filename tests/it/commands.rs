//! What the commands do, as processes: what they print, what they leave behind, and how they end.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::app::{folder, free_port, wait_until};
use crate::harness::certificates;
use crate::harness::dev::{Dev, State};
use crate::harness::process::{self, Finished, Process};
use crate::harness::raw::Raw;
use crate::harness::tls_target;

#[test]
fn dev_says_where_it_is_and_how_to_sign_in() {
    let dev = Dev::start();
    assert!(dev.address.starts_with("https://127.0.0.1:"), "{}", dev.said);
    assert_eq!(dev.username, "demo");
    assert!(dev.password.len() >= 16, "a password of {} characters", dev.password.len());
    for promise in
        ["--upstream http://127.0.0.1:3000", "ca.pem", "access.log", "/metrics", "two certificate warnings", "Firefox"]
    {
        assert!(dev.said.contains(promise), "{promise}: {}", dev.said);
    }
    // Whoever trusts the authority that it made can open both of its names, with HTTP/1.1 and HTTP/2.
    let authority = std::fs::read_to_string(dev.folder().join("ca.pem")).expect("an authority");
    for name in ["localhost", "127.0.0.1"] {
        let mut raw = Raw::connect_trusting(dev.socket(), name, &authority);
        raw.send(format!("GET / HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\n\r\n", authority_of(&dev.address)));
        let (head, _) = raw.read_response();
        assert!(head.starts_with("HTTP/1.1 302"), "{head}");
        assert!(head.contains("location: https://localhost:"), "{head}");
    }
    dev.stop();
}

#[test]
fn dev_started_again_uses_what_it_made() {
    let first = Dev::start();
    let password = first.password.clone();
    let state = first.stop();
    let made = contents(state.folder());
    for name in ["ca.pem", "ca-key.pem", "localhost.pem", "session-key", "claims-key.pem", "store-key", "users.db"] {
        assert!(made.iter().any(|(path, _)| path.ends_with(name)), "{name}");
    }
    let second = Dev::start_in(state, &[]);
    assert_eq!(second.password, password);
    // The database writes down when it was opened.
    let fixed = |files: Vec<(PathBuf, Vec<u8>)>| {
        files.into_iter().filter(|(path, _)| !path.to_string_lossy().contains("users.db")).collect::<Vec<_>>()
    };
    assert_eq!(fixed(contents(second.stop().folder())), fixed(made));
}

#[test]
fn dev_keeps_its_secrets_from_other_users_of_the_machine() {
    let dev = Dev::start();
    assert_eq!(mode(dev.folder()), 0o700);
    for name in
        ["ca-key.pem", "localhost-key.pem", "session-key", "claims-key.pem", "store-key", "users.db", "demo-password"]
    {
        assert_eq!(mode(&dev.folder().join(name)), 0o600, "{name}");
    }
    dev.stop();
}

#[test]
fn dev_does_not_leave_its_keys_where_git_would_commit_them() {
    let dev = Dev::start();
    assert_eq!(std::fs::read_to_string(dev.folder().join(".gitignore")).expect("a file"), "*\n");
    let git = |arguments: &[&str]| Command::new("git").arg("-C").arg(dev.folder().join("..")).args(arguments).output();
    // Where there is no git there is nothing more to see.
    if git(&["init", "--quiet"]).is_ok_and(|output| output.status.success()) {
        assert!(git(&["add", "."]).expect("git").status.success());
        let staged = git(&["status", "--porcelain"]).expect("git").stdout;
        assert_eq!(String::from_utf8_lossy(&staged), "");
    }
    dev.stop();
}

#[test]
fn two_dev_on_one_machine_have_cookies_of_their_own() {
    let (one, other) = (Dev::start(), Dev::start());
    let cookies = |dev: &Dev| {
        let authority = std::fs::read_to_string(dev.folder().join("ca.pem")).expect("an authority");
        let mut raw = Raw::connect_trusting(dev.socket(), "127.0.0.1", &authority);
        raw.send(format!("GET / HTTP/1.1\r\nhost: {}\r\naccept: text/html\r\n\r\n", authority_of(&dev.address)));
        let (head, _) = raw.read_response();
        let names = head.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
        let names: Vec<_> = names.filter_map(|cookie| Some(cookie.split_once('=')?.0.to_owned())).collect();
        assert!(!names.is_empty(), "{head}");
        names
    };
    for (dev, names) in [(&one, cookies(&one)), (&other, cookies(&other))] {
        let own = format!("__Host-vestibule-{}-", dev.socket().port());
        assert!(names.iter().all(|name| name.starts_with(&own)), "{own}: {names:?}");
    }
    one.stop();
    other.stop();
}

#[test]
fn dev_refuses_a_folder_and_a_password_that_somebody_else_could_have_put_there() {
    let state = State::new();
    std::fs::create_dir_all(state.folder()).expect("a folder");
    chmod(state.folder(), 0o777);
    let refused = run(&state.arguments());
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains("other users can write to"), "{}", refused.errors);
    chmod(state.folder(), 0o700);
    let password = state.folder().join("demo-password");
    std::fs::write(&password, "known to a stranger").expect("written");
    chmod(&password, 0o666);
    let refused = run(&state.arguments());
    assert_eq!(refused.code, Some(1));
    assert!(refused.errors.contains("demo-password") && refused.errors.contains("chmod 600"), "{}", refused.errors);
}

#[test]
fn dev_reaches_an_upstream_with_a_certificate_of_its_own_making_only_where_it_is_told_to() {
    let upstream = tls_target::start(tls_target::Kind::Stranger);
    let url = format!("https://{upstream}");
    let insecure = Dev::start_in(State::new(), &["--upstream", &url, "--insecure-upstream"]);
    assert!(insecure.said.contains(&url), "{}", insecure.said);
    insecure.stop();
    let (state, url) = (State::new(), format!("http://{upstream}"));
    let refused = run(&[&state.arguments()[..], &["--upstream", &url, "--insecure-upstream"]].concat());
    assert_eq!(refused.code, Some(2));
    assert!(refused.errors.contains("needs an https upstream"), "{}", refused.errors);
}

#[test]
fn dev_that_finds_its_port_taken_says_so() {
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let running = Dev::start();
    // Another of its kind would share the port with it, as its own workers do, if that were not looked for.
    for taken in [other.local_addr().expect("bound"), running.socket()] {
        let (state, port) = (State::new(), taken.port().to_string());
        let folder = state.folder().to_str().expect("UTF-8").to_owned();
        let Finished { code, output, errors, .. } = run(&["dev", "--port", &port, "--state", &folder]);
        assert_eq!((code, output.as_str()), (Some(1), ""), "{errors}");
        assert!(
            errors.contains(&format!("cannot listen on {taken}")) && errors.contains("another process uses"),
            "{errors}"
        );
        assert!(errors.contains("--port 0") && !errors.contains("listener"), "{errors}");
    }
    running.stop();
}

#[test]
fn dev_refuses_an_upstream_that_it_would_misunderstand() {
    for (upstream, says) in [
        ("ftp://127.0.0.1:3000", "use http or https"),
        ("http://127.0.0.1:3000/app", "remove the path and query"),
        ("http://127.0.0.1:3000/?a=b", "remove the path and query"),
    ] {
        let state = State::new();
        let Finished { code, errors, .. } = run(&[&state.arguments()[..], &["--upstream", upstream]].concat());
        assert_eq!(code, Some(2), "{upstream}: {errors}");
        assert!(
            errors.contains(upstream.split('?').next().expect("one")) && errors.contains(says),
            "{upstream}: {errors}"
        );
    }
    // Not a URL at all: the command line is not one.
    let Finished { code, errors, .. } = run(&["dev", "--upstream", "127.0.0.1:3000"]);
    assert_eq!(code, Some(2), "{errors}");
}

#[test]
fn dev_ends_with_0_on_the_signals_of_a_terminal_and_of_a_container() {
    for signal in ["INT", "TERM"] {
        let dev = Dev::start();
        dev.stop_by(signal);
    }
}

#[test]
fn dev_told_to_stop_before_it_has_finished_speaking_ends_in_order() {
    let state = State::new();
    // Nobody reads, and the pipe is full: it serves, and stands at the first line that it prints.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut filler = writer.try_clone().expect("another end");
    let filling = std::thread::spawn(move || filler.write_all(&[b'\n'; 1 << 20]));
    let mut command = process::vestibule(&state.arguments());
    let mut child = command.stdout(writer).stderr(Stdio::null()).spawn().expect("it starts");
    drop(command);
    wait_until("it listens", || state.folder().join("access.log").exists().then_some(()));
    process::signal(child.id(), "TERM");
    let draining = std::thread::spawn(move || std::io::read_to_string(reader));
    let status = wait_until("it ends", || child.try_wait().expect("it is ours to wait for"));
    assert_eq!(status.code(), Some(0), "{status}");
    filling.join().expect("no panic").expect("all is read");
    draining.join().expect("no panic").expect("UTF-8");
}

#[test]
fn serve_runs_with_keys_that_the_commands_made_and_healthcheck_sees_it() {
    let place = Place::with_keys();
    let config = place.write("vestibule.yaml", &configuration(free_port(), &hash("a long passphrase")));
    let check = run(&["check", "--config", &config]);
    assert_eq!(check.code, Some(0), "{}", check.errors);

    let health = || run(&["healthcheck", "--config", &config]);
    let refused = health();
    assert_eq!(refused.code, Some(1), "nobody is there yet");
    assert!(refused.errors.contains("does not answer"), "{}", refused.errors);

    let serving = Process::start(process::vestibule(&["serve", "--config", &config]));
    wait_until("it is healthy", || (health().code == Some(0)).then_some(()));
    serving.signal("TERM");
    let ended = serving.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_eq!(health().code, Some(1));
}

#[test]
fn serve_that_finds_a_port_taken_says_whose_and_what_to_change() {
    let place = Place::with_keys();
    let other = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = other.local_addr().expect("bound");
    let text = configuration(taken.port(), &hash("a long passphrase"));
    let admin = run(&["serve", "--config", &place.write("admin.yaml", &text)]);
    let text = configuration(free_port(), &hash("a long passphrase"));
    let text = text.replacen("address: 127.0.0.1:0", &format!("address: {taken}"), 1);
    let listener = run(&["serve", "--config", &place.write("listener.yaml", &text)]);
    for (ended, what, setting) in [
        (admin, "admin endpoint: ", "`admin.address`: each instance on a machine needs one of its own"),
        (listener, "listener `public`: ", "`address` of this listener"),
    ] {
        assert_eq!(ended.code, Some(1), "{}", ended.errors);
        let says =
            format!("{what}cannot listen on {taken} (another process uses this port: stop it, or change {setting})");
        assert!(ended.errors.contains(&says), "{says}: {}", ended.errors);
    }
}

#[test]
fn serve_takes_as_many_descriptors_as_it_may_have_and_says_where_they_are_too_few() {
    let place = Place::with_keys();
    let config = place.write("vestibule.yaml", &configuration(free_port(), &hash("a long passphrase")));
    let serve_under = |limit: &str| {
        let command = process::vestibule(&["serve", "--config", &config]);
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
        shell.arg(command.get_program()).args(command.get_args());
        let serving = Process::start(shell);
        wait_until("it is healthy", || (run(&["healthcheck", "--config", &config]).code == Some(0)).then_some(()));
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", serving.id())).expect("its limits");
        let files = limits.lines().find_map(|line| line.strip_prefix("Max open files")).expect("one of files");
        let [soft, hard] = [0, 1].map(|index| files.split_whitespace().nth(index).expect("a number").to_owned());
        serving.signal("TERM");
        (soft, hard, serving.finish().errors)
    };
    let (soft, hard, _) = serve_under("-Sn 100");
    assert!(soft == hard && soft != "100", "{soft} of {hard}");
    let (soft, _, said) = serve_under("-n 100");
    assert_eq!(soft, "100");
    assert!(said.contains("may open fewer files") && said.contains("LimitNOFILE"), "{said}");
}

#[test]
fn serve_without_its_keys_refuses_and_says_how_to_make_them() {
    let place = Place::new();
    let config = place.write("vestibule.yaml", &configuration(0, &hash("a long passphrase")));
    for command in ["serve", "check"] {
        let refused = run(&[command, "--config", &config]);
        assert_eq!(refused.code, Some(1), "{command}");
        // All three at once, each with the command that makes it.
        for (file, kind) in [("keys/session", "session"), ("keys/claims", "signing"), ("keys/pool", "signing")] {
            let about = refused.errors.lines().any(|line| line.contains(file));
            assert!(about && refused.errors.contains(&format!("vestibule keys {kind}")), "{file}: {}", refused.errors);
        }
        assert!(!place.path("keys").exists(), "{command} has made nothing");
    }
}

#[test]
fn check_says_where_each_mistake_is_and_ends_with_1() {
    let place = Place::new();
    let config = place.write(
        "vestibule.yaml",
        "listeners:\n  - name: public\n    address: 0.0.0.0:8443\n    protocl: https\ntarget_group: {}\n",
    );
    let checked = run(&["check", "--config", &config]);
    assert_eq!((checked.code, checked.output.as_str()), (Some(1), ""));
    for says in [":4:5", "protocl", "did you mean", ":5:1", "target_group"] {
        assert!(checked.errors.contains(says), "{says}: {}", checked.errors);
    }
    let absent = run(&["check", "--config", place.path("absent.yaml").to_str().expect("UTF-8")]);
    assert_eq!(absent.code, Some(1));
    assert!(absent.errors.contains("absent.yaml"), "{}", absent.errors);
}

#[test]
fn check_explains_which_rule_takes_a_request() {
    let place = Place::new();
    let config = place.write(
        "vestibule.yaml",
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: http
    rules:
      - name: health
        priority: 1
        conditions: [{ path_pattern: [/healthz] }]
        actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }]
    default_actions: [{ type: redirect, protocol: HTTPS, port: '443', status_code: HTTP_301 }]
",
    );
    for (request, takes) in [("GET http://app.test/healthz", "health"), ("GET http://app.test/other", "default")] {
        let explained = run(&["check", "--config", &config, "--request", request]);
        assert_eq!(explained.code, Some(0), "{}", explained.errors);
        assert!(explained.output.contains(takes), "{request}: {}", explained.output);
    }
    // That a request is refused is what was asked for.
    let refused = run(&["check", "--config", &config, "--request", "GET http://app.test/a/../b"]);
    assert_eq!(refused.code, Some(0), "{}", refused.errors);
    assert!(refused.output.contains("refused with 400 `request.path_ambiguous`"), "{}", refused.output);
    for request in ["/x", "GET", "GET /x", "https://"] {
        let none = run(&["check", "--config", &config, "--request", request]);
        assert_eq!((none.code, none.output.as_str()), (Some(2), ""), "{request}: {}", none.errors);
        assert!(none.errors.contains("write `GET https://host/path`"), "{request}: {}", none.errors);
        assert!(none.errors.contains("Usage: vestibule"), "{request}: {}", none.errors);
    }
    let claims = place.write("claims.json", r#"{"sub": "ada"}"#);
    let of_user =
        |claims: &str| run(&["check", "--config", &config, "--request", "GET http://app.test/x", "--claims", claims]);
    let explained = of_user(&claims);
    assert_eq!(explained.code, Some(0), "{}", explained.errors);
    assert!(explained.output.contains("the rule identifies nobody"), "{}", explained.output);
    let twice = of_user(&place.write("twice.json", r#"{"sub": "ada", "sub": "eve"}"#));
    assert_eq!((twice.code, &*twice.output), (Some(1), ""), "{}", twice.output);
    assert!(twice.errors.contains("twice.json: two members of an object have the same name"), "{}", twice.errors);
    assert_eq!(of_user("absent.json").code, Some(1));
    assert_eq!(run(&["check", "--config", &config, "--claims", &claims]).code, Some(2), "--claims needs --request");
    let header = run(&["check", "--config", &config, "--request", "http://app.test/", "--header", "x"]);
    assert_eq!(header.code, Some(2), "{}", header.errors);
}

#[test]
fn keys_and_hashes_go_to_standard_output_and_no_file_is_overwritten() {
    for kind in ["session", "signing", "ticket"] {
        let (one, other) = (run(&["keys", kind]), run(&["keys", kind]));
        assert_eq!((one.code, other.code), (Some(0), Some(0)));
        assert_ne!(one.output, other.output, "{kind}");
        assert!(one.output.trim().len() >= 64, "{kind}: {} characters", one.output.len());

        let place = Place::new();
        let file = place.write("key", "the key of a running proxy");
        let refused = run(&["keys", kind, "--out", &file]);
        assert_eq!(refused.code, Some(1));
        assert!(refused.errors.contains(&file), "{}", refused.errors);
        assert_eq!(std::fs::read_to_string(&file).expect("the file"), "the key of a running proxy");
    }
    let hash = hash("a long passphrase");
    assert!(hash.starts_with("$argon2id$"), "{hash}");
}

#[test]
fn a_command_line_that_is_none_ends_with_2() {
    for arguments in [&["serve"][..], &["server"], &["check", "--confg", "x"], &[]] {
        let refused = run(arguments);
        assert_eq!((refused.code, refused.output.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(refused.errors.contains("Usage: vestibule"), "{arguments:?}: {}", refused.errors);
    }
    let schema = run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&schema.output).expect("a JSON Schema");
    assert!(schema["properties"]["listeners"].is_object());
}

#[test]
fn texts_prints_a_file_to_translate() {
    for (arguments, sign_in) in
        [(&["texts"][..], "Sign in"), (&["texts", "en"], "Sign in"), (&["texts", "DE"], "Anmelden")]
    {
        let printed = run(arguments);
        assert_eq!(printed.code, Some(0), "{}", printed.errors);
        assert!(printed.output.contains(&format!("\nsign_in.title: \"{sign_in}\"\n")), "{}", printed.output);
    }
    let refused = run(&["texts", "fr"]);
    assert_eq!((refused.code, refused.output.as_str()), (Some(2), ""));
    assert!(refused.errors.contains("`fr` is not built in: use `en` or `de`"), "{}", refused.errors);
}

#[test]
fn a_reader_that_has_gone_is_no_failure_and_reload_says_why_it_asked_nobody() {
    let mut schema =
        process::vestibule(&["schema"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process");
    drop(schema.stdout.take());
    let ended = schema.wait_with_output().expect("it ends");
    assert!(ended.status.success() && ended.stderr.is_empty(), "{}", String::from_utf8_lossy(&ended.stderr));

    let place = Place::new();
    let config = place.write("vestibule.yaml", "listeners: [\n");
    for said in ["`admin.address`", "vestibule.yaml:2:1"] {
        let errors = run(&["reload", "--config", &config]).errors;
        assert!(errors.contains(said), "{said}: {errors}");
    }
}

/// Runs a command to its end.
#[track_caller]
fn run(arguments: &[&str]) -> Finished {
    Process::start(process::vestibule(arguments)).finish()
}

#[track_caller]
fn hash(password: &str) -> String {
    let mut hashing = Process::start(process::vestibule(&["users", "hash"]));
    hashing.say_all(password);
    hashing.next_line().expect("a hash")
}

/// A listener with a login at a user pool, and the operator's endpoint on `admin`.
fn configuration(admin: u16, hash: &str) -> String {
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions:
      - {{ type: authenticate-user-pool, user_pool: people }}
      - {{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }}
user_pools:
  people:
    issuer: https://login.test
    signing_key_file: keys/pool
    applications: [https://app.test]
    users: [{{ username: ada, password_hash: '{hash}' }}]
session: {{ key_files: [keys/session] }}
claims: {{ signer: 'arn:vestibule:test', signing_key_file: keys/claims }}
admin: {{ address: '127.0.0.1:{admin}' }}
shutdown: {{ delay: 0s }}
"
    )
}

/// A folder with the tests' certificate.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let folder = folder();
        certificates::write_to(&folder);
        Self(folder)
    }

    /// With the keys that [`configuration`] names, as the commands make them.
    fn with_keys() -> Self {
        let place = Self::new();
        for (kind, file) in [("session", "keys/session"), ("signing", "keys/claims"), ("signing", "keys/pool")] {
            let out = place.path(file);
            let made = run(&["keys", kind, "--out", out.to_str().expect("UTF-8")]);
            assert_eq!(made.code, Some(0), "{}", made.errors);
            assert_eq!(mode(&out), 0o600, "{file}");
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, text).expect("the folder is writable");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn authority_of(address: &str) -> &str {
    address.trim_start_matches("https://")
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

fn mode(path: &Path) -> u32 {
    let metadata = std::fs::metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    metadata.permissions().mode() & 0o777
}

/// Every file but the access log, in order.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = entries.filter(|path| !path.ends_with("access.log")).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}
