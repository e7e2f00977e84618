//! `vestibule login` and `logout`: a program gets a token, and the rule takes it. The file of the user pool is that of
//! `docs/MACHINE_CLIENTS.md`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, Setup, folder, free_port, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol, join, on_both};
use crate::harness::process::{self, Finished, Process};
use crate::harness::server::{Reply, Server};
use crate::harness::target;
use crate::real_providers::OidcProvider;
use crate::user_pool::{self, PASSWORD};

/// Most pages that a person goes through.
const PAGES_MAX: usize = 12;

/// An application behind a proxy at `https://localhost`, and a folder for the state of programs.
pub struct Site {
    pub proxy: Proxy,
    pub target: Server,
    port: u16,
    state: PathBuf,
}

impl Site {
    /// The file of the document, with a user pool at `https://127.0.0.1`, which browsers take for another host.
    fn documented() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/MACHINE_CLIENTS.md");
        let document = fs::read_to_string(path).expect("docs/MACHINE_CLIENTS.md");
        let (_, file) = document.split_once("```yaml\n# machine-clients.yaml\n").expect("the file");
        let (file, _) = file.split_once("\n```").expect("its end");
        let (target, port) = (target::echo(), free_port());
        let yaml = file
            .replace("0.0.0.0:443", &format!("127.0.0.1:{port}"))
            .replace("https://app.example.com", &format!("https://localhost:{port}"))
            .replace("https://login.example.com", &format!("https://127.0.0.1:{port}"))
            .replace("127.0.0.1:8000", &target.address().to_string())
            .replace("${ADA_PASSWORD_HASH}", &format!("'{}'", user_pool::hash()))
            .replace("/etc/vestibule/", "");
        let rest = "admin: { address: 127.0.0.1:0 }\naccess_log: { destination: access.log }\nworkers: 2\n";
        Self::start(&format!("{yaml}\n{rest}"), target, port)
    }

    /// A rule that takes tokens of a provider.
    pub fn with_provider(provider: &OidcProvider, target: Server, bearer: &str) -> Self {
        let port = free_port();
        let actions = format!(
            "\n      - {{ type: jwt-validation, provider: corp, audience: ['https://localhost:{port}', 'https://localhost:{port}/mcp'], {bearer} }}\n      - {{ type: forward, target_group: app }}\n"
        );
        let setup = Setup::with_issuer(&provider.url(), &[target.address().to_string()]).default_actions(&actions);
        // The first listener.
        let yaml = setup.yaml().replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1);
        Self::start(&yaml, target, port)
    }

    fn start(yaml: &str, target: Server, port: u16) -> Self {
        // Programs and their issuers tell the time by the machine's clock.
        let proxy = Proxy::start_in(folder(), yaml, Clock::system().now());
        Self { proxy, target, port, state: folder() }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    fn issuer(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = process::vestibule(arguments);
        command.arg("--ca-file").arg(self.proxy.folder().join("ca.pem")).env("XDG_STATE_HOME", &self.state);
        command
    }

    fn begin(&self, arguments: &[&str]) -> Process {
        Process::start(self.command(&[&["login", &self.url()][..], arguments].concat()))
    }

    /// Signs in as Ada, in a browser, where the program says.
    #[track_caller]
    fn login(&self, browser: &mut Browser, arguments: &[&str]) -> Finished {
        let process = self.begin(arguments);
        let page = browser.get(&shown(&process, "https://127.0.0.1:"));
        assert_eq!(page.status, 200, "{}", page.text());
        assert!(page.text().contains("command line"), "the page names the client: {}", page.text());
        let back = user_pool::submit_at(&self.issuer(), browser, &page, "ada", PASSWORD);
        assert_eq!(back.status, 303, "{}", back.text());
        assert!(back.location().starts_with("http://127.0.0.1:"), "{}", back.location());
        let end = browser.get(back.location());
        assert_eq!((end.status, end.text().contains("Go back to the terminal")), (200, true), "{}", end.text());
        let finished = process.finish();
        assert_eq!(finished.code, Some(0), "{}", finished.errors);
        finished
    }

    /// Presses the button of the page that asks whether the program may act for Ada, and goes back to the program (attacks U-13).
    #[track_caller]
    fn confirm(&self, browser: &mut Browser, process: &Process) {
        let page = browser.get(&shown(process, "https://127.0.0.1:"));
        for part in ["Give a program access?", "<strong>ada</strong>", "command line", &self.url()] {
            assert!(page.status == 200 && page.text().contains(part), "{part}: {}", page.text());
        }
        let back = user_pool::submit_at(&self.issuer(), browser, &page, "", "");
        assert_eq!((back.status, browser.get(back.location()).status), (303, 200), "{}", back.text());
    }

    /// The only file with tokens.
    fn file(&self) -> PathBuf {
        let files =
            fs::read_dir(self.state.join("vestibule")).expect("a folder").map(|entry| entry.expect("a file").path());
        let mut files = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let file = files.next().expect("a file with tokens");
        assert!(files.next().is_none());
        file
    }

    /// From now on, what is kept has expired.
    fn expire(&self) {
        let file = self.file();
        let mut kept: Value = serde_json::from_str(&fs::read_to_string(&file).expect("text")).expect("JSON");
        for entry in kept["entries"].as_array_mut().expect("a list") {
            entry["expires_at"] = json!(0);
        }
        fs::write(&file, kept.to_string()).expect("written");
    }

    fn with(&self, protocol: Protocol, token: &str) -> Answer {
        let authorization = format!("Bearer {token}");
        let mut client = self.proxy.browser(protocol).scripted();
        client.send("GET", &format!("{}/reports", self.url()), &[("authorization", &authorization)], b"")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.state);
    }
}

