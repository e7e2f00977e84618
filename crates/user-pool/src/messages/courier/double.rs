//! A mail server and a gateway for tests: on loopback, in threads.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::messages::settings::{Credentials, Mail, Security};

/// A mail server that answers each recipient as it is told.
#[derive(Clone, Debug)]
pub(crate) struct MailServer {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    to_recipient: &'static str,
    mails: Vec<String>,
    commands: Vec<String>,
}

impl MailServer {
    pub(crate) fn start(to_recipient: &'static str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let address = listener.local_addr().expect("bound");
        let state = Arc::new(Mutex::new(State { to_recipient, mails: Vec::new(), commands: Vec::new() }));
        let this = Self { address, state };
        let server = this.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let server = server.clone();
                thread::spawn(move || server.serve(stream));
            }
        });
        this
    }

    /// From now on, recipients are answered so.
    pub(crate) fn answer(&self, to_recipient: &'static str) {
        self.state.lock().expect("lock").to_recipient = to_recipient;
    }

    /// What was received, each with its headers.
    pub(crate) fn mails(&self) -> Vec<String> {
        self.state.lock().expect("lock").mails.clone()
    }

    pub(crate) fn commands(&self) -> Vec<String> {
        self.state.lock().expect("lock").commands.clone()
    }

    /// Settings that lead here.
    pub(crate) fn mail(&self) -> Mail {
        Mail {
            host: "127.0.0.1".into(),
            port: self.address.port(),
            security: Security::Plain,
            credentials: Some(Credentials { username: "pool".into(), password: String::from("hunter2").into() }),
            from: "Example Ltd <no-reply@example.com>".parse().expect("an address"),
            reply_to: Some("help@example.com".parse().expect("an address")),
            roots: Vec::new(),
        }
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines().map_while(Result::ok);
        let _ = stream.write_all(b"220 mail.test\r\n");
        while let Some(line) = lines.next() {
            let mut state = self.state.lock().expect("lock");
            state.commands.push(line.clone());
            let answer = match line.split(' ').next().unwrap_or_default() {
                "EHLO" => "250-mail.test\r\n250-AUTH PLAIN\r\n250 8BITMIME",
                "AUTH" => "235 go on",
                "RCPT" => state.to_recipient,
                "DATA" => {
                    drop(state);
                    let _ = stream.write_all(b"354 go on\r\n");
                    let mail: Vec<String> = lines.by_ref().take_while(|line| line != ".").collect();
                    self.state.lock().expect("lock").mails.push(mail.join("\n"));
                    "250 2.0.0 queued as 4711"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            if stream.write_all(format!("{answer}\r\n").as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// Answers one HTTP request with a status. Returns the address, and the request once it has come.
pub(crate) fn gateway(status: u16) -> (SocketAddr, thread::JoinHandle<String>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = listener.local_addr().expect("bound");
    let request = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a line");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
            head.push_str(&line);
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("a body");
        let answer = format!("HTTP/1.1 {status} Answer\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
        head + &String::from_utf8(body).expect("text")
    });
    (address, request)
}
