//! The access log as syslog messages: of RFC 5424 over UDP (RFC 5426) or TCP (RFC 6587 §3.4.1), and in the form of local programs over a
//! Unix socket.
//!
//! That form is what `syslog(3)` of glibc writes. rsyslog and the journal of systemd expect it there, and read RFC 5424 as text.
//!
//! Runs on the thread that writes the access log, so a syslog server that does not read holds up nothing else.

use std::fmt;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use crate::clock::{Clock, RFC3339_LENGTH, rfc3339};

/// Where messages go, and what they say of the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    pub address: Address,
    pub facility: Facility,
    /// `APP-NAME`: at most 48 visible ASCII characters.
    pub app_name: Box<str>,
}

/// The address of a syslog server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// The path of a datagram socket.
    Unix(PathBuf),
    /// Host and port.
    Udp(Box<str>, u16),
    /// Host and port.
    Tcp(Box<str>, u16),
}

/// The number of a facility (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(pub u8);

/// `informational` (RFC 5424 §6.2.1).
const SEVERITY: u8 = 6;

/// Maximum time to connect, and to wait until a server reads.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Longer records are cut, because a datagram has a maximum length. A line is longer only if a client sends a very long head.
const RECORD_BYTES_MAX: usize = 32 * 1024;

/// Sends lines to a syslog server. Connects when there is something to send, and again after an error.
pub(super) struct Sender {
    settings: Settings,
    connection: Option<Connection>,
    clock: Clock,
    /// The rest of a message after its time, and its beginning.
    priority: String,
    rest: String,
    message: Vec<u8>,
}

enum Connection {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl Sender {
    pub(super) fn new(settings: Settings, clock: Clock) -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host =
            if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) { "-".to_owned() } else { host };
        let (priority, name, process) = (settings.facility.0 * 8 + SEVERITY, &settings.app_name, std::process::id());
        let (priority, rest) = match settings.address {
            Address::Unix(_) => (format!("<{priority}>"), format!(" {name}[{process}]: ")),
            _ => (format!("<{priority}>1 "), format!(" {host} {name} {process} access - ")),
        };
        Self { settings, connection: None, clock, priority, rest, message: Vec::new() }
    }

    /// Sends one line. A connection that has ended since the last line is opened once more.
    fn send(&mut self, line: &[u8]) -> io::Result<()> {
        let time = rfc3339(self.clock.now());
        let local = local_time(&time);
        let time: &[u8] = if matches!(self.settings.address, Address::Unix(_)) { &local } else { &time };
        let line = &line[..line.len().min(RECORD_BYTES_MAX)];
        let length = self.priority.len() + time.len() + self.rest.len() + line.len();
        self.message.clear();
        if matches!(self.settings.address, Address::Tcp(..)) {
            write!(self.message, "{length} ")?;
        }
        for part in [self.priority.as_bytes(), time, self.rest.as_bytes(), line] {
            self.message.extend_from_slice(part);
        }
        if let Some(connection) = &mut self.connection {
            if connection.send(&self.message).is_ok() {
                return Ok(());
            }
            self.connection = None;
        }
        let mut connection = Connection::open(&self.settings.address)?;
        connection.send(&self.message)?;
        self.connection = Some(connection);
        Ok(())
    }
}

/// `Nov 24 08:00:00`, of a time as RFC 3339 writes it. In UTC: servers take their own time for local messages.
fn local_time(time: &[u8; RFC3339_LENGTH]) -> [u8; 15] {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = usize::from((time[5] - b'0') * 10 + time[6] - b'0').clamp(1, 12) - 1;
    let mut text = *b"Jan  1 00:00:00";
    text[..3].copy_from_slice(&MONTHS[3 * month..3 * month + 3]);
    text[4] = if time[8] == b'0' { b' ' } else { time[8] };
    text[5] = time[9];
    text[7..].copy_from_slice(&time[11..19]);
    text
}

