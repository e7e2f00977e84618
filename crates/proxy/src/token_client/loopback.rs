//! Waits on a loopback address for the browser to come back from the sign-in (RFC 8252 §7.3).

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::{Method, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use url::{Host, Url};

use crate::page::Pages;
use crate::page::headers::Frames;
use crate::page::pages::Terminal;
use crate::page::site::NO_FORM;
use crate::page::text::Text;
use crate::secret::Secret;
use crate::token_client::authorization::{Attempt, Callback};
use crate::token_client::error::Error;

/// Most connections at a time. A browser opens some that it does not use.
const CONNECTIONS_MAX: usize = 16;
/// Time to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How many free ports are tried at most, until one is free at both addresses of `localhost`.
const FREE_PORTS_MAX: u32 = 8;
/// Most bytes of a head: a code may be long.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The address that the browser comes back to, as it is registered: a loopback address, of which the port may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redirect(Url);

impl Default for Redirect {
    fn default() -> Self {
        Self(Url::parse("http://127.0.0.1/callback").expect("a URL"))
    }
}

impl FromStr for Redirect {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| "write an address, for example http://127.0.0.1/callback")?;
        let is_bare =
            url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
        if url.scheme() != "http" || addresses(&url).is_empty() || !is_bare {
            return Err("write http, and 127.0.0.1, [::1] or localhost, for example http://127.0.0.1/callback");
        }
        Ok(Self(url))
    }
}

/// The addresses to listen on. Never one that other machines can reach (RFC 8252 §8.3). A browser takes `localhost` for either of two.
fn addresses(url: &Url) -> &'static [IpAddr] {
    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
    match url.host() {
        Some(Host::Ipv4(Ipv4Addr::LOCALHOST)) => &[V4],
        Some(Host::Ipv6(Ipv6Addr::LOCALHOST)) => &[V6],
        Some(Host::Domain("localhost")) => &[V4, V6],
        _ => &[],
    }
}

/// Listening sockets, until the browser has come back.
#[derive(Debug)]
pub(super) struct Loopback {
    listeners: Vec<TcpListener>,
    redirect: Url,
}

impl Loopback {
    /// Listens on the port of `redirect`, or on a free one.
    pub(super) async fn bind(Redirect(url): &Redirect) -> Result<Self, Error> {
        let attempts = if url.port().is_some() { 1 } else { FREE_PORTS_MAX };
        let mut attempt = 1;
        let (listeners, port) = loop {
            match listen(addresses(url), url.port().unwrap_or(0)).await {
                // A port that is free at one address may be in use at the other.
                Err(_) if attempt < attempts => attempt += 1,
                decided => break decided?,
            }
        };
        let mut redirect = url.clone();
        // It has a host, so it can have a port.
        let _ = redirect.set_port(Some(port));
        Ok(Self { listeners, redirect })
    }

    /// The next connection at any of the addresses. If the future is dropped, no connection is lost.
    async fn accept(&self) -> io::Result<TcpStream> {
        let accepted = poll_fn(|context| {
            let mut each = self.listeners.iter().map(|listener| listener.poll_accept(context));
            each.find(Poll::is_ready).unwrap_or(Poll::Pending)
        });
        accepted.await.map(|(stream, _)| stream)
    }

    /// The redirect URI, with its port.
    pub(super) fn uri(&self) -> &str {
        self.redirect.as_str()
    }

    /// Waits for the answer to `attempt`, tells the browser how it went, and closes the sockets. Other requests are answered with a page and change
    /// nothing: any page in the browser could send one.
    ///
    /// If the future is dropped, the sockets are closed and no answer is taken.
    pub(super) async fn wait(self, attempt: &Attempt) -> Result<Secret<String>, Error> {
        let waiting =
            Waiting { attempt, redirect: &self.redirect, pages: Pages::default(), answer: RefCell::default() };
        let mut connections = FuturesUnordered::new();
        loop {
            tokio::select! {
                // Dropping `accept` loses no connection. Nor does dropping `next`: the connections stay in the set.
                accepted = self.accept(), if connections.len() < CONNECTIONS_MAX => {
                    if let Ok(stream) = accepted {
                        connections.push(waiting.serve(stream));
                    }
                }
                Some(()) = connections.next() => {
                    if let Some(answer) = waiting.answer.take() {
                        return answer;
                    }
                }
            }
        }
    }
}

