//! `vestibule dev`, as somebody starts it who has just built it, but on a free port and with a folder of its own.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::app::folder;
use super::process::{self, Finished, Process};

/// It is running, and has said where.
pub struct Dev {
    pub address: String,
    pub username: String,
    pub password: String,
    /// All that it printed.
    pub said: String,
    state: State,
    process: Process,
}

/// A state folder, removed with this value.
pub struct State(PathBuf);

impl Dev {
    #[track_caller]
    pub fn start() -> Self {
        Self::start_in(State::new(), &[])
    }

    /// Starts where another was, or with more arguments.
    #[track_caller]
    pub fn start_in(state: State, arguments: &[&str]) -> Self {
        let process = Process::start(process::vestibule(&[&state.arguments()[..], arguments].concat()));
        let said = process.read_until("Press Ctrl-C to stop");
        let after = |label: &str| {
            let line = said.lines().find_map(|line| line.trim_start().strip_prefix(label));
            line.unwrap_or_else(|| panic!("it says {label:?}: {said}")).trim().to_owned()
        };
        let (address, username, password) = (after("Open"), after("User name"), after("Password"));
        Self { address, username, password, said, state, process }
    }

    pub fn folder(&self) -> &Path {
        &self.state.0
    }

    /// Where it listens.
    pub fn socket(&self) -> SocketAddr {
        let port = self.address.rsplit(':').next().and_then(|port| port.parse().ok());
        SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_else(|| panic!("a port: {}", self.address))))
    }

    /// What the names of its session cookie begin with.
    pub fn session_cookie(&self) -> String {
        format!("__Host-vestibule-{}", self.socket().port())
    }

    /// What `tests/node/browser.mjs` needs to know: only the certificate that it made is accepted.
    pub fn settings(&self) -> Value {
        json!({
            "url": format!("{}/", self.address),
            "username": self.username,
            "password": self.password,
            "session_cookie": self.session_cookie(),
            "trust": [self.folder().join("localhost.pem")],
        })
    }

    /// Asks it to stop, as a container engine does; it must drain and end with 0.
    #[track_caller]
    pub fn stop(self) -> State {
        self.stop_by("TERM")
    }

    #[track_caller]
    pub fn stop_by(self, signal: &str) -> State {
        self.process.signal(signal);
        let Finished { code, status, errors, .. } = self.process.finish();
        assert_eq!(code, Some(0), "{status}: {errors}");
        self.state
    }
}

impl State {
    pub fn new() -> Self {
        Self(folder().join("state"))
    }

    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// A free port, and this folder.
    pub fn arguments(&self) -> [&str; 5] {
        ["dev", "--port", "0", "--state", self.0.to_str().expect("UTF-8")]
    }
}

impl Drop for State {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.0.parent().expect("a folder of ours"));
    }
}
