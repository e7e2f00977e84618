//! A new process takes the place of the one that serves: no connection is lost, and what fails changes nothing.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::harness::app::{folder, free_port, wait_until};
use crate::harness::process::{self, Process};
use crate::harness::server::DEADLINE;

/// The configurations and the sockets of the processes of one test.
struct Place {
    folder: PathBuf,
    admin: u16,
}

/// A process with its word.
struct Serving {
    word: String,
    process: Process,
}

impl Place {
    fn new() -> Self {
        Self { folder: folder(), admin: free_port() }
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("private/socket")
    }

    /// A process that answers with `word` on `ports`, with `yaml` for each listener.
    fn configure(&self, word: &str, workers: usize, ports: &[u16], yaml: &str) -> PathBuf {
        let mut text = format!(
            "admin: {{ address: 127.0.0.1:{} }}\naccess_log: {{ destination: access.log }}\nworkers: {workers}\nlisteners:\n",
            self.admin
        );
        for port in ports {
            text.push_str(&format!(
                "  - name: port-{port}
    address: 127.0.0.1:{port}
    protocol: http
    default_actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: {word} }}]
{yaml}"
            ));
        }
        let path = self.folder.join(format!("{word}.yaml"));
        std::fs::write(&path, text).expect("written");
        path
    }

    fn run(&self, config: &Path) -> Process {
        let mut command = process::vestibule(&["serve", "--config", config.to_str().expect("UTF-8"), "--takeover"]);
        command.arg(self.socket());
        Process::start(command)
    }

    /// Starts a process, and waits until it offers its sockets in its turn.
    fn start(&self, word: &str, workers: usize, ports: &[u16], yaml: &str) -> Serving {
        let process = self.run(&self.configure(word, workers, ports, yaml));
        let serving = Serving { word: word.to_owned(), process };
        serving.says("another process can take over");
        serving
    }
}

impl Serving {
    #[track_caller]
    fn says(&self, text: &str) {
        wait_until(&format!("{} says {text:?}", self.word), || {
            let errors = self.process.errors();
            assert!(!errors.contains("error: "), "{errors}");
            errors.contains(text).then_some(())
        });
    }

    /// It ends by itself, in order.
    #[track_caller]
    fn ends(self) {
        let ended = self.process.finish();
        assert_eq!(ended.code, Some(0), "{}", ended.errors);
        assert!(ended.errors.contains("another process has taken over; this one stops"), "{}", ended.errors);
    }
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the port is open");
    stream.set_read_timeout(Some(DEADLINE)).expect("set");
    stream
}

fn send(stream: &mut TcpStream) {
    stream.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").expect("sent");
}

/// The body of the answer. Panics if the connection is lost.
#[track_caller]
fn word(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("a whole answer: {answer:?}"));
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

#[track_caller]
fn ask(port: u16) -> String {
    let mut stream = connect(port);
    send(&mut stream);
    word(stream)
}

/// The second process serves at `port`. The first may still accept a connection that came before it has stopped.
fn is_taken_over(port: u16) {
    wait_until("the second process is asked", || (ask(port) == "second").then_some(()));
}

