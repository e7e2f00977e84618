//! The back channel over the network: one pooled client for one provider.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::Uri;
use http::uri::Scheme;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;

use crate::backchannel::call::{Backchannel, Error};
use crate::crypto::provider;
use crate::message::{WholeRequest, WholeResponse};

/// Most bytes of an answer that are read (attacks C-17, O-06).
pub(crate) const ANSWER_BYTES_MAX: usize = 512 * 1024;
/// For the connection alone, name look-up and TLS included; a provider that cannot be reached is known early.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Below the keep-alive of common servers (nginx: 75 s). Where a server closed earlier, nothing was sent yet and hyper takes
/// another connection.
const POOL_IDLE_TIMEOUT: Duration = Duration::from_secs(55);

/// How calls to one provider leave this process.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Certificate authorities trusted besides the system's, for this provider only (attacks O-07). Empty by default.
    pub roots: Vec<CertificateDer<'static>>,
    /// For one call, from the look-up of the name to the last byte of the answer. 10 s.
    pub timeout: Duration,
    /// Whether `http` is allowed to `localhost` and loopback addresses. `false`.
    pub allow_http_loopback: bool,
    /// Other `host` or `host:port` to which `http` is allowed, because the operator names each of them. Empty by default.
    pub insecure_http_hosts: Vec<Box<str>>,
}

impl Default for Settings {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { roots: Vec::new(), timeout, allow_http_loopback: false, insecure_http_hosts: Vec::new() }
    }
}

/// Calls one provider. Connections are kept; redirects are not followed, and the environment's proxies not used.
#[derive(Debug)]
pub struct Network {
    client: reqwest::Client,
    timeout: Duration,
    allow_http_loopback: bool,
    insecure_http_hosts: Vec<Box<str>>,
}

impl Network {
    /// Prepares a client that trusts the system's certificate authorities and those of `settings`.
    ///
    /// # Errors
    ///
    /// [`Error::Setup`].
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(&settings.roots)?)
            .redirect(reqwest::redirect::Policy::none())
            // A refresh token may be spent by the first try (pitfalls 38).
            .retry(reqwest::retry::never())
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE_TIMEOUT)
            .user_agent(concat!("vestibule/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| Error::Setup(error.into()))?;
        Ok(Self {
            client,
            timeout: settings.timeout,
            allow_http_loopback: settings.allow_http_loopback,
            insecure_http_hosts: settings.insecure_http_hosts.clone(),
        })
    }

    fn check(&self, uri: &Uri) -> Result<(), Error> {
        let is_secure = uri.scheme() == Some(&Scheme::HTTPS);
        let is_plain = uri.scheme() == Some(&Scheme::HTTP);
        let is_local = self.allow_http_loopback && uri.host().is_some_and(is_loopback);
        let is_named = || {
            let authority = uri.host().map(|host| host_and_port(host, uri.port_u16(), 80));
            authority.is_some_and(|authority| self.insecure_http_hosts.contains(&authority))
        };
        if is_secure || (is_plain && (is_local || is_named())) { Ok(()) } else { Err(Error::Insecure) }
    }

    async fn exchange(&self, request: WholeRequest) -> Result<WholeResponse, Error> {
        let request = reqwest::Request::try_from(request).map_err(translate)?;
        let response = self.client.execute(request).await.map_err(translate)?;
        let mut whole = http::Response::builder().status(response.status());
        if let Some(headers) = whole.headers_mut() {
            headers.clone_from(response.headers());
        }
        let body = read(response).await?;
        whole.body(body).map_err(|error| Error::Broken(error.into()))
    }
}

impl Backchannel for Network {
    fn call(&self, request: WholeRequest) -> Pin<Box<dyn Future<Output = Result<WholeResponse, Error>> + Send + '_>> {
        Box::pin(async move {
            self.check(request.uri())?;
            // Dropping the exchange closes its connection: nothing of a late answer is left for the next call.
            tokio::time::timeout(self.timeout, self.exchange(request)).await.unwrap_or(Err(Error::Timeout))
        })
    }
}

/// Whether `host` is this machine (RFC 6761 §6.3; RFC 1122 §3.2.1.3; RFC 4291 §2.5.3).
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    }
}

/// Link-local addresses, where clouds serve the credentials of a machine (169.254.169.254, fe80::/10), and unspecified addresses.
pub fn is_link_local(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_link_local() || address.is_unspecified(),
        Some(url::Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.is_link_local() || address.is_unspecified(),
            None => address.is_unicast_link_local() || address.is_unspecified(),
        },
        Some(url::Host::Domain(_)) | None => false,
    }
}

/// `host` or `host:port` of a URL, as the configuration names a host that is called over plain HTTP: lower-case, without
/// the scheme's own port.
pub fn authority(url: &url::Url) -> Option<Box<str>> {
    let default = if url.scheme() == "https" { 443 } else { 80 };
    Some(host_and_port(url.host_str()?, url.port(), default))
}

fn host_and_port(host: &str, port: Option<u16>, default: u16) -> Box<str> {
    let host = host.to_ascii_lowercase();
    match port.filter(|port| *port != default) {
        Some(port) => format!("{host}:{port}").into(),
        None => host.into(),
    }
}

/// The TLS of calls: with the authorities of the system, and these.
pub(super) fn tls(own: &[CertificateDer<'static>]) -> Result<ClientConfig, Error> {
    let mut roots = RootCertStore::empty();
    // A system without certificates (a bare container) is fine where the provider's own authority is given.
    roots.add_parsable_certificates(provider::system_roots().iter().cloned());
    for root in own {
        roots.add(root.clone()).map_err(|error| Error::Setup(error.into()))?;
    }
    let config = ClientConfig::builder_with_provider(provider::tls())
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Setup(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(config)
}

async fn read(mut response: reqwest::Response) -> Result<Bytes, Error> {
    if response.content_length().is_some_and(|length| length > ANSWER_BYTES_MAX as u64) {
        return Err(Error::TooLarge(ANSWER_BYTES_MAX));
    }
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(translate)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Error::TooLarge(ANSWER_BYTES_MAX));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

fn translate(error: reqwest::Error) -> Error {
    // Without the URL: its query may hold what must not be logged.
    let error = error.without_url();
    if error.is_timeout() {
        Error::Timeout
    } else if error.is_connect() {
        Error::Connect(error.into())
    } else {
        Error::Broken(error.into())
    }
}

#[cfg(test)]
mod tests;
