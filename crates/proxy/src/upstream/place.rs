//! Where a target is.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// The place of a target: an address, a name, or a Unix socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// An address.
    Address {
        address: SocketAddr,
        /// The DNS name that has the address, if the configuration has a name. TLS verifies the name.
        name: Option<Arc<str>>,
    },
    /// A DNS name of which no address is known yet. It is looked up when a connection is made.
    Name { name: Arc<str>, port: u16 },
    /// A Unix socket.
    Unix(Arc<Path>),
}

impl Place {
    /// The place for a host, which is a DNS name or an address without brackets, and a port.
    pub fn new(host: &str, port: u16) -> Self {
        match host.parse::<IpAddr>() {
            Ok(address) => Self::Address { address: SocketAddr::new(address, port), name: None },
            Err(_) => Self::Name { name: Arc::from(host), port },
        }
    }

    /// The name or address that a certificate of the target is for. `None` for a Unix socket, which has neither.
    pub fn host(&self) -> Option<String> {
        match self {
            Self::Address { name: Some(name), .. } | Self::Name { name, .. } => Some(name.to_string()),
            Self::Address { address, name: None } => Some(address.ip().to_string()),
            Self::Unix(_) => None,
        }
    }

    /// Whether the places are addresses of the same name, one IPv4 and one IPv6.
    pub(super) fn is_other_family(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Address { address, name: Some(name) },
                Self::Address { address: other_address, name: Some(other_name) },
            ) => {
                name == other_name
                    && address.port() == other_address.port()
                    && address.is_ipv6() != other_address.is_ipv6()
            }
            _ => false,
        }
    }
}

impl fmt::Display for Place {
    /// `host:port`, an IPv6 address in brackets, or `unix:` and the path of the socket.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address { address, .. } => write!(f, "{address}"),
            Self::Name { name, port } => write!(f, "{name}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_in_the_file() {
        for (host, port, expected) in
            [("127.0.0.1", 80, "127.0.0.1:80"), ("::1", 80, "[::1]:80"), ("app.test", 8080, "app.test:8080")]
        {
            assert_eq!(Place::new(host, port).to_string(), expected);
        }
        assert_eq!(Place::Unix(Path::new("/run/app.sock").into()).to_string(), "unix:/run/app.sock");
    }

    #[test]
    fn a_certificate_is_for_the_name_in_the_file() {
        let address = |name: Option<&str>| Place::Address {
            address: "[::1]:443".parse().expect("an address"),
            name: name.map(Arc::from),
        };
        assert_eq!(address(Some("app.test")).host().as_deref(), Some("app.test"));
        assert_eq!(address(None).host().as_deref(), Some("::1"));
        assert_eq!(Place::new("app.test", 443).host().as_deref(), Some("app.test"));
        assert_eq!(Place::Unix(Path::new("/run/app.sock").into()).host(), None);
    }
}
