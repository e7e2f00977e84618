//! What the service manager is told (sd_notify(3)), with a socket in its place.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::app::{folder, free_port, wait_until};
use crate::harness::process::{self, Process};
use crate::harness::server::DEADLINE;

/// Hears what processes say to it.
struct Manager {
    folder: PathBuf,
    socket: UnixDatagram,
    ports: [u16; 2],
}

impl Manager {
    fn new() -> Self {
        let folder = folder();
        let socket = UnixDatagram::bind(folder.join("notify")).expect("bound");
        socket.set_read_timeout(Some(DEADLINE)).expect("set");
        Self { folder, socket, ports: [free_port(), free_port()] }
    }

    /// With a short stop, and whatever is in `more`.
    fn configure(&self, more: &str) -> PathBuf {
        let [port, admin] = self.ports;
        let text = format!(
            "
listeners:
  - name: public
    address: 127.0.0.1:{port}
    protocol: http
    default_actions: [{{ type: fixed-response, status_code: 200 }}]
admin: {{ address: 127.0.0.1:{admin} }}
access_log: {{ destination: access.log }}
watch: false
shutdown: {{ delay: 100ms, drain_timeout: 10s }}
{more}"
        );
        let path = self.folder.join("vestibule.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let config = self.configure("");
        let mut command = process::vestibule(&["serve", "--config", config.to_str().expect("UTF-8")]);
        command.args(arguments).env("NOTIFY_SOCKET", self.folder.join("notify"));
        command
    }

    /// The next message.
    #[track_caller]
    fn hears(&self) -> String {
        let mut text = [0; 4096];
        let length = self.socket.recv(&mut text).expect("something is said");
        String::from_utf8(text[..length].to_vec()).expect("UTF-8")
    }

    fn get(&self) -> bool {
        std::net::TcpStream::connect(("127.0.0.1", self.ports[0])).is_ok()
    }
}

#[test]
fn the_manager_hears_that_a_process_serves_reloads_and_stops() {
    let manager = Manager::new();
    let process = Process::start(manager.command(&[]));
    assert_eq!(manager.hears(), "READY=1\nSTATUS=serving\n");
    assert!(manager.get(), "it serves");

    manager.configure("workers: 3");
    process.signal("HUP");
    let reloading = manager.hears();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(manager.hears(), "READY=1\nSTATUS=serving\n");

    manager.configure("wokers: 3");
    process.signal("HUP");
    assert!(manager.hears().starts_with("RELOADING=1\n"));
    let ready = manager.hears();
    assert!(ready.starts_with("READY=1\nSTATUS=serving; the last reload failed: "), "{ready}");
    assert!(ready.contains("1 error in the file") && !ready.contains("wokers"), "other users can read it: {ready}");

    process.signal("TERM");
    assert_eq!(
        manager.hears(),
        "STOPPING=1\nEXTEND_TIMEOUT_USEC=11100000\nSTATUS=stopping; requests are still accepted\n"
    );
    assert_eq!(manager.hears(), "STATUS=stopping; requests in progress are finished\n");
    assert_eq!(process.finish().code, Some(0));
}

#[test]
fn a_manager_that_is_gone_changes_nothing() {
    let manager = Manager::new();
    let process = Process::start(manager.command(&[]));
    assert!(manager.hears().starts_with("READY=1\n"));
    std::fs::remove_file(manager.folder.join("notify")).expect("removed");
    manager.configure("workers: 3");
    process.signal("HUP");
    wait_until("the reload is logged", || process.errors().contains("in force").then_some(()));
    assert!(manager.get(), "it serves");
    process.signal("TERM");
    let ended = process.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert_eq!(ended.errors.matches("the service manager cannot be told").count(), 1, "{}", ended.errors);
}

#[test]
fn the_watchdog_is_fed_while_the_process_is_well() {
    let manager = Manager::new();
    let mut command = manager.command(&[]);
    command.env("WATCHDOG_USEC", "300000");
    let process = Process::start(command);
    assert!(manager.hears().starts_with("READY=1\n"));
    assert_eq!([manager.hears(), manager.hears()], ["WATCHDOG=1\n", "WATCHDOG=1\n"]);
    drop(process);
}

#[cfg(target_os = "linux")]
#[test]
fn the_manager_hears_which_process_has_taken_over() {
    let manager = Manager::new();
    let socket = manager.folder.join("private/socket");
    let arguments = ["--takeover", socket.to_str().expect("UTF-8")];
    let first = Process::start(manager.command(&arguments));
    assert!(manager.hears().starts_with("READY=1\n"));
    let second = Process::start(manager.command(&arguments));
    assert_eq!(manager.hears(), format!("MAINPID={}\n", second.id()));
    // The new one. The old one no longer says anything.
    assert_eq!(manager.hears(), format!("MAINPID={}\nREADY=1\nSTATUS=serving\n", second.id()));
    assert_eq!(first.finish().code, Some(0));
    second.signal("TERM");
    assert!(manager.hears().starts_with("STOPPING=1\n"));
}
