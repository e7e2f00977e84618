//! A client that behaves like a browser where it matters here: it keeps cookies by RFC 6265bis, says that it navigates, and
//! follows redirects only when it is told to.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_rustls::TlsConnector;

use super::authorities::ClientCertificate;
use super::{certificates, runtime};

/// What HTTP to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http1,
    Http2,
}

/// Runs a test on both protocols.
pub fn on_both(test: impl Fn(Protocol)) {
    for protocol in [Protocol::Http1, Protocol::Http2] {
        test(protocol);
    }
}

/// A browser gives up after so many, at most (Fetch §4.4).
const REDIRECTS_MAX: usize = 20;

/// Where a reference on a page leads.
#[track_caller]
pub fn join(base: &str, reference: &str) -> String {
    let base = url::Url::parse(base).expect("an absolute URL");
    base.join(reference).unwrap_or_else(|error| panic!("{reference}: {error}")).into()
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    pub trailers: HeaderMap,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("JSON: {:?}", self.text()))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    #[track_caller]
    pub fn location(&self) -> &str {
        self.header("location").unwrap_or_else(|| panic!("a redirect: {self:?}"))
    }

    /// `Set-Cookie` lines.
    pub fn set_cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|value| value.to_str().expect("ASCII")).collect()
    }

    /// The `Set-Cookie` lines that give the browser a session, under whatever base name.
    pub fn new_session(&self) -> Vec<&str> {
        let is_shard = |line: &&str| {
            let (name, rest) = line.split_once('=').expect("a cookie");
            let number = name.rsplit('-').next().unwrap_or_default();
            !name.contains("-login-")
                && number.len() == 1
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && !rest.contains("Max-Age=0")
        };
        self.set_cookies().into_iter().filter(is_shard).collect()
    }

    /// The whole address of the link with this text on a page of `app.test`.
    #[track_caller]
    pub fn link(&self, text: &str) -> String {
        let (before, _) =
            self.text().split_once(&format!(">{text}</a>")).unwrap_or_else(|| panic!("{text:?} in {}", self.text()));
        let (_, href) = before.rsplit_once("href=\"").expect("an address");
        join("https://app.test/", &href.split('"').next().expect("its end").replace("&#38;", "&").replace("&amp;", "&"))
    }

    /// The reason code of one of our own answers, from its JSON, HTML or text.
    pub fn reason(&self) -> Option<String> {
        if let Ok(json) = serde_json::from_slice::<serde_json::Value>(&self.body) {
            return json["error"].as_str().map(str::to_owned);
        }
        let text = self.text();
        if let Some((_, rest)) = text.split_once("<code>") {
            return rest.split('<').next().map(str::to_owned);
        }
        text.split([' ', ':']).nth(1).map(str::to_owned)
    }
}

/// A browser with an empty cookie jar.
#[derive(Clone, Debug)]
pub struct Browser {
    protocol: Protocol,
    hosts: BTreeMap<String, SocketAddr>,
    /// Where every `https` name that `hosts` does not know is.
    default: Option<SocketAddr>,
    /// By host and name. No expiry: a test moves the clock of the proxy, which must not trust the browser's.
    cookies: BTreeMap<(String, String), String>,
    /// Sent with every request unless a request says otherwise.
    pub headers: Vec<(String, String)>,
    /// The local address to come from; `127.0.0.1` unless set.
    pub from: Option<std::net::IpAddr>,
    /// What it shows to servers that ask for a certificate.
    certificate: Option<ClientCertificate>,
}

