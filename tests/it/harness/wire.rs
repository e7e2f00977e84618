//! A target that the test itself plays, byte by byte, to hold back what it wants.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::app::wait_until;
use super::server::DEADLINE;

/// A listening socket that nobody serves.
pub struct Wire(TcpListener);

impl Wire {
    pub fn listen() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        socket.set_nonblocking(true).expect("a socket");
        Self(socket)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().expect("bound")
    }

    /// The next connection of the proxy.
    pub fn accept(&self) -> End {
        let stream = wait_until("the proxy connects", || self.0.accept().ok()).0;
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        End(stream)
    }
}

/// The target's end of one connection.
pub struct End(TcpStream);

impl End {
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).expect("the proxy reads");
    }

    /// Reads until `end` has come, and not a byte more.
    #[track_caller]
    pub fn read_until(&mut self, end: &str) -> String {
        let mut bytes = Vec::new();
        let mut byte = [0; 1];
        while !bytes.ends_with(end.as_bytes()) {
            match self.0.read(&mut byte) {
                Ok(1) => bytes.push(byte[0]),
                other => panic!("{end:?} comes, got {other:?} after {:?}", String::from_utf8_lossy(&bytes)),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The head of a request.
    #[track_caller]
    pub fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n")
    }

    /// Whether the proxy has closed or reset the connection, after whatever it still sent.
    pub fn is_closed_by_proxy(&mut self) -> bool {
        let mut sink = [0; 4096];
        loop {
            match self.0.read(&mut sink) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                }
            }
        }
    }

    /// Whether a byte comes soon. For what must not come: a `false` takes a moment.
    pub fn has_something(&mut self) -> bool {
        self.0.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        let found = self.0.peek(&mut [0]).is_ok_and(|count| count > 0);
        self.0.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        found
    }

    /// Everything until the proxy closes or resets the connection.
    #[track_caller]
    pub fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        let ended = self.0.read_to_end(&mut bytes);
        let waits = |error: std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        assert!(!ended.is_err_and(waits), "an end, after {:?}", String::from_utf8_lossy(&bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Sends `chunk` again and again until the other side takes no more for a while, or `max` bytes have gone.
    pub fn send_until_it_blocks(&mut self, chunk: &[u8], max: usize) -> usize {
        self.0.set_write_timeout(Some(Duration::from_millis(300))).expect("a timeout");
        let mut sent = 0;
        while sent < max {
            match self.0.write(chunk) {
                Ok(written) => sent += written,
                Err(_) => break,
            }
        }
        sent
    }

    /// Sends what may not arrive any more.
    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> std::io::Result<()> {
        self.0.write_all(bytes.as_ref())
    }

    /// Sends nothing more, and still reads.
    pub fn close_sending(&mut self) {
        self.0.shutdown(Shutdown::Write).expect("it is open");
    }

    pub fn close(self) {
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// A target that closes each connection as soon as it has accepted it, and counts those on which something came all the same.
pub struct Slammer {
    address: SocketAddr,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicUsize,
    got: AtomicUsize,
    is_stopping: AtomicBool,
}

impl Slammer {
    pub fn start() -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = socket.local_addr().expect("bound");
        let counts = Arc::new(Counts::default());
        let counting = Arc::clone(&counts);
        let thread = std::thread::spawn(move || {
            for stream in socket.incoming() {
                let mut stream = stream.expect("a connection");
                if counting.is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                let _ = stream.shutdown(Shutdown::Write);
                counting.connections.fetch_add(1, Ordering::SeqCst);
                let _ = stream.set_read_timeout(Some(DEADLINE));
                if stream.read(&mut [0; 1]).is_ok_and(|count| count > 0) {
                    counting.got.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Self { address, counts, thread: Some(thread) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn connections(&self) -> usize {
        self.counts.connections.load(Ordering::SeqCst)
    }

    /// How many connections something came on.
    pub fn got(&self) -> usize {
        self.counts.got.load(Ordering::SeqCst)
    }
}

impl Drop for Slammer {
    fn drop(&mut self) {
        self.counts.is_stopping.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
