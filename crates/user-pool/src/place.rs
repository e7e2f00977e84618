//! A host that a pool is served on: that of its issuer, or a domain of its own (decision 100).
//!
//! Every host has the same pages and endpoints. Each has its own cookies, because browsers keep them by host, and takes forms only from its own
//! pages. Tokens, codes and the issuer do not depend on the host.

use std::sync::Arc;

use url::Url;

/// A host.
#[derive(Debug)]
pub(crate) struct Place {
    is_https: bool,
    /// As in an address: without the default port.
    authority: String,
    /// Without its port.
    host: String,
    /// `https://host[:port]`.
    pub(crate) origin: Arc<str>,
}

/// Which of the hosts of a pool a request came to. The default is that of the issuer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct At(pub(super) usize);

impl At {
    /// The host of the issuer.
    pub const ISSUER: Self = Self(0);
}

impl Place {
    /// The host of an origin of the configuration. URLs are built from it, never from the `Host` of a request (attacks U-03).
    pub(crate) fn new(url: &Url) -> Self {
        let origin = url.origin().ascii_serialization();
        Self {
            is_https: url.scheme() == "https",
            authority: origin.split_once("://").map_or(&*origin, |(_, authority)| authority).to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            origin: origin.into(),
        }
    }

    /// Whether a request with this scheme and this authority (`host[:port]`) is for this host.
    pub(crate) fn answers(&self, scheme_https: bool, authority: &str) -> bool {
        // The text of an origin omits the default port (WHATWG URL §4.5).
        let default_port = if self.is_https { ":443" } else { ":80" };
        let authority = authority.strip_suffix(default_port).unwrap_or(authority);
        scheme_https == self.is_https && authority.eq_ignore_ascii_case(&self.authority)
    }

    /// Whether the host is this one, whatever the scheme and the port are.
    pub(crate) fn has_host(&self, host: &str) -> bool {
        host.eq_ignore_ascii_case(&self.host)
    }
}
