use std::path::PathBuf;

use super::*;

/// Nothing in these tests takes long. It is only reached by a test that fails.
const DEADLINE: Duration = Duration::from_secs(60);

fn manager(name: &str) -> (UnixDatagram, PathBuf) {
    let path = std::env::temp_dir().join(format!("vestibule-notify-{}-{name}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    (socket, path)
}

fn told(path: &std::path::Path) -> ServiceManager {
    ServiceManager::at(path.as_os_str(), &Variables::default()).unwrap()
}

/// A message is heard a moment before it counts as sent.
fn wait_until_sent(told: &ServiceManager) {
    while told.waiting.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
    }
}

#[track_caller]
fn heard(socket: &UnixDatagram) -> String {
    let mut text = [0; 2048];
    let length = socket.recv(&mut text).unwrap();
    String::from_utf8(text[..length].to_vec()).unwrap()
}

#[test]
fn what_the_process_does_is_told_at_a_path() {
    let (socket, path) = manager("path");
    let told = told(&path);
    told.reloading();
    told.reloaded("not ready yet");
    told.ready("serving\nREADY=0");
    assert_eq!(heard(&socket), "READY=1\nSTATUS=serving\n", "a text cannot add a line");
    told.reloading();
    let text = heard(&socket);
    let micros = text.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").and_then(|rest| rest.split('\n').next());
    assert!(micros.is_some_and(|micros| micros.parse::<u64>().is_ok_and(|micros| micros > 0)), "{text}");
    told.reloaded(&"ä".repeat(1000));
    assert_eq!(heard(&socket).len(), "READY=1\nSTATUS=\n".len() + STATUS_BYTES_MAX);
    wait_until_sent(&told);
    assert!(told.lives());
    assert_eq!(heard(&socket), "WATCHDOG=1\n");
    told.reloading();
    assert!(heard(&socket).starts_with("RELOADING=1\n"));
    told.stopping(Duration::from_secs(36), "stopping");
    assert_eq!(heard(&socket), "STOPPING=1\nEXTEND_TIMEOUT_USEC=36000000\nSTATUS=stopping\n");
    told.reloaded("a reload that was under way does not make the process ready again");
    told.stops("finishing requests");
    assert_eq!(heard(&socket), "STATUS=finishing requests\n");
}

#[test]
fn a_process_that_has_a_successor_is_silent() {
    let (socket, path) = manager("succeeded");
    let told = told(&path);
    told.ready("serving");
    assert!(heard(&socket).starts_with("READY=1\n"));
    told.succeeded_by(7);
    // Sent when `succeeded_by` returns.
    socket.set_nonblocking(true).unwrap();
    assert_eq!(heard(&socket), "MAINPID=7\n");
    assert!(!told.lives());
    told.stopping(Duration::from_secs(36), "stopping");
    told.stops("finishing requests");
    assert_eq!(told.waiting.load(Ordering::Relaxed), 0, "nothing is to be sent");
    let is_successor = Variables { is_successor: true, ..Variables::default() };
    ServiceManager::at(path.as_os_str(), &is_successor).unwrap().ready("serving");
    socket.set_nonblocking(false).unwrap();
    assert_eq!(heard(&socket), format!("MAINPID={}\nREADY=1\nSTATUS=serving\n", std::process::id()));
}

#[test]
fn a_manager_that_does_not_read_or_is_gone_holds_up_nothing() {
    let (socket, path) = manager("deaf");
    let told = told(&path);
    told.ready("serving");
    // More than the kernel keeps for the socket (net.unix.max_dgram_qlen), and more than wait here.
    for _ in 0..WAITING_MAX + 1000 {
        told.reloading();
        told.reloaded("serving");
        let _ = told.lives();
    }
    assert!(told.waiting.load(Ordering::Relaxed) <= WAITING_MAX + 1);
    assert_eq!(heard(&socket), "READY=1\nSTATUS=serving\n", "the first one is there");
    drop(socket);
    told.succeeded_by(7);
    std::fs::remove_file(path).unwrap();
    told.stopping(Duration::from_secs(36), "stopping");
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_begins_with_an_at_sign() {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("vestibule-notify-{}", std::process::id());
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let at = |address: &str| ServiceManager::at(address.as_ref(), &Variables::default());
    assert!(at(&format!("@{name}")).unwrap().lives());
    assert_eq!(heard(&socket), "WATCHDOG=1\n");
    for wrong in ["vsock:2:1234", "run/notify", ""] {
        assert!(at(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_watchdog_of_another_process_is_not_ours() {
    let own = std::process::id().to_string();
    let wanted =
        |watchdog, watchdog_process| Variables { watchdog, watchdog_process, ..Variables::default() }.watchdog();
    assert_eq!(wanted(Some("20000000"), Some(&own)), Some(Duration::from_secs(20)));
    assert_eq!(wanted(Some("20000000"), None), Some(Duration::from_secs(20)));
    assert_eq!([wanted(Some("20000000"), Some("1")), wanted(Some("0"), None), wanted(Some("x"), None)], [None; 3]);
    assert_eq!(wanted(None, None), None);
    let of_successor = Variables { watchdog: Some("5"), watchdog_process: Some("1"), is_successor: true };
    assert_eq!(of_successor.watchdog(), Some(Duration::from_micros(5)), "the manager expects it of the main process");
}
