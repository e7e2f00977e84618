//! The service manager passes listening sockets (sd_listen_fds(3)), with this test in its place.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::app::{folder, free_port};
use crate::harness::process::{self, Finished, Process};
use crate::harness::server::DEADLINE;

/// Gives the sockets that a process has as its standard input and output the numbers 3 and 4, and says that they are for the process that
/// takes the place of the shell. `$1` is the number of sockets, `$2` their names, `$3` the process.
const PASS: &str = r#"
count=$1 names=$2 pid=$3; shift 3
case $count in 1) exec 3<&0 </dev/null >/dev/null ;; 2) exec 3<&0 4<&1 </dev/null >/dev/null ;; esac
[ "$pid" = own ] && pid=$$
export LISTEN_FDS="$count" LISTEN_FDNAMES="$names" LISTEN_PID="$pid"
exec "$@"
"#;

/// The manager with the sockets that it keeps, which do not share their addresses (`SO_REUSEPORT`).
struct Manager {
    folder: PathBuf,
    admin: u16,
    sockets: Vec<TcpListener>,
}

impl Manager {
    fn new(sockets: usize) -> Self {
        let socket = |_| TcpListener::bind("127.0.0.1:0").expect("bound");
        Self { folder: folder(), admin: free_port(), sockets: (0..sockets).map(socket).collect() }
    }

    fn address(&self, index: usize) -> SocketAddr {
        self.sockets[index].local_addr().expect("bound")
    }

    fn addresses(&self) -> Vec<SocketAddr> {
        (0..self.sockets.len()).map(|index| self.address(index)).collect()
    }

    /// Three workers, and a listener at each of `addresses` that answers with `word`.
    fn configure(&self, word: &str, addresses: &[SocketAddr]) -> PathBuf {
        let admin = self.admin;
        let mut text = format!(
            "admin: {{ address: 127.0.0.1:{admin} }}\naccess_log: {{ destination: access.log }}\nworkers: 3\nwatch: false
shutdown: {{ delay: 1ms, drain_timeout: 10s }}\nlisteners:\n"
        );
        for address in addresses {
            text.push_str(&format!(
                "  - name: port-{}
    address: {address}
    protocol: http
    default_actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: {word} }}]\n",
                address.port()
            ));
        }
        let path = self.folder.join("vestibule.yaml");
        std::fs::write(&path, text).expect("written");
        path
    }

    /// `vestibule serve` with `sockets`, for the process that `pid` names.
    fn command(sockets: Vec<OwnedFd>, names: &str, pid: &str, config: &Path, more: &[&str]) -> Command {
        Self::announce(sockets.len(), sockets, names, pid, config, more)
    }

    fn announce(count: usize, sockets: Vec<OwnedFd>, names: &str, pid: &str, config: &Path, more: &[&str]) -> Command {
        let vestibule = process::vestibule(&["serve", "--config", config.to_str().expect("UTF-8")]);
        let mut command = Command::new("sh");
        command.args(["-c", PASS, "pass", &count.to_string(), names, pid]);
        command.arg(vestibule.get_program()).args(vestibule.get_args()).args(more);
        let mut sockets = sockets.into_iter();
        command.stdin(sockets.next().map_or_else(Stdio::null, Stdio::from));
        command.stdout(sockets.next().map_or_else(Stdio::null, Stdio::from));
        command
    }

    fn copies(&self) -> Vec<OwnedFd> {
        self.sockets.iter().map(|socket| socket.try_clone().expect("copied").into()).collect()
    }

    fn start(&self, more: &[&str]) -> Process {
        let config = self.folder.join("vestibule.yaml");
        Process::start_with_streams(Self::command(self.copies(), "web:web", "own", &config, more))
    }
}

