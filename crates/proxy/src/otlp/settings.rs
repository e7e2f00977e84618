//! Validated settings of the traces.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use rustls_pki_types::CertificateDer;

use crate::secret::Secret;
use crate::telemetry::traces::sampling::Sampling;

pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// As the default sampling of large installations: the rest of the requests costs nothing.
pub const DEFAULT_RATIO: f64 = 0.01;

/// The traces of a configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub collector: Collector,
    pub sampling: Sampling,
    /// Attributes of the resource: `service.name` and others.
    pub resource: Vec<(String, String)>,
    /// Whether spans have the address of the client.
    pub has_client_address: bool,
}

/// Where spans are sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Collector {
    pub protocol: Protocol,
    /// With `http` or `https`, a host, a port and, for HTTP, the path.
    pub endpoint: Uri,
    pub headers: Vec<(HeaderName, Secret<String>)>,
    /// Certificate authorities trusted besides the system's.
    pub roots: Vec<CertificateDer<'static>>,
    /// For one attempt to send a batch.
    pub timeout: Duration,
    pub compresses: bool,
}

/// How spans are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Grpc,
    Http,
}

impl Collector {
    /// The headers of each call.
    pub(super) fn header_map(&self) -> http::HeaderMap {
        let fields = self.headers.iter().filter_map(|(name, value)| {
            let mut value = HeaderValue::from_str(value.expose()).ok()?;
            value.set_sensitive(true);
            Some((name.clone(), value))
        });
        fields.collect()
    }

    /// The host without brackets, and the port.
    pub(super) fn place(&self) -> (String, u16) {
        let host = self.endpoint.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let port = self.endpoint.port_u16().unwrap_or(if self.is_tls() { 443 } else { 80 });
        (host.to_owned(), port)
    }

    pub(super) fn is_tls(&self) -> bool {
        self.endpoint.scheme_str() == Some("https")
    }
}
