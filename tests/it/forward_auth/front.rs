//! A real proxy in front, with the file that `docs/FORWARD_AUTH.md` shows. Only addresses, ports and file names are changed.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::json;

use crate::harness::app::{Proxy, folder, free_port, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol};
use crate::harness::certificates;
use crate::harness::process::Process;
use crate::harness::provider::Provider;
use crate::harness::server::Server;
use crate::harness::target;

/// Which proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Nginx,
    Caddy,
    /// Over HTTP.
    Envoy,
    EnvoyGrpc,
}

/// A proxy that asks Vestibule about each request to `target`.
pub struct Front {
    pub kind: Kind,
    pub provider: Provider,
    pub target: Server,
    /// Vestibule: the listener `door` is asked.
    pub door: Proxy,
    pub address: SocketAddr,
    pub process: Process,
}

impl Front {
    /// Starts everything.
    #[track_caller]
    pub fn start(kind: Kind) -> Self {
        Self::start_with(kind, |yaml| yaml, |file| file)
    }

    /// Starts everything with a changed configuration of Vestibule, and a changed file of the proxy.
    #[track_caller]
    pub fn start_with(kind: Kind, yaml: impl FnOnce(String) -> String, change: impl FnOnce(String) -> String) -> Self {
        let (provider, target) = (Provider::start(), target::echo());
        provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
        let door = Proxy::start(&yaml(vestibule(kind, &provider.issuer())));
        let (folder, port) = (folder(), free_port());
        certificates::write_to(&folder);
        let of_door = door.address_of("door").to_string();
        let process = kind.start(change(file(kind.file())), &folder, port, &of_door, &target.address().to_string());
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let front = Self { kind, provider, target, door, address, process };
        wait_until("the proxy listens", || {
            assert!(front.process.errors().len() < 1 << 20, "{}", front.process.errors());
            TcpStream::connect(address).ok()
        });
        front
    }

    /// A browser with an empty jar that finds every name at the proxy.
    pub fn browser(&self, protocol: Protocol) -> Browser {
        Browser::new(protocol, self.address)
    }

    /// A browser that has signed in.
    #[track_caller]
    pub fn signed_in(&self, protocol: Protocol) -> Browser {
        let mut browser = self.browser(protocol);
        self.provider.sign_in(&mut browser, "https://app.test/");
        browser
    }
}

impl Kind {
    fn start(self, text: String, folder: &Path, port: u16, door: &str, target: &str) -> Process {
        let at = folder.display();
        let of_envoy = |address: &str| format!("address: {}", address.replace(':', ", port_value: "));
        let text = text.replace("127.0.0.1:9000", door).replace("127.0.0.1:8000", target);
        let text = text.replace(&of_envoy("127.0.0.1:9000"), &of_envoy(door));
        let text = text.replace(&of_envoy("127.0.0.1:8000"), &of_envoy(target));
        match self {
            Self::Nginx => {
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                    .map(|name| format!("{name}_temp_path {at}/{name};\n"))
                    .concat();
                let text = text
                    .replace("events {}", &format!("daemon off; master_process off; pid {at}/pid;\nevents {{}}"))
                    .replace("http {\n", &format!("http {{\naccess_log off;\n{temporary}"))
                    .replace("listen 443 ", &format!("listen 127.0.0.1:{port} "))
                    .replace("app.example.com", "app.test")
                    .replace("login.example.com", "login.test")
                    .replace("/etc/nginx/", &format!("{at}/"));
                let file = written(folder, "nginx.conf", &text);
                let mut command = Command::new("nginx");
                command.args(["-e", "stderr", "-p"]).arg(folder).arg("-c").arg(file);
                Process::start(command)
            }
            Self::Caddy => {
                let text = text
                    .replace("admin off", "admin off\n\tauto_https disable_redirects\n\tpersist_config off")
                    .replace("app.example.com", &format!("https://app.test:{port}"))
                    .replace("login.example.com", &format!("https://login.test:{port}"))
                    .replace("/etc/caddy/", &format!("{at}/"));
                let file = written(folder, "Caddyfile", &text);
                let mut command = Command::new(of_python("caddy"));
                command.env("HOME", folder).args(["run", "--adapter", "caddyfile", "--config"]).arg(file);
                Process::start(command)
            }
            Self::Envoy | Self::EnvoyGrpc => {
                let text = text
                    .replace("address: 0.0.0.0, port_value: 443", &format!("address: 127.0.0.1, port_value: {port}"))
                    .replace("app.example.com", "app.test")
                    .replace("door.example.com", "app.test")
                    .replace("/etc/envoy/door-ca.pem", &format!("{at}/ca.pem"))
                    .replace("/etc/envoy/", &format!("{at}/"));
                let file = written(folder, "envoy.yaml", &text);
                let mut command = Command::new(of_python("envoy"));
                command.args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warn", "--config-path"]);
                command.arg(file);
                Process::start(command)
            }
        }
    }