/// The address that a program shows, which begins with this.
#[track_caller]
fn shown(process: &Process, start: &str) -> String {
    wait_until("the program shows an address", || {
        let said = process.errors();
        said.lines().map(str::trim).find(|line| line.starts_with(start)).map(str::to_owned)
    })
}

/// A person goes on from page to page: sends each form, with user name and password where they are asked for. Ends where the browser is led to
/// `stop`, or at a page without a form. Returns that address and page.
#[track_caller]
pub fn browse(browser: &mut Browser, url: &str, stop: &str, [username, password]: [&str; 2]) -> (String, Answer) {
    let (mut at, mut page) = browser.follow(url, stop);
    for _ in 0..PAGES_MAX {
        if let Some(location) = page.header("location") {
            return (join(&at, location), page);
        }
        let Some((_, form)) = page.text().split_once("<form") else { return (at, page) };
        let form = form.split("</form>").next().expect("its end");
        let action = attribute(form, "action").expect("an action");
        let inputs = form.split("<input").skip(1);
        let hidden = inputs.filter(|input| input.contains("type=\"hidden\""));
        let mut fields: Vec<(&str, &str)> =
            hidden.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?))).collect();
        if form.contains("name=\"password\"") {
            fields.extend([("username", username), ("password", password)]);
        }
        let address = join(&at, action);
        let answer = browser.post_form(&address, &fields);
        assert!(answer.status < 400, "{address}: {}", answer.text());
        (at, page) = match answer.header("location").map(|location| join(&address, location)) {
            Some(next) if next.starts_with(stop) => return (next, answer),
            Some(next) => browser.follow(&next, stop),
            None => (address, answer),
        };
    }
    panic!("{at}: pages without an end: {}", page.text())
}

fn attribute<'t>(tag: &'t str, name: &str) -> Option<&'t str> {
    tag.split_once(&format!("{name}=\""))?.1.split('"').next()
}

#[test]
fn a_program_signs_in_at_the_pool_and_the_rule_takes_its_token() {
    let site = Site::documented();
    on_both(|protocol| {
        let mut browser = site.proxy.browser(protocol);
        let finished = site.login(&mut browser, &["--no-browser"]);
        let token = finished.output.strip_suffix('\n').expect("one line").to_owned();
        assert!(!token.contains(char::is_whitespace) && !finished.errors.contains(&token), "{finished:?}");
        let begun = format!("as the client `cli`, for {}. Scopes: `openid profile email groups`.", site.url());
        assert!(finished.errors.contains(&begun), "{}", finished.errors);
        let answer = site.with(protocol, &token);
        assert_eq!(answer.status, 200, "{}", answer.text());
        let request = site.target.last();
        assert!(request.header("x-amzn-oidc-identity").is_some_and(|subject| subject.len() == 32));
        let claims =
            request.header("x-amzn-oidc-data").expect("claims").split('.').nth(1).expect("a payload").to_owned();
        let claims =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, claims).expect("base64url");
        let claims: Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!((&claims["email"], &claims["groups"]), (&json!("ada@example.com"), &json!(["engineers"])));
        // Browsers sign in at the same rule as ever.
        assert_eq!(browser.get(&site.url()).status, 302);
    });
    assert!(!fs::exists(site.state.join("vestibule")).expect("known"), "nothing is kept unless it is asked for");
}

