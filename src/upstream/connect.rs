//! A new connection to a target: name, TCP, TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::socket::Socket;
use crate::upstream::error::Error;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::line::Line;
use crate::upstream::settings::{Settings, TargetSettings};

/// Connects to `target` within the group's deadline.
pub(crate) async fn connect(settings: &Settings, target: &TargetSettings) -> Result<Connection, Error> {
    let connecting = async {
        let stream = tcp(target).await.map_err(Error::Connect)?;
        match &settings.tls {
            None => Ok(Line::plain(stream)),
            Some(config) => {
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| Error::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = connector.connect(name, stream).await.map_err(Error::Tls)?;
                Ok(Line::secured(stream))
            }
        }
    };
    let line =
        tokio::time::timeout(settings.connect_timeout, connecting).await.unwrap_or(Err(Error::ConnectTimeout))?;
    Ok(Connection::new(line, settings.response_timeout))
}

/// Tries each address of the target in turn.
async fn tcp(target: &TargetSettings) -> io::Result<Socket> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in resolve(target).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => return Socket::new(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn resolve(target: &TargetSettings) -> io::Result<Vec<SocketAddr>> {
    match target.host.parse() {
        Ok(address) => Ok(vec![SocketAddr::new(address, target.port)]),
        Err(_) => Ok(tokio::net::lookup_host((target.host.as_str(), target.port)).await?.collect()),
    }
}
