//! The real proxy, in this process, on free ports, with a clock that the test moves.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use vestibule::app::App;
use vestibule::clock::{Clock, ManualClock, Timestamp};
use vestibule::config;
use vestibule::config::document::source::Source;
use vestibule::config::{Attempt, MissingKeys};

use super::browser::{Browser, Protocol};
use super::certificates;
use super::provider::Provider;
use super::server::{DEADLINE, Server};

/// When every test begins: 2026-11-24 08:00 UTC.
pub const START: Timestamp = Timestamp::from_seconds(1_795_507_200);

/// The rules that attacks are tried on: what is public, what is denied, what is let pass, and the rest behind a login.
pub const ATTACK_RULES: &str = r#"
      - name: public
        priority: 10
        conditions: [{ path_pattern: ["/public/*", "/assets/*.css"] }]
        actions: [{ type: forward, target_group: app }]
      - name: health
        priority: 11
        conditions: [{ path_pattern: [/healthz] }]
        actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }]
      - name: api
        priority: 20
        conditions: [{ path_pattern: ["/api/*"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
      - name: optional
        priority: 30
        conditions: [{ path_pattern: ["/opt/*"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: allow }
          - { type: forward, target_group: app }
"#;

/// What goes to the application when somebody has signed in.
pub const SIGNED_IN: &str = r#"
      - { type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h }
      - { type: forward, target_group: app }
"#;

/// To the application, whoever asks.
pub const FORWARD: &str = " [{ type: forward, target_group: app }]";

/// What a proxy is started with. The defaults are one `https` listener whose every request needs a login with `corp`.
pub struct Setup {
    pub rules: String,
    pub default_actions: String,
    /// More keys of the listener, indented by four spaces.
    pub listener: String,
    /// More keys of the provider `corp`, indented by four spaces.
    pub provider: String,
    /// More keys of the target group `app`, indented by four spaces.
    pub target_group: String,
    /// `session`, `claims` and whatever else stands at the top.
    pub rest: String,
    issuer: String,
    targets: Vec<String>,
}

impl Setup {
    /// A listener in front of `target`, with logins at `provider`.
    pub fn new(provider: &Provider, target: &Server) -> Self {
        Self::with_issuer(&provider.issuer(), &[target.address().to_string()])
    }

    /// A listener in front of targets, without logins.
    pub fn open(targets: &[std::net::SocketAddr]) -> Self {
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        Self::with_issuer("http://127.0.0.1:1", &targets).default_actions(FORWARD)
    }

    pub fn with_issuer(issuer: &str, targets: &[String]) -> Self {
        Self {
            rules: " []".into(),
            default_actions: SIGNED_IN.into(),
            listener: String::new(),
            provider: String::new(),
            target_group: String::new(),
            rest: "claims: { signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }\n\
                   session: { key_files: [session-key] }\n"
                .into(),
            issuer: issuer.to_owned(),
            targets: targets.to_vec(),
        }
    }

    /// The issuer of the provider `corp`.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn rules(mut self, rules: &str) -> Self {
        self.rules = rules.to_owned();
        self
    }

    pub fn default_actions(mut self, actions: &str) -> Self {
        self.default_actions = actions.to_owned();
        self
    }

    pub fn listener(mut self, keys: &str) -> Self {
        self.listener = keys.to_owned();
        self
    }

    pub fn provider(mut self, keys: &str) -> Self {
        self.provider = keys.to_owned();
        self
    }

    pub fn target_group(mut self, keys: &str) -> Self {
        self.target_group = keys.to_owned();
        self
    }

    pub fn rest(mut self, keys: &str) -> Self {
        self.rest = keys.to_owned();
        self
    }

    pub fn yaml(&self) -> String {
        let Self { rules, default_actions, listener, provider, target_group, rest, issuer, targets } = self;
        format!(
            "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
{listener}
    rules:{rules}
    default_actions:{default_actions}
  - name: plain
    address: 127.0.0.1:0
    protocol: http
    default_actions:
      - {{ type: redirect, protocol: HTTPS, port: '443', status_code: HTTP_301 }}
identity_providers:
  corp:
    issuer: '{issuer}'
    client_id: dashboard
    client_secret: a-client-secret-of-some-length
{provider}
target_groups:
  app:
    targets: {targets:?}
{target_group}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 2
{rest}
"
        )
    }

    /// Starts it.
    #[track_caller]
    pub fn start(&self) -> Proxy {
        Proxy::start(&self.yaml())
    }

    /// Starts it at what the machine's clock says now, for tests with programs that have no other. It stands still there.
    #[track_caller]
    pub fn start_now(&self) -> Proxy {
        Proxy::start_in(folder(), &self.yaml(), Clock::system().now())
    }
}

/// What a reload waits at.
struct Gate {
    begun: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

/// A running proxy.
pub struct Proxy {
    app: Option<App>,
    folder: PathBuf,
    /// What the next reload reads.
    yaml: Arc<Mutex<String>>,
    /// Where the next reload waits.
    gate: Arc<Mutex<Option<Gate>>>,
    pub clock: ManualClock,
}

impl Proxy {
    /// Starts with a whole configuration; relative files are in a folder of its own, with `cert.pem`, `key.pem`, `ca.pem`.
    #[track_caller]
    pub fn start(yaml: &str) -> Self {
        Self::start_in(folder(), yaml, START)
    }

    /// Starts again where another was, with its keys.
    #[track_caller]
    pub fn start_in(folder: PathBuf, yaml: &str, at: Timestamp) -> Self {
        certificates::write_to(&folder);
        let source = Source::text("test.yaml", &folder, yaml);
        let config = config::load(&source, MissingKeys::Make).unwrap_or_else(|problems| panic!("{problems}\n{yaml}"));
        let (clock, hand) = Clock::manual(at);
        let yaml = Arc::new(Mutex::new(yaml.to_owned()));
        let gate: Arc<Mutex<Option<Gate>>> = Arc::default();
        let (read, directory, waits) = (Arc::clone(&yaml), folder.clone(), Arc::clone(&gate));
        let load = Box::new(move || {
            let gate = waits.lock().expect("not poisoned").take();
            if let Some(Gate { begun, go_on }) = gate {
                // A test that has ended waits for nothing.
                let _ = begun.send(());
                let _ = go_on.recv();
            }
            let source = Source::text("test.yaml", &directory, &read.lock().expect("not poisoned"));
            Attempt::source(&source, MissingKeys::Make)
        });
        let app = App::start(config, load, clock).expect("the proxy starts");
        Self { app: Some(app), folder, yaml, gate, clock: hand }
    }

    /// Reloads with another configuration. Returns what is different, or why nothing has changed.
    pub fn reload(&self, yaml: &str) -> Result<String, String> {
        self.prepare(yaml);
        self.app().reload()
    }

    /// The next reload waits before it reads. The first is told when it has begun, and it goes on when the second is dropped.
    pub fn hold_reload(&self) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
        let ((begun, begins), (goes_on, go_on)) = (mpsc::channel(), mpsc::channel());
        *self.gate.lock().expect("not poisoned") = Some(Gate { begun, go_on });
        (begins, goes_on)
    }

    /// The next reload reads this.
    pub fn prepare(&self, yaml: &str) {
        yaml.clone_into(&mut self.yaml.lock().expect("not poisoned"));
    }

    /// The configuration of the last start or reload.
    pub fn yaml(&self) -> String {
        self.yaml.lock().expect("not poisoned").clone()
    }

    fn app(&self) -> &App {
        self.app.as_ref().expect("running")
    }

    /// Where the `https` listener is.
    pub fn address(&self) -> SocketAddr {
        self.app().address("public").expect("there is a listener named public")
    }

    pub fn address_of(&self, listener: &str) -> SocketAddr {
        self.app().address(listener).expect("there is a listener of that name")
    }

    pub fn admin(&self) -> SocketAddr {
        self.app().admin_address()
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn metrics(&self) -> String {
        self.app().metrics()
    }

    /// The value of one series, `name{labels}`; 0 where it does not exist yet.
    pub fn metric(&self, series: &str) -> u64 {
        let metrics = self.metrics();
        let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().expect("a number"))
    }

    /// A browser with an empty jar that finds every name here.
    pub fn browser(&self, protocol: Protocol) -> Browser {
        Browser::new(protocol, self.address())
    }

    /// A browser that has signed in with `provider` as its current user.
    #[track_caller]
    pub fn signed_in(&self, protocol: Protocol, provider: &Provider) -> Browser {
        let mut browser = self.browser(protocol);
        provider.sign_in(&mut browser, "https://app.test/");
        browser
    }

    /// The records of the access log, once there are at least `count`.
    #[track_caller]
    pub fn access_log(&self, count: usize) -> Vec<Value> {
        let path = self.folder.join("access.log");
        wait_until("the access records are written", || {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            // A line that is being written may be seen in part.
            let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
            let records: Vec<Value> =
                whole.lines().map(|line| serde_json::from_str(line).expect("a record is JSON")).collect();
            (records.len() >= count).then_some(records)
        })
    }

    /// Drains and stops; answers whether every request had finished. The folder stays until the value is dropped.
    pub fn shutdown(&mut self) -> bool {
        self.app.take().expect("running").shutdown()
    }

    /// Takes the app out, to drain it on another thread.
    pub fn take(&mut self) -> App {
        self.app.take().expect("running")
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.app.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A new empty folder.
pub fn folder() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("vestibule-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::SeqCst));
    let folder = std::env::temp_dir().join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Waits for what must happen, looking now and then; panics after the deadline.
#[track_caller]
pub fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{what} within the deadline");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A port that nobody has now, for a program whose configuration must name one.
pub fn free_port() -> u16 {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    socket.local_addr().expect("bound").port()
}