#[track_caller]
fn says(process: &Process, text: &str) {
    let begun = std::time::Instant::now();
    while !process.errors().contains(text) {
        let errors = process.errors();
        assert!(!errors.contains("Error: ") && begun.elapsed() < DEADLINE, "it does not say {text:?}: {errors}");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

/// A connection with a request.
fn send(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the socket listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("set");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sent");
    stream
}

/// The body of the answer.
#[track_caller]
fn word(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
}

#[track_caller]
fn reload(manager: &Manager) {
    let config = manager.folder.join("vestibule.yaml");
    let reload = process::vestibule(&["reload", "--config", config.to_str().expect("UTF-8")]);
    let Finished { code, output, errors, .. } = Process::start(reload).finish();
    assert_eq!(code, Some(0), "{output}{errors}");
}

#[track_caller]
fn stop(process: Process) {
    process.signal("TERM");
    let ended = process.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
}

#[test]
fn connections_wait_at_passed_sockets_while_no_process_runs() {
    let manager = Manager::new(2);
    let addresses = manager.addresses();
    for word_of in ["first", "second"] {
        manager.configure(word_of, &addresses);
        let early: Vec<_> = addresses.iter().map(|address| send(*address)).collect();
        let process = manager.start(&[]);
        for stream in early {
            assert_eq!(word(stream), word_of);
        }
        for _ in 0..10 {
            assert!(addresses.iter().all(|address| word(send(*address)) == word_of));
        }
        stop(process);
    }
}

#[test]
fn a_reload_keeps_passed_sockets_and_can_take_them_back() {
    let manager = Manager::new(2);
    let addresses = manager.addresses();
    manager.configure("before", &addresses);
    let process = manager.start(&[]);
    assert_eq!(word(send(addresses[0])), "before");

    manager.configure("after", &addresses);
    reload(&manager);
    assert!(addresses.iter().all(|address| word(send(*address)) == "after"));
    manager.configure("less", &addresses[..1]);
    reload(&manager);
    says(&process, "the service manager still listens here");
    let waits = send(addresses[1]);
    manager.configure("again", &addresses);
    reload(&manager);
    assert_eq!(word(waits), "again");
    assert_eq!(word(send(addresses[0])), "again");
    stop(process);
}

#[test]
fn a_process_that_takes_over_gets_passed_sockets_with_the_others() {
    let manager = Manager::new(1);
    let own = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let addresses = [manager.address(0), own];
    let place = manager.folder.join("private/socket");
    let takeover = ["--takeover", place.to_str().expect("UTF-8")];
    manager.configure("first", &addresses);
    let mut process = manager.start(&takeover);
    says(&process, "another process can take over");
    // By hand, and by the service manager, which passes its sockets again.
    for (word_of, is_passed) in [("second", false), ("third", false), ("fourth", true)] {
        let config = manager.configure(word_of, &addresses);
        let sockets = if is_passed { manager.copies() } else { Vec::new() };
        let next = Process::start_with_streams(Manager::command(sockets, "", "own", &config, &takeover));
        says(&next, "another process can take over");
        let before = std::mem::replace(&mut process, next).finish();
        assert_eq!(before.code, Some(0), "{}", before.errors);
        for _ in 0..10 {
            assert_eq!(addresses.map(|address| word(send(address))), [word_of, word_of]);
        }
    }
    stop(process);
}

#[cfg(target_os = "linux")]
#[test]
fn no_program_that_the_process_might_start_gets_passed_sockets() {
    /// `O_CLOEXEC`, as /proc writes it.
    const CLOSED: u32 = 0o2_000_000;
    let manager = Manager::new(2);
    manager.configure("here", &manager.addresses());
    let process = manager.start(&[]);
    assert_eq!(word(send(manager.address(0))), "here");
    let of_process = PathBuf::from(format!("/proc/{}", process.id()));
    let mut sockets = 0;
    for descriptor in std::fs::read_dir(of_process.join("fd")).expect("its descriptors") {
        let descriptor = descriptor.expect("a descriptor");
        let leads_to = std::fs::read_link(descriptor.path()).unwrap_or_default();
        if !leads_to.to_string_lossy().starts_with("socket:") {
            continue;
        }
        let Ok(info) = std::fs::read_to_string(of_process.join("fdinfo").join(descriptor.file_name())) else {
            continue;
        };
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:")).expect("flags").trim();
        let flags = u32::from_str_radix(flags, 8).expect("octal digits");
        assert!(flags & CLOSED != 0, "{descriptor:?} stays open: {flags:o}");
        sockets += 1;
    }
    assert!(sockets >= 2, "{sockets}");
    stop(process);
}

/// How a process ends that cannot use what it is passed.
#[track_caller]
fn refused(command: Command) -> String {
    let Finished { code, errors, .. } = Process::start_with_streams(command).finish();
    assert_eq!(code, Some(1), "{errors}");
    errors
}

#[test]
fn a_socket_that_nobody_wants_is_an_error_that_names_it() {
    let manager = Manager::new(2);
    let own = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let config = manager.configure("never", &[own, manager.address(0)]);
    let errors = refused(Manager::command(manager.copies(), "web:extra.socket", "own", &config, &[]));
    let address = manager.address(1);
    let expected = format!(
        "socket 4 of the service manager (`extra.socket`) listens on {address}, and no listener has this address"
    );
    assert!(errors.contains(&expected), "{errors}");
    assert!(!errors.contains("listening listener.name"), "nothing was bound: {errors}");
    // The admin endpoint may have a socket, too.
    let text = std::fs::read_to_string(&config).expect("it is there");
    let text = text.replace(&format!("127.0.0.1:{}", manager.admin), &address.to_string());
    std::fs::write(&config, text).expect("written");
    let process = manager.start(&[]);
    assert_eq!(word(send(manager.address(0))), "never");
    let mut admin = send(address);
    let mut answer = String::new();
    admin.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    stop(process);
}

#[test]
fn what_is_no_listening_socket_is_an_error_that_names_it() {
    let manager = Manager::new(1);
    let config = manager.configure("never", &[manager.address(0)]);
    let datagrams = UdpSocket::bind("127.0.0.1:0").expect("bound");
    let connected = TcpStream::connect(manager.address(0)).expect("the socket listens");
    for wrong in [OwnedFd::from(datagrams), connected.into()] {
        let errors = refused(Manager::command(vec![wrong], "odd.socket", "own", &config, &[]));
        assert!(
            errors.contains("socket 3 of the service manager (`odd.socket`) is not a TCP socket that listens"),
            "{errors}"
        );
    }
    // More sockets than there are.
    let none = Manager::announce(7, Vec::new(), "", "own", &config, &[]);
    assert!(refused(none).contains("socket 3 of the service manager (`unknown`) is not a TCP socket that listens"));
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let manager = Manager::new(1);
    let config = manager.configure("never", &[manager.address(0)]);
    let errors = refused(Manager::command(manager.copies(), "web", "1", &config, &[]));
    assert!(errors.contains("$LISTEN_FDS is for another process"), "{errors}");
    assert!(errors.contains("another process uses this port"), "{errors}");
}