#[test]
fn processes_take_over_one_after_the_other_and_every_request_is_answered() {
    let (place, ports) = (Place::new(), [free_port(), free_port()]);
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let mut serving = place.start("first", 3, &ports, "");
    assert!(!serving.process.errors().contains("taking over from another process"));
    std::thread::scope(|scope| {
        for port in ports {
            let (is_over, answered) = (&is_over, &answered);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    ask(port);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // More sockets than workers, fewer, the same.
        for (name, workers) in [("second", 1), ("third", 4), ("fourth", 4)] {
            let next = place.start(name, workers, &ports, "");
            let errors = next.process.errors();
            assert!(errors.contains("this process has taken over"), "{errors}");
            std::mem::replace(&mut serving, next).ends();
            assert_eq!([ask(ports[0]), ask(ports[1])], [name, name]);
            let begun = answered.load(Ordering::Relaxed);
            wait_until("requests go on", || (answered.load(Ordering::Relaxed) > begun + 10).then_some(()));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    // The endpoint of the operator went with them.
    let mut admin = connect(place.admin);
    admin.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    assert_eq!(word(admin), "ready\n");
    serving.process.signal("TERM");
    let ended = serving.process.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    assert!(!place.socket().exists(), "the last one takes its socket with it");
}

/// The numbers of workers of the old process and of the new one.
fn what_waits_is_answered(old: usize, new: usize) {
    let (place, port) = (Place::new(), free_port());
    let first = place.start("old", old, &[port], "    limits: { connections_max: 1 }\n");
    // It takes the only place there is. All others wait in the queues of the kernel, one queue for each worker.
    let mut held = connect(port);
    held.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    let mut begin = [0; 12];
    held.read_exact(&mut begin).expect("an answer");
    let mut waiting: Vec<_> = (0..40).map(|_| connect(port)).collect();
    waiting.iter_mut().for_each(send);
    let second = place.start("new", new, &[port], "");
    // The old process may still have accepted one, when it closed the connection that it had.
    let answered: Vec<_> = waiting.into_iter().map(word).collect();
    let by_new = answered.iter().filter(|word| *word == "new").count();
    assert!(by_new > 30, "from {old} workers to {new}: {answered:?}");
    drop(held);
    first.ends();
    drop(second);
}

#[test]
fn connections_that_wait_to_be_accepted_are_answered_by_fewer_workers() {
    what_waits_is_answered(4, 1);
}

#[test]
fn connections_that_wait_to_be_accepted_are_answered_by_more_workers() {
    what_waits_is_answered(1, 3);
}

#[test]
fn listeners_that_only_one_of_them_has_come_and_go() {
    let (place, [both, old, new]) = (Place::new(), [free_port(), free_port(), free_port()]);
    let first = place.start("first", 2, &[both, old], "");
    let mut open = connect(old);
    let second = place.start("second", 2, &[both, new], "");
    assert_eq!(ask(new), "second");
    is_taken_over(both);
    // Accepted before, or waiting: it is served by the process that had the listener.
    send(&mut open);
    assert_eq!(word(open), "first");
    first.ends();
    assert!(TcpStream::connect(("127.0.0.1", old)).is_err(), "nobody listens there");
    drop(second);
}

#[test]
fn a_request_under_way_is_finished_by_the_process_that_has_it() {
    let (place, port) = (Place::new(), free_port());
    let first = place.start("first", 2, &[port], "");
    let mut open = connect(port);
    open.write_all(b"GET / HTTP/1.1\r\nhost: local").expect("sent");
    // It is accepted once another request on the same worker's socket is answered; both workers are asked often enough.
    (0..50).for_each(|_| assert_eq!(ask(port), "first"));
    let second = place.start("second", 2, &[port], "");
    first.says("draining");
    open.write_all(b"host\r\n\r\n").expect("sent");
    assert_eq!(word(open), "first");
    first.ends();
    drop(second);
}

#[test]
fn a_process_that_fails_changes_nothing() {
    let (place, port) = (Place::new(), free_port());
    let first = place.start("first", 2, &[port], "");
    let broken = place.configure("broken", 2, &[port], "    nonsense: true\n");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = place.configure("busy", 2, &[port, taken.local_addr().expect("bound").port()], "");
    for (config, why) in [(broken, "unknown"), (busy, "another process uses this port")] {
        let ended = place.run(&config).finish();
        assert_eq!(ended.code, Some(1), "{}", ended.errors);
        assert!(ended.errors.contains(why), "{}", ended.errors);
        assert_eq!(ask(port), "first");
    }
    first.says("another process wanted to take over and did not; this one goes on");
    // It reloads, and is taken over from, as if nothing had been.
    place.configure("first", 2, &[port], "    limits: { connections_max: 99 }\n");
    first.process.signal("HUP");
    first.says("the new configuration is in force");
    let second = place.start("second", 2, &[port], "");
    first.ends();
    is_taken_over(port);
    drop(second);
}

#[test]
fn a_place_that_others_can_enter_is_refused() {
    let (place, port) = (Place::new(), free_port());
    let directory = place.folder.join("private");
    std::fs::create_dir(&directory).expect("made");
    std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o750)).expect("changed");
    let ended = place.run(&place.configure("first", 1, &[port], "")).finish();
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains("nobody else may enter it (chmod 700)"), "{}", ended.errors);
}

#[test]
fn the_directory_of_systemd_is_the_usual_place() {
    let (place, port) = (Place::new(), free_port());
    let serve = |word: &str, arguments: &[&str]| {
        let config = place.configure(word, 1, &[port], "");
        let mut command = process::vestibule(&["serve", "--config", config.to_str().expect("UTF-8")]);
        command.args(arguments).env("RUNTIME_DIRECTORY", &place.folder);
        Serving { word: word.to_owned(), process: Process::start(command) }
    };
    let first = serve("first", &[]);
    first.says("another process can take over");
    // A process of another configuration with the same directory does not take the place away.
    let (mut other, apart) = (Place::new(), free_port());
    other.folder.clone_from(&place.folder);
    let config = other.configure("other", 1, &[apart], "");
    let mut command = process::vestibule(&["serve", "--config", config.to_str().expect("UTF-8")]);
    command.env("RUNTIME_DIRECTORY", &place.folder);
    let stranger = Serving { word: "other".to_owned(), process: Process::start(command) };
    stranger.says("was --takeover forgotten?");
    let second = serve("second", &["--takeover"]);
    second.says("this process has taken over");
    first.ends();
    is_taken_over(port);
    // It may have said so before it listens.
    wait_until("the other process listens", || TcpStream::connect(("127.0.0.1", apart)).ok());
    assert_eq!(ask(apart), "other");
}

#[test]
fn the_old_process_closes_its_websockets() {
    let (place, port) = (Place::new(), free_port());
    let target = std::net::TcpListener::bind("127.0.0.1:0").expect("bound");
    let forward = format!(
        "    rules:
      - name: socket
        priority: 1
        conditions: [{{ path_pattern: [/socket] }}]
        actions: [{{ type: forward, target_group: app }}]
target_groups:
  app: {{ targets: ['{}'] }}
",
        target.local_addr().expect("bound")
    );
    let first = place.start("first", 2, &[port], &forward);
    let mut client = connect(port);
    client
        .write_all(
            b"GET /socket HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
              sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
        )
        .expect("sent");
    let (mut of_target, _) = target.accept().expect("the proxy connects");
    of_target
        .write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
              sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\x81\x02hi",
        )
        .expect("sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\x81\x02hi") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("101 and a frame");
        head.push(byte[0]);
    }
    let second = place.start("second", 2, &[port], &forward);
    // A closing frame with 1001, going away (RFC 6455 §7.4.1).
    let mut closing = [0; 4];
    client.read_exact(&mut closing).expect("a closing frame");
    assert_eq!((closing[0], u16::from_be_bytes([closing[2], closing[3]])), (0x88, 1001));
    // The client answers, masked, and the target closes.
    client.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9]).expect("sent");
    drop(of_target);
    first.ends();
    is_taken_over(port);
    second.process.signal("TERM");
    assert_eq!(second.process.finish().code, Some(0));
}