impl Write for Sender {
    /// Sends every line of `lines`, which are whole lines.
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        // Otherwise the first message would be lost: TCP takes it and learns only then that nobody reads.
        self.connection.take_if(|connection| connection.has_ended());
        for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            self.send(line)?;
        }
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection {
    fn open(address: &Address) -> io::Result<Self> {
        match address {
            Address::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(TIMEOUT))?;
                Ok(Self::Unix(socket))
            }
            Address::Udp(host, port) => {
                let mut last = io::Error::from(io::ErrorKind::NotFound);
                for address in (&**host, *port).to_socket_addrs()? {
                    let own = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                    match UdpSocket::bind(own).and_then(|socket| socket.connect(address).map(|()| socket)) {
                        Ok(socket) => return Ok(Self::Udp(socket)),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
            Address::Tcp(host, port) => {
                let mut last = io::Error::from(io::ErrorKind::NotFound);
                for address in (&**host, *port).to_socket_addrs()? {
                    match TcpStream::connect_timeout(&address, TIMEOUT) {
                        Ok(stream) => {
                            stream.set_write_timeout(Some(TIMEOUT))?;
                            return Ok(Self::Tcp(stream));
                        }
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// Whether the server has closed the connection.
    fn has_ended(&self) -> bool {
        let Self::Tcp(stream) = self else { return false };
        let _ = stream.set_nonblocking(true);
        let ended = match stream.peek(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        };
        ended || stream.set_nonblocking(false).is_err()
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Unix(socket) => socket.send(message).map(drop),
            Self::Udp(socket) => socket.send(message).map(drop),
            Self::Tcp(stream) => stream.write_all(message),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Udp(host, port) => write!(f, "udp://{host}:{port}"),
            Self::Tcp(host, port) => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::TcpListener;

    use super::*;
    use crate::clock::Timestamp;

    fn sender(address: Address) -> Sender {
        let settings = Settings { address, facility: Facility(16), app_name: "vestibule".into() };
        let (clock, _) = Clock::manual(Timestamp::from_seconds(1_795_507_200));
        let mut sender = Sender::new(settings, clock);
        if sender.rest.ends_with("access - ") {
            sender.rest = " host vestibule 7 access - ".to_owned();
        }
        sender
    }

    #[test]
    fn each_line_is_a_datagram() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut sender = sender(Address::Udp("127.0.0.1".into(), server.local_addr().unwrap().port()));
        sender.write_all(b"{\"a\":1}\n{\"b\":2}\n").unwrap();
        let mut buffer = [0; 1024];
        for record in ["{\"a\":1}", "{\"b\":2}"] {
            let length = server.recv(&mut buffer).unwrap();
            let expected = format!("<134>1 2026-11-24T08:00:00.000Z host vestibule 7 access - {record}");
            assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected);
        }
    }

    #[test]
    fn lines_over_tcp_have_their_length_first_and_a_broken_connection_is_opened_again() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = sender(Address::Tcp("127.0.0.1".into(), server.local_addr().unwrap().port()));
        sender.write_all(b"one\n").unwrap();
        let read = |expected: &str| {
            let mut stream = server.accept().unwrap().0;
            let mut text = vec![0; expected.len()];
            stream.read_exact(&mut text).unwrap();
            assert_eq!(String::from_utf8(text).unwrap(), expected);
        };
        read("61 <134>1 2026-11-24T08:00:00.000Z host vestibule 7 access - one");
        // The server has closed the connection, and the kernel knows it in a moment.
        while !sender.connection.as_ref().is_some_and(Connection::has_ended) {}
        sender.write_all(b"two\n").unwrap();
        read("61 <134>1 2026-11-24T08:00:00.000Z host vestibule 7 access - two");
    }

    #[test]
    fn a_server_that_is_not_there_is_an_error_until_it_is() {
        let path = std::env::temp_dir().join(format!("vestibule-syslog-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let mut sender = sender(Address::Unix(path.clone()));
        assert!(sender.write_all(b"one\n").is_err());
        let server = UnixDatagram::bind(&path).unwrap();
        sender.write_all(b"two\n").unwrap();
        let mut buffer = [0; 1024];
        let length = server.recv(&mut buffer).unwrap();
        let process = std::process::id();
        let expected = format!("<134>Nov 24 08:00:00 vestibule[{process}]: two");
        assert_eq!(std::str::from_utf8(&buffer[..length]).unwrap(), expected, "as syslog(3) of glibc writes it");
        // syslogd was restarted.
        drop(server);
        std::fs::remove_file(&path).unwrap();
        let server = UnixDatagram::bind(&path).unwrap();
        sender.write_all(b"three\n").unwrap();
        let length = server.recv(&mut buffer).unwrap();
        assert!(buffer[..length].ends_with(b"]: three"));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_record_that_no_datagram_holds_is_cut() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let mut sender = sender(Address::Udp("127.0.0.1".into(), server.local_addr().unwrap().port()));
        sender.write_all(&[b'x'; 100_000]).unwrap();
        let mut buffer = vec![0; 100_000];
        let length = server.recv(&mut buffer).unwrap();
        assert!(length > RECORD_BYTES_MAX && length < RECORD_BYTES_MAX + 200, "{length}");
    }
}
