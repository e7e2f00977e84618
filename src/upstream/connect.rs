//! A new connection to a target: name, TCP, TLS, HTTP/1.1.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::client::conn::http1::{self, SendRequest};
use hyper::rt::Executor as _;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::drain::LocalExecutor;
use crate::message::body::Body;
use crate::socket::Socket;
use crate::upstream::error::Error;
use crate::upstream::settings::{Settings, TargetSettings};

/// Response heads larger than this are refused (spec §7.4: 32 K).
const RESPONSE_HEAD_BYTES_MAX: usize = 64 * 1024;

/// Connects to `target` within the group's deadline.
pub(crate) async fn connect(settings: &Settings, target: &TargetSettings) -> Result<SendRequest<Body>, Error> {
    let connecting = async {
        let stream = tcp(target).await.map_err(Error::Connect)?;
        match &settings.tls {
            None => http(stream).await,
            Some(config) => {
                let name = ServerName::try_from(target.host.clone())
                    .map_err(|error| Error::Tls(io::Error::new(io::ErrorKind::InvalidInput, error)))?;
                let connector = TlsConnector::from(Arc::clone(config));
                http(connector.connect(name, stream).await.map_err(Error::Tls)?).await
            }
        }
    };
    tokio::time::timeout(settings.connect_timeout, connecting).await.unwrap_or(Err(Error::ConnectTimeout))
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

async fn http<T: AsyncRead + AsyncWrite + Unpin + Send + 'static>(transport: T) -> Result<SendRequest<Body>, Error> {
    let (sender, connection) = http1::Builder::new()
        .max_buf_size(RESPONSE_HEAD_BYTES_MAX)
        .handshake(TokioIo::new(transport))
        .await
        .map_err(Error::Reset)?;
    // It ends when the sender is dropped or the target closes; its error is told to whoever awaits an answer.
    LocalExecutor.execute(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}