impl Browser {
    /// A browser that finds every name at `address`.
    pub fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self {
            protocol,
            hosts: BTreeMap::new(),
            default: Some(address),
            cookies: BTreeMap::new(),
            headers: vec![
                ("accept".into(), "text/html,application/xhtml+xml,*/*;q=0.8".into()),
                ("sec-fetch-mode".into(), "navigate".into()),
                ("sec-fetch-dest".into(), "document".into()),
                ("user-agent".into(), "test-browser/1".into()),
            ],
            from: None,
            certificate: None,
        }
    }

    /// A browser that shows a certificate.
    pub fn with_certificate(mut self, who: &ClientCertificate) -> Self {
        self.certificate = Some(who.clone());
        self
    }

    /// Finds every name at another address from now on, as behind a load balancer.
    pub fn move_to(&mut self, address: SocketAddr) {
        self.default = Some(address);
    }

    /// A browser that finds `host` somewhere else.
    pub fn with_host(mut self, host: &str, address: SocketAddr) -> Self {
        self.hosts.insert(host.to_owned(), address);
        self
    }

    /// What a script's `fetch()` says, instead of a navigation.
    pub fn scripted(mut self) -> Self {
        self.headers = vec![
            ("accept".into(), "application/json".into()),
            ("sec-fetch-mode".into(), "cors".into()),
            ("sec-fetch-dest".into(), "empty".into()),
        ];
        self
    }

    /// Navigates.
    #[track_caller]
    pub fn get(&mut self, url: &str) -> Answer {
        self.send("GET", url, &[], b"")
    }

    /// Sends any request; `headers` win over the browser's own.
    #[track_caller]
    pub fn send(&mut self, method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let answer = self.try_send(method, url, headers, body);
        answer.unwrap_or_else(|error| panic!("{method} {url} is answered: {error}"))
    }

    /// Goes to `url`, and on while it is sent on, until an answer is no redirect or leads to `stop`; answers where that
    /// was, with the answer.
    #[track_caller]
    pub fn follow(&mut self, url: &str, stop: &str) -> (String, Answer) {
        let mut url = url.to_owned();
        for _ in 0..REDIRECTS_MAX {
            let answer = self.get(&url);
            let Some(location) = answer.header("location") else { return (url, answer) };
            let next = join(&url, location);
            if next.starts_with(stop) {
                return (url, answer);
            }
            url = next;
        }
        panic!("{url}: redirects without an end");
    }

    /// Posts a form.
    #[track_caller]
    pub fn post_form(&mut self, url: &str, fields: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send("POST", url, &[("content-type", "application/x-www-form-urlencoded")], body.as_bytes())
    }

    /// Sends a request that may be answered by a closed connection or a reset stream.
    pub fn try_send(
        &mut self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, String> {
        let parsed = url::Url::parse(url).map_err(|error| error.to_string())?;
        let host = parsed.host_str().expect("a host").to_owned();
        let path = match url.splitn(4, '/').nth(3) {
            Some(path) => format!("/{}", path.split('#').next().unwrap_or_default()),
            None => "/".to_owned(),
        };
        let authority = match parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.clone(),
        };
        let is_https = parsed.scheme() == "https";
        // As browsers do: HTTP/2 only where TLS agreed on it.
        let protocol = if is_https { self.protocol } else { Protocol::Http1 };
        let request = self.request(protocol, method, (&authority, &host, &path), headers, body)?;
        let address = self.address(&host, parsed.port());
        let answer = runtime().block_on(exchange(
            protocol,
            address,
            &host,
            is_https,
            (self.from, self.certificate.as_ref()),
            request,
        ))?;
        self.keep(&host, &answer);
        Ok(answer)
    }

    fn request(
        &self,
        protocol: Protocol,
        method: &str,
        (authority, host, path): (&str, &str, &str),
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Request<Full<Bytes>>, String> {
        let method = Method::from_bytes(method.as_bytes()).map_err(|error| error.to_string())?;
        let mut builder = Request::builder().method(method);
        builder = match protocol {
            Protocol::Http1 => builder.uri(path).header("host", authority),
            Protocol::Http2 => builder.uri(format!("https://{authority}{path}")),
        };
        let own = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let own = own.filter(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
        for (name, value) in own.chain(headers.iter().copied()) {
            // The value as bytes, so that a test can send what is not ASCII.
            let value = http::HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
            builder = builder.header(name, value);
        }
        let cookies = self.cookie_header(host);
        if !cookies.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("cookie")) {
            builder = builder.header("cookie", cookies);
        }
        builder.body(Full::from(body.to_vec())).map_err(|error| error.to_string())
    }

    fn address(&self, host: &str, port: Option<u16>) -> SocketAddr {
        let known = self.hosts.get(host).copied();
        let literal = || host.parse().ok().zip(port).map(|(ip, port)| SocketAddr::new(ip, port));
        known.or_else(literal).or(self.default).expect("the browser knows the host")
    }

    /// The `Cookie` field for a host.
    pub fn cookie_header(&self, host: &str) -> String {
        let ours = self.cookies.iter().filter(|((known, _), _)| known == host);
        ours.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// The names of the cookies of a host, but for the number of logins, which a browser drops after a minute.
    pub fn cookie_names(&self, host: &str) -> Vec<String> {
        let is_listed = |(known, name): &&(String, String)| known == host && !name.ends_with("-login-rounds");
        self.cookies.keys().filter(is_listed).map(|(_, name)| name.clone()).collect()
    }

    pub fn cookie(&self, host: &str, name: &str) -> Option<String> {
        self.cookies.get(&(host.to_owned(), name.to_owned())).cloned()
    }

    pub fn set_cookie(&mut self, host: &str, name: &str, value: &str) {
        self.cookies.insert((host.to_owned(), name.to_owned()), value.to_owned());
    }

    pub fn forget_cookies(&mut self) {
        self.cookies.clear();
    }

    /// RFC 6265bis §5.7, with what `__Host-` demands (§4.1.3.2).
    fn keep(&mut self, host: &str, answer: &Answer) {
        for line in answer.set_cookies() {
            let mut parts = line.split(';').map(str::trim);
            let (name, value) = parts.next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
            if name.starts_with("__Host-") {
                let has = |wanted: &str| attributes.iter().any(|attribute| attribute == wanted);
                let has_domain = attributes.iter().any(|attribute| attribute.starts_with("domain"));
                assert!(has("secure") && has("path=/") && !has_domain, "a browser drops this: {line}");
            }
            assert!(line.len() <= 4096, "a browser drops this: {} bytes", line.len());
            let key = (host.to_owned(), name.to_owned());
            let ends = |attribute: &String| attribute == "max-age=0" || attribute.ends_with(" 1970 00:00:00 gmt");
            if attributes.iter().any(ends) {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, value.to_owned());
            }
        }
    }
}

