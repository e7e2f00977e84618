//! `healthcheck`: requests `/livez` of a running process, for containers without another HTTP client.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use url::Url;

use crate::config::document::source::Source;
use crate::config::{DEFAULT_ADMIN_ADDRESS, admin_address};

/// Timeout of connecting, sending and each read. Container engines give up after 30 s.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of bytes read of the response.
const ANSWER_BYTES_MAX: u64 = 4096;

/// Checks whether a running process is alive: requests /livez at its admin address.
///
/// Exit code 0 if the response is 200, otherwise 1.
#[derive(Debug, clap::Args)]
pub(crate) struct Healthcheck {
    /// Request this URL. It must begin with http://. Default: /livez on the admin address.
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// Read `admin.address` from this configuration file. Default: /etc/vestibule/vestibule.yaml. If that file does not
    /// exist, the address is 127.0.0.1:9440.
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    config: Option<PathBuf>,
}

/// The configuration file of the container image and the systemd unit.
const CONFIG: &str = "/etc/vestibule/vestibule.yaml";

impl Healthcheck {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let usual = Path::new(CONFIG);
        let (address, host, target) = match (&self.url, self.config.as_deref()) {
            (Some(url), _) => addressed(url)?,
            (None, Some(path)) => configured(path)?,
            (None, None) if usual.exists() => configured(usual)?,
            (None, None) => livez(DEFAULT_ADMIN_ADDRESS),
        };
        let status = ask(address, &host, &target).with_context(|| format!("{address} does not answer"))?;
        if status != 200 {
            bail!("http://{host}{target} answered {status}");
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn configured(path: &Path) -> anyhow::Result<(SocketAddr, String, String)> {
    let address = admin_address(&Source::read(path)?);
    Ok(livez(address.with_context(|| format!("{} has no valid `admin.address`", path.display()))?))
}

fn livez(address: SocketAddr) -> (SocketAddr, String, String) {
    (reachable(address), address.to_string(), "/livez".to_owned())
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

fn addressed(url: &Url) -> anyhow::Result<(SocketAddr, String, String)> {
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
    Ok((address, format!("{host}:{port}"), target))
}

/// Sends one request and returns the status of the response.
fn ask(address: SocketAddr, host: &str, target: &str) -> anyhow::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    status.ok_or_else(|| anyhow!("the answer is not HTTP/1.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers one connection with `answer`, and says what was asked.
    fn answering(answer: &'static str) -> (SocketAddr, std::thread::JoinHandle<String>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte).unwrap();
                asked.extend(byte);
            }
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(asked).unwrap()
        });
        (address, thread)
    }

    #[test]
    fn asks_what_the_url_says_and_reads_the_status() {
        let (address, asked) = answering("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        let check = Healthcheck { url: format!("http://{address}/livez?x=1").parse().ok(), config: None };
        check.run().unwrap();
        assert!(asked.join().unwrap().starts_with(&format!("GET /livez?x=1 HTTP/1.1\r\nhost: {address}\r\n")));
    }

    #[test]
    fn anything_but_200_is_a_failure() {
        for answer in ["HTTP/1.1 503 Service Unavailable\r\n\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 ", ""] {
            let (address, _) = answering(answer);
            let check = Healthcheck { url: format!("http://{address}/livez").parse().ok(), config: None };
            assert!(check.run().is_err(), "{answer:?}");
        }
    }

    #[test]
    fn nobody_there_and_tls_are_failures() {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        for url in [format!("http://{closed}/livez"), format!("https://{closed}/livez")] {
            assert!(Healthcheck { url: url.parse().ok(), config: None }.run().is_err(), "{url}");
        }
    }
}