    /// The first line of its file in the document.
    const fn file(self) -> &'static str {
        match self {
            Self::Nginx => "# nginx.conf",
            Self::Caddy => "# Caddyfile",
            Self::Envoy => "# envoy-http.yaml",
            Self::EnvoyGrpc => "# envoy-grpc.yaml",
        }
    }

    const fn asked_by(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
            Self::EnvoyGrpc => "envoy_grpc",
        }
    }
}

/// The configuration of Vestibule, with the scripted provider.
pub fn vestibule(kind: Kind, issuer: &str) -> String {
    let mut text = file("# vestibule.yaml");
    if kind == Kind::EnvoyGrpc {
        let (before, rest) = text.split_once("  - name: door\n").expect("a listener");
        let (_, after) = rest.split_once("peers: [127.0.0.1/32]\n").expect("its peers");
        let listener =
            file("# vestibule.yaml for envoy_grpc").replace("door.pem", "cert.pem").replace("door-key.pem", "key.pem");
        let (_, listener) = listener.split_once('\n').expect("a line");
        text = format!("{before}{listener}{after}");
    }
    let text = text
        .replace("asked_by: nginx # or traefik, caddy, envoy", &format!("asked_by: {}", kind.asked_by()))
        .replace("127.0.0.1:9000", "127.0.0.1:0")
        .replace("https://login.example.com", issuer)
        .replace("client_id: door", "client_id: dashboard")
        .replace("client_secret_file: /etc/vestibule/client-secret", "client_secret: a-client-secret-of-some-length")
        .replace("/etc/vestibule/", "");
    format!("{text}admin: {{ address: 127.0.0.1:0 }}\naccess_log: {{ destination: access.log }}\nworkers: 1\n")
}

/// `docs/FORWARD_AUTH.md`.
pub fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORWARD_AUTH.md");
    fs::read_to_string(path).expect("docs/FORWARD_AUTH.md")
}

/// The block of the document that begins with this line.
pub fn file(first_line: &str) -> String {
    let document = document();
    let mut blocks = document.split("\n```").filter_map(|block| block.split_once('\n')).map(|(_, block)| block);
    let block = blocks.find(|block| block.lines().next() == Some(first_line));
    format!("{}\n", block.unwrap_or_else(|| panic!("docs/FORWARD_AUTH.md has {first_line}")))
}

fn written(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    fs::write(&file, text).expect("written");
    file
}

/// A program that a package of PyPI has brought.
fn of_python(program: &str) -> PathBuf {
    let python = std::env::var_os("VESTIBULE_TEST_PYTHON").expect("VESTIBULE_TEST_PYTHON: run tests/run");
    Path::new(&python).with_file_name(program)
}

/// Runs something that must not reach the application.
#[track_caller]
pub fn untouched(front: &Front, what: &str, run: impl FnOnce() -> Answer) -> Answer {
    let before = front.target.count();
    let answer = run();
    assert_eq!(front.target.count(), before, "{:?}: {what} reached the application: {answer:?}", front.kind);
    answer
}