#[test]
fn what_is_printed_is_what_was_asked_for() {
    let site = Site::documented();
    let mut browser = site.proxy.browser(Protocol::Http2);
    let header = site.login(&mut browser, &["--no-browser", "--header"]).output;
    assert!(header.starts_with("Authorization: Bearer ") && header.lines().count() == 1, "{header}");
    // The browser is signed in at the pool by now: nobody is asked for a password again.
    let process = site.begin(&["--no-browser", "--json", "--scope", "openid"]);
    site.confirm(&mut browser, &process);
    let Finished { output, errors, .. } = process.finish();
    let told: Value = serde_json::from_str(&output).unwrap_or_else(|_| panic!("JSON: {output} {errors}"));
    assert_eq!((&told["resource"], &told["issuer"]), (&json!(site.url()), &json!(site.issuer())));
    assert_eq!((&told["scope"], &told["token_type"]), (&json!("openid"), &json!("Bearer")));
    assert!(told["expires_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{told}");
    // Without the scope, the token does not say the groups that the rule wants.
    let answer = site.with(Protocol::Http1, told["access_token"].as_str().expect("a token"));
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("bearer.not_allowed")));
}

#[test]
fn a_kept_token_is_used_refreshed_once_and_removed() {
    let site = Site::documented();
    let first = site.login(&mut site.proxy.browser(Protocol::Http1), &["--no-browser", "--store"]);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&site.file()), mode(&site.state.join("vestibule"))), (0o600, 0o700));
    // Nobody signs in again, and nobody is asked anything.
    let records = site.proxy.access_log(1).len();
    let again = site.begin(&["--store"]).finish();
    assert_eq!((again.code, &again.output, &*again.errors), (Some(0), &first.output, ""));
    // Two programs at once use one refresh token: each would end the sign-in of the other.
    site.expire();
    let both = [site.begin(&["--store"]), site.begin(&["--store"])].map(Process::finish);
    for finished in &both {
        assert_eq!(finished.code, Some(0), "{}", finished.errors);
        assert_eq!(finished.output, both[0].output);
        assert_ne!(finished.output, first.output);
        assert_eq!(site.with(Protocol::Http2, finished.output.trim_end()).status, 200);
    }
    let issued = r#"vestibule_pool_tokens_issued_total{pool="people",grant="refresh_token"}"#;
    assert_eq!(site.proxy.metric(issued), 1);
    assert!(site.proxy.access_log(records + 1).len() > records);
    // The sign-in outlives the session at the pool, but not the removal.
    let out = Process::start(site.command(&["logout", &site.url()])).finish();
    assert_eq!((out.code, &*out.output), (Some(0), ""), "{}", out.errors);
    assert!(out.errors.contains("takes no tokens back"), "{}", out.errors);
    let kept: Value = serde_json::from_str(&fs::read_to_string(site.file()).expect("text")).expect("JSON");
    assert_eq!(kept, json!({"entries": []}));
    let out = Process::start(site.command(&["logout", &site.url()])).finish();
    assert!(out.code == Some(0) && out.errors.contains("Nothing is stored"), "{}", out.errors);
}

#[test]
fn a_sign_in_that_the_issuer_has_ended_begins_again() {
    let site = Site::documented();
    let mut browser = site.proxy.browser(Protocol::Http1);
    let first = site.login(&mut browser, &["--no-browser", "--store"]);
    site.expire();
    let file = site.file();
    let kept = fs::read_to_string(&file).expect("text");
    let mut broken: Value = serde_json::from_str(&kept).expect("JSON");
    broken["entries"][0]["refresh_token"] = json!("of-nobody");
    fs::write(&file, broken.to_string()).expect("written");
    let process = site.begin(&["--no-browser", "--store"]);
    site.confirm(&mut browser, &process);
    let second = process.finish();
    assert!(
        second.errors.contains("The stored sign-in is over.") && second.errors.contains("invalid_grant"),
        "{}",
        second.errors
    );
    assert_ne!(second.output, first.output);
    assert_eq!(site.with(Protocol::Http1, second.output.trim_end()).status, 200);
}