/// Listens at each address on one port, `0` for a free one. An address that this machine does not have is left out, if another one is there: nobody
/// else can listen there either. If another program has the port at one of them, it would get the answer, so none is used.
async fn listen(addresses: &[IpAddr], mut port: u16) -> Result<(Vec<TcpListener>, u16), Error> {
    let (mut listeners, mut absent) = (Vec::new(), None);
    for &ip in addresses {
        let wanted = SocketAddr::new(ip, port);
        let failed = |error| Error::Listen(wanted, error);
        match TcpListener::bind(wanted).await {
            Ok(listener) => {
                port = listener.local_addr().map_err(failed)?.port();
                listeners.push(listener);
            }
            Err(error) if is_absent(&error) => absent = Some(failed(error)),
            Err(error) => return Err(failed(error)),
        }
    }
    match absent {
        Some(error) if listeners.is_empty() => Err(error),
        _ => Ok((listeners, port)),
    }
}

/// Whether a machine does not have an address, or not its family.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(Errno::AFNOSUPPORT.raw_os_error())
}

struct Waiting<'w> {
    attempt: &'w Attempt,
    redirect: &'w Url,
    pages: Pages,
    answer: RefCell<Option<Result<Secret<String>, Error>>>,
}

impl Waiting<'_> {
    /// Answers one request.
    async fn serve(&self, stream: TcpStream) {
        let answer = service_fn(async |request| Ok::<_, Infallible>(self.answer(&request)));
        let served = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(HEAD_BYTES_MAX)
            .keep_alive(false)
            .serve_connection(TokioIo::new(stream), answer)
            .await;
        // A browser that has gone has brought its answer, or none.
        drop(served);
    }

    fn answer(&self, request: &http::Request<Incoming>) -> http::Response<Full<Bytes>> {
        let (status, title, text) = match self.take(request) {
            Some(true) => (StatusCode::OK, Text::TerminalDoneTitle, Text::TerminalDoneAdvice),
            Some(false) => (StatusCode::OK, Text::TerminalFailedTitle, Text::TerminalFailedAdvice),
            None => (StatusCode::NOT_FOUND, Text::TerminalOtherTitle, Text::TerminalOtherAdvice),
        };
        let view = self.pages.view_for(request.headers());
        view.respond(status, &Terminal { view, title, text }, NO_FORM, Frames::Nobody).map(Full::new)
    }

    /// Takes the answer that a request brings. `None` if it brings none, otherwise whether it has a code. The first counts.
    fn take(&self, request: &http::Request<Incoming>) -> Option<bool> {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        // A name of another site that leads to this machine is not ours: DNS rebinding.
        let is_ours = host == Some(self.redirect.authority()) && request.uri().path() == self.redirect.path();
        if request.method() != Method::GET || !is_ours || self.answer.borrow().is_some() {
            return None;
        }
        let answer = match self.attempt.read(request.uri().query().unwrap_or_default()) {
            Callback::Foreign => return None,
            Callback::Code(code) => Ok(code),
            Callback::Refused(error) => Err(error),
        };
        let has_code = answer.is_ok();
        *self.answer.borrow_mut() = Some(answer);
        Some(has_code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_comes_back_to_this_machine_only() {
        for sound in ["http://127.0.0.1/callback", "http://[::1]:8484/", "http://localhost:8080/a/b", "http://127.1/cb"]
        {
            assert!(sound.parse::<Redirect>().is_ok(), "{sound}");
        }
        for other in [
            "",
            "callback",
            "https://127.0.0.1/",
            "http://0.0.0.0/",
            "http://10.0.0.1/cb",
            "http://app.test/cb",
            "http://localhost.evil.test/",
            "http://127.0.0.1/?x",
            "http://127.0.0.1/#x",
            "http://u@127.0.0.1/",
            "com.example.app:/cb",
        ] {
            assert!(other.parse::<Redirect>().is_err(), "{other}");
        }
        assert_eq!(Redirect::default(), "http://127.0.0.1/callback".parse().expect("sound"));
    }
}
