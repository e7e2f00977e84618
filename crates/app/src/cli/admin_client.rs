//! Asks a running process by its admin endpoint.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use url::Url;

use crate::config::document::source::Source;
use crate::config::{self, DEFAULT_ADMIN_ADDRESS, MissingKeys, admin_address};

/// The configuration file of the container image and the systemd unit.
const CONFIG: &str = "/etc/vestibule/vestibule.yaml";

/// Maximum number of bytes read of a response.
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;

/// Which process to ask.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Process {
    /// Request this URL. It must begin with http://. Default: the admin address.
    #[arg(long, value_name = "URL")]
    pub(super) url: Option<Url>,
    /// Read `admin.address` from this configuration file. Default: /etc/vestibule/vestibule.yaml. If that file does not
    /// exist, the address is 127.0.0.1:9440.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(super) config: Option<PathBuf>,
}

/// Where a request goes.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    host: String,
    target: String,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Process {
    /// The endpoint at `path` of the process.
    pub(super) fn endpoint(&self, path: &str) -> anyhow::Result<Endpoint> {
        let usual = Path::new(CONFIG);
        match (&self.url, self.config.as_deref()) {
            (Some(url), _) => addressed(url),
            (None, Some(file)) => configured(file, path),
            (None, None) if usual.exists() => configured(usual, path),
            (None, None) => Ok(at(DEFAULT_ADMIN_ADDRESS, path)),
        }
    }
}

fn configured(file: &Path, path: &str) -> anyhow::Result<Endpoint> {
    let source = Source::read(file)?;
    if let Some(address) = admin_address(&source) {
        return Ok(at(address, path));
    }
    let name = file.display();
    let report = config::load(&source, MissingKeys::Refuse).err().map(|report| format!(":\n{report}"));
    bail!("the address of the process cannot be read from `admin.address` of {name}{}", report.unwrap_or_default())
}

fn at(address: SocketAddr, path: &str) -> Endpoint {
    Endpoint { address: reachable(address), host: address.to_string(), target: path.to_owned() }
}

/// A server on an unspecified address is reached at the loopback address.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn addressed(url: &Url) -> anyhow::Result<Endpoint> {
    if url.scheme() != "http" {
        bail!("{url} is not a plain http URL");
    }
    let host = url.host_str().ok_or_else(|| anyhow!("{url} has no host"))?;
    let port = url.port_or_known_default().unwrap_or(80);
    let address = (host.trim_matches(['[', ']']), port)
        .to_socket_addrs()
        .with_context(|| format!("{host} cannot be resolved"))?
        .next()
        .ok_or_else(|| anyhow!("{host} has no address"))?;
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    Ok(Endpoint { address, host: format!("{host}:{port}"), target })
}

impl Endpoint {
    /// Sends one request. Connecting, sending and each read may take `timeout`.
    pub(super) fn ask(&self, method: &str, timeout: Duration) -> anyhow::Result<Answer> {
        self.try_ask(method, timeout).with_context(|| format!("{} does not answer", self.address))
    }

    fn try_ask(&self, method: &str, timeout: Duration) -> anyhow::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&self.address, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        stream.set_write_timeout(Some(timeout))?;
        let Self { host, target, .. } = self;
        let request = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
        let answer = String::from_utf8_lossy(&answer);
        let digits = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3));
        let status =
            digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| anyhow!("the answer is not HTTP/1.1"))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok(Answer { status, body: body.to_owned() })
    }

    /// For messages.
    pub(super) fn url(&self) -> String {
        format!("http://{}{}", self.host, self.target)
    }
}
