//! A plain HTTP/1.1 server that a test scripts: it keeps what came on the wire, and answers what it is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// `GET /path HTTP/1.1`.
    pub line: String,
    /// In wire order, names as they were written.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Trailer fields, where the body was chunked.
    pub trailers: Vec<(String, String)>,
    /// Which connection, counted from 0, and which request on it.
    pub connection: usize,
    pub turn: usize,
}

impl Received {
    /// Path and query.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The value of the only field of that name; panics where there are two.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        let first = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "two fields named {name}: {:?}", self.headers);
        first
    }

    pub fn body_text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }
}

/// What to do with a request.
pub enum Reply {
    /// These bytes, then the next request.
    Bytes(Vec<u8>),
    /// These bytes, then close.
    BytesThenClose(Vec<u8>),
    /// These bytes, then silence until the test ends or the other side closes.
    BytesThenHang(Vec<u8>),
    /// Close without a word, with a reset.
    Reset,
    /// The head of a 101, then every byte that comes is sent back.
    Switch(Vec<u8>),
}

impl Reply {
    /// A response with a length.
    pub fn new(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len()).into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }

    pub fn json(body: &serde_json::Value) -> Self {
        Self::new("200 OK", &[("content-type", "application/json")], body.to_string())
    }

    pub fn text(body: &str) -> Self {
        Self::new("200 OK", &[("content-type", "text/plain")], body)
    }
}

type Script = dyn Fn(&Received) -> Reply + Send + Sync;

struct Shared {
    script: Mutex<Arc<Script>>,
    received: Mutex<Vec<Received>>,
    changed: Condvar,
    connections: AtomicUsize,
    /// By connection.
    open: Mutex<Vec<(usize, TcpStream)>>,
    is_stopping: AtomicBool,
}

/// A running server. Dropping it closes its socket and every connection.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts on a free loopback port.
    pub fn start(script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().expect("an address"), script)
    }

    /// Starts where another server was.
    pub fn start_at(address: SocketAddr, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) -> Self {
        let socket = TcpListener::bind(address).expect("the port is free");
        let address = socket.local_addr().expect("bound");
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            received: Mutex::default(),
            changed: Condvar::new(),
            connections: AtomicUsize::new(0),
            open: Mutex::default(),
            is_stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = socket.accept() {
                if accepting.is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                let connection = accepting.connections.fetch_add(1, Ordering::SeqCst);
                accepting.open.lock().expect("unpoisoned").push((connection, stream.try_clone().expect("a handle")));
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || serve(&shared, stream, connection));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers differently from now on.
    pub fn script(&self, script: impl Fn(&Received) -> Reply + Send + Sync + 'static) {
        *self.shared.script.lock().expect("unpoisoned") = Arc::new(script);
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().expect("unpoisoned").clone()
    }

    /// The last request; panics where there is none.
    pub fn last(&self) -> Received {
        self.received().pop().expect("a request was received")
    }

    /// How many requests came.
    pub fn count(&self) -> usize {
        self.shared.received.lock().expect("unpoisoned").len()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Waits until that many requests have come.
    pub fn wait_for(&self, count: usize) -> Vec<Received> {
        let received = self.shared.received.lock().expect("unpoisoned");
        let enough = |received: &mut Vec<Received>| received.len() < count;
        let (received, waited) =
            self.shared.changed.wait_timeout_while(received, DEADLINE, enough).expect("unpoisoned");
        assert!(!waited.timed_out(), "{count} requests within the deadline, got {}", received.len());
        received.clone()
    }

    /// Closes every connection; the socket stays open.
    pub fn close_connections(&self) {
        for (_, stream) in self.shared.open.lock().expect("unpoisoned").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// No test waits longer for what must happen.
pub const DEADLINE: Duration = Duration::from_secs(20);

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        self.close_connections();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(shared: &Shared, stream: TcpStream, connection: usize) {
    let mut reader = BufReader::new(stream.try_clone().expect("a handle"));
    let mut writer = stream;
    for turn in 0.. {
        let Some(request) = read_request(&mut reader, &mut writer, connection, turn) else { return };
        let script = Arc::clone(&shared.script.lock().expect("unpoisoned"));
        shared.received.lock().expect("unpoisoned").push(request.clone());
        shared.changed.notify_all();
        let sent = match script(&request) {
            Reply::Bytes(bytes) => writer.write_all(&bytes),
            Reply::BytesThenClose(bytes) => {
                let _ = writer.write_all(&bytes);
                let _ = writer.shutdown(Shutdown::Both);
                return;
            }
            Reply::BytesThenHang(bytes) => {
                let _ = writer.write_all(&bytes);
                let _ = std::io::copy(&mut reader, &mut std::io::sink());
                return;
            }
            Reply::Reset => {
                let socket = socket2::SockRef::from(&writer);
                let _ = socket.set_linger(Some(Duration::ZERO));
                // Only the last handle's end is the connection's.
                shared.open.lock().expect("unpoisoned").retain(|(other, _)| *other != connection);
                return;
            }
            Reply::Switch(head) => {
                let _ = writer.write_all(&head);
                let _ = std::io::copy(&mut reader, &mut writer);
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = Vec::new();
    let read = reader.read_until(b'\n', &mut line).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

fn read_fields(reader: &mut BufReader<TcpStream>) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            return Some(fields);
        }
        let (name, value) = line.split_once(':')?;
        fields.push((name.to_owned(), value.trim().to_owned()));
    }
}

fn read_request(
    reader: &mut BufReader<TcpStream>,
    writer: &mut TcpStream,
    connection: usize,
    turn: usize,
) -> Option<Received> {
    let line = read_line(reader)?;
    let headers = read_fields(reader)?;
    let field = |name: &str| headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, v)| v.clone());
    if field("expect").is_some() {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let (mut body, mut trailers) = (Vec::new(), Vec::new());
    if field("transfer-encoding").is_some() {
        loop {
            let size = usize::from_str_radix(read_line(reader)?.split(';').next()?.trim(), 16).ok()?;
            if size == 0 {
                trailers = read_fields(reader)?;
                break;
            }
            let start = body.len();
            body.resize(start + size, 0);
            reader.read_exact(&mut body[start..]).ok()?;
            read_line(reader)?;
        }
    } else if let Some(length) = field("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    }
    Some(Received { line, headers, body, trailers, connection, turn })
}