async fn exchange(
    protocol: Protocol,
    address: SocketAddr,
    host: &str,
    is_https: bool,
    (from, who): (Option<std::net::IpAddr>, Option<&ClientCertificate>),
    request: Request<Full<Bytes>>,
) -> Result<Answer, String> {
    let exchanging = async {
        let socket = tokio::net::TcpSocket::new_v4().map_err(|error| error.to_string())?;
        if let Some(from) = from {
            socket.bind(SocketAddr::new(from, 0)).map_err(|error| error.to_string())?;
        }
        let stream = socket.connect(address).await.map_err(|error| error.to_string())?;
        if !is_https {
            return over(protocol, stream, request).await;
        }
        let alpn: &[u8] = if protocol == Protocol::Http2 { b"h2" } else { b"http/1.1" };
        let name = rustls_pki_types::ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|error| error.to_string())?;
        let client = who.map(|who| who.client(rustls::ALL_VERSIONS, &[alpn]));
        let connector = TlsConnector::from(client.unwrap_or_else(|| certificates::client(&[alpn])));
        let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        over(protocol, stream, request).await
    };
    tokio::time::timeout(super::server::DEADLINE, exchanging).await.map_err(|_| "no answer in time".to_owned())?
}

async fn over<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static>(
    protocol: Protocol,
    stream: T,
    request: Request<Full<Bytes>>,
) -> Result<Answer, String> {
    let io = TokioIo::new(stream);
    let response = match protocol {
        Protocol::Http1 => {
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(io).await.map_err(|error| error.to_string())?;
            tokio::spawn(connection.with_upgrades());
            sender.send_request(request).await
        }
        Protocol::Http2 => {
            // As browsers, which read heads of a quarter of a megabyte.
            let mut builder = hyper::client::conn::http2::Builder::new(TokioExecutor::new());
            let (mut sender, connection) =
                builder.max_header_list_size(256 * 1024).handshake(io).await.map_err(|error| error.to_string())?;
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    let (parts, body) = response.map_err(|error| error.to_string())?.into_parts();
    let body = body.collect().await.map_err(|error| error.to_string())?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let body = body.to_bytes().to_vec();
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, trailers })
}

/// Whether an answer sends a browser to sign in, or tells a program to.
pub fn is_challenge(answer: &Answer) -> bool {
    answer.status == StatusCode::UNAUTHORIZED
        || (answer.status == StatusCode::FOUND && answer.location().contains("response_type=code"))
}
