//! A process in trouble: nobody reads its logs, no descriptor is left, a stranger makes noise, something hangs while it stops.

use std::fmt::Write as _;
use std::io::{PipeReader, PipeWriter, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::harness::app::{folder, wait_until};
use crate::harness::certificates;
use crate::harness::process;
use crate::harness::raw::{self, Raw};
use crate::harness::server::{DEADLINE, Reply, Server};

/// What no stop may take with a drain of one second. It is one second more; the rest is for a machine that is busy.
const STOP_MAX: Duration = Duration::from_secs(12);

/// `vestibule serve` with a listener for HTTP (`/ok` is answered by itself, the rest goes to the target) and one for HTTPS.
struct Served {
    child: Child,
    folder: PathBuf,
    plain: SocketAddr,
    secure: SocketAddr,
    admin: SocketAddr,
}

/// How it is started.
struct Start<'s> {
    target: SocketAddr,
    /// More of the file.
    rest: &'s str,
    /// Before the program: `ulimit -n 40 &&`.
    shell: &'s str,
    stdout: Stdio,
    stderr: Stdio,
}

impl Start<'_> {
    fn new(target: SocketAddr) -> Self {
        Start {
            target,
            rest: "shutdown: { delay: 0s, drain_timeout: 1s }",
            shell: "",
            stdout: Stdio::null(),
            stderr: Stdio::null(),
        }
    }

    #[track_caller]
    fn serve(self) -> Served {
        let folder = folder();
        certificates::write_to(&folder);
        let [plain, secure, admin] = free_addresses();
        let Start { target, rest, .. } = self;
        std::fs::create_dir(folder.join("site")).expect("the folder is writable");
        let file = folder.join("vestibule.yaml");
        let yaml = format!(
            "
listeners:
  - name: plain
    address: {plain}
    protocol: http
    rules:
      - name: ok
        priority: 1
        conditions: [{{ path_pattern: [/ok] }}]
        actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }}]
      - name: files
        priority: 2
        conditions: [{{ path_pattern: [/files/*] }}]
        actions: [{{ type: static, directory: site }}]
    default_actions: [{{ type: forward, target_group: app }}]
  - name: secure
    address: {secure}
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions: [{{ type: forward, target_group: app }}]
target_groups:
  app: {{ targets: ['{target}'] }}
admin: {{ address: '{admin}' }}
workers: 1
{rest}
"
        );
        std::fs::write(&file, yaml).expect("the folder is writable");
        let program = process::vestibule(&["serve", "--config", file.to_str().expect("UTF-8")]);
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{} exec \"$0\" \"$@\"", self.shell)]);
        command.arg(program.get_program()).args(program.get_args());
        let child = command.stdin(Stdio::null()).stdout(self.stdout).stderr(self.stderr).spawn().expect("it starts");
        let mut served = Served { child, folder, plain, secure, admin };
        wait_until("it serves", || {
            assert!(served.child.try_wait().expect("ours").is_none(), "it ended");
            // Bound in the order of the file, the admin endpoint last.
            TcpStream::connect(served.admin).ok()
        });
        served
    }
}

impl Served {
    fn signal(&self, name: &str) {
        process::signal(self.child.id(), name);
    }

    /// Sends the signals one after another, and waits until it has ended.
    #[track_caller]
    fn stop(&mut self, signals: &[&str]) -> ExitStatus {
        let begun = Instant::now();
        for name in signals {
            self.signal(name);
            // Signals that are sent together may be one.
            std::thread::park_timeout(Duration::from_millis(100));
        }
        let status = wait_until("it ends", || self.child.try_wait().expect("it is ours to wait for"));
        assert!(begun.elapsed() < STOP_MAX, "it took {:?}", begun.elapsed());
        status
    }

    /// Asks the listener for plain HTTP, on a connection of its own.
    fn get(&self, path: &str) -> String {
        ask(self.plain, &format!("GET {path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n"))
    }

    fn probe(&self, path: &str) -> String {
        ask(self.admin, &format!("GET {path} HTTP/1.0\r\n\r\n"))
    }

    fn metric(&self, name: &str) -> u64 {
        let metrics = self.probe("/metrics");
        let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.map_or(0, |value| value.parse().expect("a number"))
    }

    /// Makes so many access records.
    fn records(&self, count: usize) {
        let mut stream = TcpStream::connect(self.plain).expect("it accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        let mut answers = String::new();
        for _ in 0..count {
            stream.write_all(b"GET /ok HTTP/1.1\r\nhost: app.test\r\n\r\n").expect("it reads");
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).expect("an answer");
            answers.clear();
            answers.push_str(std::str::from_utf8(&buffer[..read]).expect("ASCII"));
            assert_eq!(raw::status(&answers), 200);
        }
    }

    /// Processor time so far, in hundredths of a second.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("Linux");
        let (_, fields) = stat.rsplit_once(')').expect("a name");
        let fields: Vec<_> = fields.split_whitespace().collect();
        [11, 12].iter().map(|index| fields[*index].parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn free_addresses<const N: usize>() -> [SocketAddr; N] {
    let sockets = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").expect("a port"));
    sockets.map(|socket| socket.local_addr().expect("bound"))
}

fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    stream.write_all(request.as_bytes()).expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

/// A target that answers `/hang` never.
fn target() -> Server {
    Server::start(
        |request| if request.target() == "/hang" { Reply::BytesThenHang(Vec::new()) } else { Reply::text("whole") },
    )
}

fn nobody() -> SocketAddr {
    let [address] = free_addresses();
    address
}

/// A pipe that holds as much as it can.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut filling = writer.try_clone().expect("another end");
    // Ends when the reader is dropped.
    std::thread::spawn(move || filling.write_all(&[b'\n'; 1 << 20]));
    let capacity = rustix::pipe::fcntl_getpipe_size(&reader).expect("Linux");
    let held = || rustix::io::ioctl_fionread(&reader).expect("a pipe");
    wait_until("the pipe is full", || (usize::try_from(held()) == Ok(capacity)).then_some(()));
    (reader, writer)
}

/// Reads what a process wrote to a pipe until it ended.
fn all_of(mut reader: PipeReader) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).expect("UTF-8");
        text
    })
}

#[test]
fn an_access_log_that_nobody_reads_does_not_keep_the_process_from_stopping() {
    const REQUESTS: u64 = 1500;
    for signals in [&["TERM"][..], &["TERM", "TERM"], &["INT", "TERM", "INT"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let (log, said) = std::io::pipe().expect("a pipe");
        let mut served = Start { stdout: writer.into(), stderr: said.into(), ..Start::new(nobody()) }.serve();
        let said = all_of(log);
        served.records(REQUESTS.try_into().expect("small"));
        let status = served.stop(signals);
        assert_eq!(status.code(), Some(1), "{signals:?}: records were lost");
        let read = all_of(reader).join().expect("no panic").matches('\n').count() as u64;
        let said = said.join().expect("no panic");
        let lost = said.lines().rfind(|line| line.contains("access records were lost"));
        let lost: Option<u64> = lost.and_then(|line| line.rsplit_once("records=")?.1.trim().parse().ok());
        // The records of a buffer of 64 KiB that is partly written count as lost.
        let lost = lost.unwrap_or_else(|| panic!("{signals:?}: nothing is said of {}: {said}", REQUESTS - read));
        assert!((REQUESTS - read..=REQUESTS - read + 200).contains(&lost), "{signals:?}: read {read}, lost {lost}");
    }
}

#[test]
fn a_log_that_nobody_reads_does_not_keep_the_process_from_serving_or_stopping() {
    let (_unread, writer) = full_pipe();
    let mut served = Start { stderr: writer.into(), ..Start::new(nobody()) }.serve();
    for _ in 0..20 {
        assert_eq!(raw::status(&served.get("/refused")), 502);
        served.signal("HUP");
    }
    assert_eq!(raw::status(&served.probe("/livez")), 200);
    served.stop(&["TERM"]);
}

#[test]
fn a_second_signal_ends_the_process_at_once_and_still_writes_its_records() {
    let target = target();
    let log = "access_log: { destination: access.log }\nshutdown: { delay: 0s, drain_timeout: 1h }";
    let mut served = Start { rest: log, ..Start::new(target.address()) }.serve();
    let mut client = TcpStream::connect(served.plain).expect("it accepts");
    client.write_all(b"GET /hang HTTP/1.1\r\nhost: app.test\r\n\r\n").expect("it reads");
    target.wait_for(1);
    assert_eq!(served.stop(&["TERM", "INT"]).code(), Some(1));
    let records = std::fs::read_to_string(served.folder.join("access.log")).expect("a log");
    assert!(records.contains("/hang"), "{records}");
}

#[test]
fn a_connection_to_the_admin_endpoint_does_not_hold_the_process_up() {
    let mut served = Start { rest: "shutdown: { delay: 0s, drain_timeout: 1h }", ..Start::new(nobody()) }.serve();
    let _silent = TcpStream::connect(served.admin).expect("it accepts");
    let mut unread = TcpStream::connect(served.admin).expect("it accepts");
    unread.write_all(b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("it reads");
    assert_eq!(served.stop(&["TERM"]).code(), Some(0));
}

#[test]
fn readyz_turns_before_the_listeners_stop() {
    let mut served = Start { rest: "shutdown: { delay: 600s }", ..Start::new(nobody()) }.serve();
    assert_eq!(raw::status(&served.probe("/readyz")), 200);
    served.signal("TERM");
    wait_until("a load balancer is told", || (raw::status(&served.probe("/readyz")) == 503).then_some(()));
    assert_eq!(raw::status(&served.get("/ok")), 200, "and whoever has not heard it yet is served");
    assert_eq!(raw::status(&served.probe("/livez")), 200);
    served.stop(&["TERM"]);
}

#[test]
fn running_out_of_descriptors_is_said_once_and_costs_nothing() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut served = Start { shell: "ulimit -n 48 &&", stderr: writer.into(), ..Start::new(nobody()) }.serve();
    let said = all_of(reader);
    for address in [served.admin, served.plain] {
        let held: Vec<_> = (0..60).map(|_| TcpStream::connect(address).expect("the kernel accepts")).collect();
        let begun = (Instant::now(), served.ticks());
        while begun.0.elapsed() < Duration::from_secs(1) {
            std::thread::park_timeout(Duration::from_millis(50));
        }
        let ticks = served.ticks() - begun.1;
        assert!(ticks < 50, "{address}: {ticks} hundredths of a second of processor time in one second");
        drop(held);
        wait_until("it answers again", || {
            let answer = std::panic::catch_unwind(|| served.probe("/livez"));
            answer.ok().filter(|answer| answer.contains("live"))
        });
    }
    served.stop(&["TERM"]);
    let said = said.join().expect("no panic");
    assert_eq!(said.matches("cannot accept connections").count(), 1, "{said}");
}

#[test]
fn what_a_stranger_causes_does_not_fill_the_log() {
    // Targets that refuse, once for each request; protocol noise, once for each frame.
    for level in ["error", "info"] {
        let rest = format!("log: {{ level: {level} }}\nshutdown: {{ delay: 0s, drain_timeout: 1s }}");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut served = Start { rest: &rest, stderr: writer.into(), ..Start::new(nobody()) }.serve();
        let said = all_of(reader);
        for _ in 0..200 {
            assert_eq!(raw::status(&served.get("/refused")), 502);
        }
        let mut noise = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec();
        for _ in 0..5000 {
            // PING with ACK that nobody asked for.
            noise.extend(b"\0\0\x08\x06\x01\0\0\0\0stranger");
        }
        let mut client = Raw::speaking(b"h2", served.secure, "app.test");
        client.try_send(&noise);
        client.read_soon();
        if level == "info" {
            assert!(served.metric("vestibule_log_lines_skipped_total") >= 100, "they are counted");
        }
        served.stop(&["TERM"]);
        let said = said.join().expect("no panic");
        assert!(said.lines().count() < 120, "{} lines with `level: {level}`: {said}", said.lines().count());
    }
}

#[test]
fn files_that_cannot_be_read_leave_lines_for_other_trouble() {
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut served = Start { stderr: writer.into(), ..Start::new(nobody()) }.serve();
    let said = all_of(reader);
    std::fs::remove_dir(served.folder.join("site")).expect("it is empty");
    for _ in 0..200 {
        assert_eq!(raw::status(&served.get("/files/any")), 500);
    }
    assert_eq!(raw::status(&served.get("/refused")), 502);
    served.stop(&["TERM"]);
    let said = said.join().expect("no panic");
    let about = |reason: &str| said.lines().filter(|line| line.contains(reason)).count();
    assert_eq!((about("static.unreadable"), about("upstream.unreachable")), (30, 1), "{said}");
}

/// Requests with these paths are in the file.
#[track_caller]
fn wait_for_records(file: &Path, path: &str) {
    wait_until(&format!("{path} is in {}", file.display()), || {
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(path)).then_some(())
    });
}

#[test]
fn an_access_log_that_was_moved_away_is_opened_again() {
    let rest = "access_log: { destination: access.log }\nshutdown: { delay: 0s }";
    let mut served = Start { rest, ..Start::new(nobody()) }.serve();
    let (log, moved) = (served.folder.join("access.log"), served.folder.join("access.log.1"));
    served.get("/before");
    wait_for_records(&log, "/before");
    assert_unreadable_for_others(&log);
    std::fs::rename(&log, &moved).expect("moved");
    served.get("/between");
    wait_for_records(&moved, "/between");
    served.signal("USR1");
    wait_until("it is opened again", || log.exists().then_some(()));
    assert_unreadable_for_others(&log);
    served.get("/after");
    wait_for_records(&log, "/after");
    assert!(!std::fs::read_to_string(&moved).expect("a file").contains("/after"));
    assert_eq!(served.stop(&["TERM"]).code(), Some(0));
}

/// Records name users.
#[track_caller]
fn assert_unreadable_for_others(log: &Path) {
    let mode = std::fs::metadata(log).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode & !0o640, 0, "{mode:o}");
}

#[test]
fn logrotate_rotates_the_access_log_with_the_configuration_of_the_manual() {
    // Debian's program, where there is one; the test above does by hand what it does.
    let Some(logrotate) =
        ["/usr/sbin/logrotate", "/usr/bin/logrotate"].into_iter().find(|path| Path::new(path).exists())
    else {
        return;
    };
    let rest = "access_log: { destination: access.log }\nshutdown: { delay: 0s }";
    let mut served = Start { rest, ..Start::new(nobody()) }.serve();
    let log = served.folder.join("access.log");
    served.get("/before");
    wait_for_records(&log, "/before");
    let manual = include_str!("../../docs/OPERATIONS.md");
    let (_, block) = manual.split_once("/var/log/vestibule/access.log {").expect("the manual has a configuration");
    let (block, _) = block.split_once("\n}").expect("it ends");
    let kill = "systemctl kill --signal=USR1 --kill-whom=main vestibule.service";
    assert!(block.contains(kill), "{block}");
    let block = block.replace(kill, &format!("kill -USR1 {}", served.child.id()));
    let mut text = String::new();
    writeln!(text, "{} {{{block}\n}}", log.display()).expect("written");
    let (configuration, state) = (served.folder.join("logrotate.conf"), served.folder.join("logrotate.state"));
    std::fs::write(&configuration, text).expect("written");
    let mut command = Command::new(logrotate);
    command.arg("--force").arg("--state").arg(&state).arg(&configuration);
    let rotated = command.output().expect("it runs");
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    wait_until("it is opened again", || log.exists().then_some(()));
    served.get("/after");
    wait_for_records(&log, "/after");
    wait_for_records(&served.folder.join("access.log.1"), "/before");
    assert_unreadable_for_others(&log);
    assert_unreadable_for_others(&served.folder.join("access.log.1"));
    assert_eq!(served.stop(&["TERM"]).code(), Some(0));
}