/// A server that somebody was lured to.
#[test]
fn b_17_b_18_a_hostile_server_gets_and_learns_nothing() {
    let site = Site::documented();
    let kept = site.login(&mut site.proxy.browser(Protocol::Http2), &["--no-browser", "--store"]).output;
    let records = site.proxy.access_log(1).len();
    for metadata in [
        format!("{}/.well-known/oauth-protected-resource", site.url()),
        "https://evil.example/.well-known/oauth-protected-resource".to_owned(),
        "file:///etc/passwd".to_owned(),
    ] {
        let hostile = Server::start(move |_| {
            let challenge = format!("Bearer resource_metadata=\"{metadata}\"");
            Reply::new("401 Unauthorized", &[("www-authenticate", &challenge)], "")
        });
        let url = format!("http://{}/", hostile.address());
        let finished = Process::start(site.command(&["login", &url, "--store", "--no-browser"])).finish();
        assert_eq!((finished.code, &*finished.output), (Some(1), ""), "{}", finished.errors);
        assert!(finished.errors.contains("the metadata of"), "{}", finished.errors);
        let [request] = &hostile.received()[..] else { panic!("one request") };
        assert!(request.header("authorization").is_none());
    }
    // Beside the application: another scheme and another port. Nothing was asked of the application meanwhile.
    let other = Server::start(|_| Reply::new("200 OK", &[], "hello"));
    for url in [
        format!("http://localhost:{}/", other.address().port()),
        format!("http://127.0.0.1:{}/", other.address().port()),
    ] {
        let finished = Process::start(site.command(&["login", &url, "--store", "--no-browser"])).finish();
        assert_eq!((finished.code, &*finished.output), (Some(1), ""), "{}", finished.errors);
        assert!(finished.errors.contains("does not say who issues tokens for it"), "{}", finished.errors);
    }
    assert_eq!(site.begin(&["--store"]).finish().output, kept, "and the application still has its token");
    let records = site.proxy.access_log(records);
    assert!(records.iter().all(|record| !record.to_string().contains(kept.trim_end())));
}

#[test]
fn b_19_what_a_server_says_is_shown_without_what_a_terminal_obeys() {
    let issuer = Server::start(|_| Reply::new("404 Not Found", &[], ""));
    let at = issuer.address().to_string();
    issuer.script(move |request| {
        let base = format!("http://{at}");
        let body = match request.target() {
            "/.well-known/oauth-protected-resource" => {
                json!({"resource": base, "authorization_servers": [base], "vestibule_client_id": "cli\u{1b}[31m"})
            }
            "/.well-known/openid-configuration" => {
                json!({"issuer": base, "token_endpoint": format!("{base}/token"), "device_authorization_endpoint": format!("{base}/device")})
            }
            "/device" => {
                let refusal = json!({"error": "access_denied\u{1b}[2J", "error_description": "\u{1b}]0;owned\u{7}no\r\n\u{202e}"});
                return Reply::new("400 Bad Request", &[("content-type", "application/json")], refusal.to_string());
            }
            _ => {
                let challenge = format!("Bearer resource_metadata=\"{base}/.well-known/oauth-protected-resource\"");
                return Reply::new("401 Unauthorized", &[("www-authenticate", &challenge)], "");
            }
        };
        Reply::new("200 OK", &[("content-type", "application/json")], body.to_string())
    });
    let url = format!("http://{}/", issuer.address());
    let mut command = process::vestibule(&["login", &url, "--no-browser"]);
    command.env("XDG_STATE_HOME", "/nonexistent");
    let finished = Process::start(command).finish();
    assert_eq!((finished.code, &*finished.output), (Some(1), ""));
    let shown = finished.errors.replace('\n', "");
    assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
    assert!(shown.contains("access_denied[2J (]0;ownedno)") && shown.contains("the client `cli[31m`"), "{shown}");
}

