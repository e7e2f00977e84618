//! A target that speaks TLS and always says the same.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::certificates;

/// Who signed its certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The tests' authority.
    Trusted,
    /// Somebody else.
    Stranger,
    /// The tests' authority. It answers only those who have a certificate of that authority, too.
    AsksForCertificate,
}

/// Starts one for the rest of the process's life; answers where it is.
pub fn start(kind: Kind) -> SocketAddr {
    let (chain, key) = match kind {
        Kind::Trusted | Kind::AsksForCertificate => {
            (certificates::certificates().chain.clone(), certificates::certificates().key.clone())
        }
        Kind::Stranger => certificates::untrusted(&["127.0.0.1"]),
    };
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>().expect("a chain");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let config = if kind == Kind::AsksForCertificate {
        let mut roots = RootCertStore::empty();
        let ca = CertificateDer::from_pem_slice(certificates::certificates().ca.as_bytes()).expect("a certificate");
        roots.add(ca).expect("an authority");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
        config.with_client_cert_verifier(verifier.build().expect("an authority"))
    } else {
        config.with_no_client_auth()
    };
    let config = config.with_single_cert(chain, key).expect("they belong together");
    let config = Arc::new(config);
    let socket = TcpListener::bind("0.0.0.0:0").expect("a port");
    let port = socket.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        for stream in socket.incoming().flatten() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let connection = ServerConnection::new(config).expect("a connection");
                let mut stream = BufReader::new(StreamOwned::new(connection, stream));
                let mut line = String::new();
                while stream.read_line(&mut line).is_ok_and(|read| read > 0) {
                    if line == "\r\n" {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nover TLS";
                        let _ = stream.get_mut().write_all(answer);
                    }
                    line.clear();
                }
            });
        }
    });
    SocketAddr::from(([127, 0, 0, 1], port))
}