#[test]
fn wrong_use_says_what_to_write() {
    for (arguments, expected) in [
        (&["login", "app.example.com"][..], "relative URL without a base"),
        (&["login", "http://app.example.com"], "is not https"),
        (&["login", "ftp://app.example.com"], "write https://"),
        (&["login", "https://app.example.com", "--flow", "x"], "auto, browser or device"),
        (&["login", "https://app.example.com", "--redirect-uri", "http://0.0.0.0/"], "127.0.0.1"),
        (&["login", "https://app.example.com", "--json", "--header"], "cannot be used with"),
        (&["logout", "http://app.example.com"], "is not https"),
    ] {
        let finished = Process::start(process::vestibule(arguments)).finish();
        assert_eq!((finished.code, &*finished.output), (Some(2), ""), "{arguments:?}: {}", finished.errors);
        assert!(finished.errors.contains(expected), "{arguments:?}: {}", finished.errors);
    }
}

/// A certificate of an authority that only the company trusts is the usual case of a first sign-in.
#[test]
fn a_server_of_an_unknown_authority_is_told_with_what_to_do() {
    let site = Site::documented();
    let finished = Process::start(process::vestibule(&["login", &site.url()])).finish();
    assert_eq!((finished.code, &*finished.output), (Some(1), ""), "{}", finished.errors);
    let expected = "the certificate of the server is of an authority that this machine does not trust: if you trust it, name its file with --ca-file";
    assert!(finished.errors.contains(expected), "{}", finished.errors);
    assert!(finished.errors.contains("UnknownIssuer"), "the cause stays: {}", finished.errors);
    // `logout` calls the issuer of what is kept.
    site.login(&mut site.proxy.browser(Protocol::Http1), &["--no-browser", "--store"]);
    let mut command = process::vestibule(&["logout", &site.url()]);
    command.env("XDG_STATE_HOME", &site.state);
    let finished = Process::start(command).finish();
    assert_eq!((finished.code, &*finished.output), (Some(1), ""), "{}", finished.errors);
    assert!(finished.errors.contains(expected), "{}", finished.errors);
}

#[test]
fn a_program_registers_and_signs_in_on_another_device_at_a_provider_that_nobody_here_wrote() {
    let provider = OidcProvider::start(&json!({"device_flow": true, "registration": true, "resources": true}));
    let site = Site::with_provider(&provider, target::echo(), "scope: mcp");
    let process = site.begin(&["--store"]);
    let address = shown(&process, &format!("{}/device?user_code=", provider.url()));
    let mut browser = site.proxy.browser(Protocol::Http1);
    let (_, last) = browse(&mut browser, &address, "none:", provider.person());
    assert!(last.status == 200 && !last.text().contains("<form"), "{}", last.text());
    let finished = process.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
    on_both(|protocol| {
        assert_eq!(site.with(protocol, finished.output.trim_end()).status, 200);
        assert_eq!(site.target.last().header("x-amzn-oidc-identity"), Some("alice"));
    });
    site.expire();
    let next = site.begin(&["--store"]).finish();
    assert_eq!((next.code, &*next.errors), (Some(0), ""));
    assert_ne!(next.output, finished.output);
    let out = Process::start(site.command(&["logout", &site.url()])).finish();
    assert!(out.code == Some(0) && out.errors.contains(", also at "), "{}", out.errors);
}

#[test]
fn a_program_signs_in_by_a_browser_at_a_provider_that_nobody_here_wrote() {
    let provider = OidcProvider::start(&json!({"registration": true, "resources": true}));
    let site = Site::with_provider(&provider, target::echo(), "scope: mcp");
    let process = site.begin(&["--no-browser"]);
    let address = shown(&process, &format!("{}/auth?", provider.url()));
    let mut browser = site.proxy.browser(Protocol::Http1);
    let redirect = crate::harness::scenario::parameter(&address, "redirect_uri").expect("where it comes back to");
    let (back, _) = browse(&mut browser, &address, &redirect, provider.person());
    assert_eq!(browser.get(&back).status, 200);
    let finished = process.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
    on_both(|protocol| assert_eq!(site.with(protocol, finished.output.trim_end()).status, 200));
}
