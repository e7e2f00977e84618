//! Listeners that ask clients for certificates, and clients that show some.

use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

use rustls::client::ResolvesClientCert;
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, SignatureScheme, version};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

use super::Version;
use crate::harness::app::{Proxy, START, folder};
use crate::harness::authorities::{Authority, ClientCertificate};
use crate::harness::certificates;
use crate::harness::server::Server;
use crate::tls::handshake;

/// Both versions of TLS.
pub const BOTH: [Version; 2] = [&version::TLS12, &version::TLS13];
/// For tests in which the version makes no difference.
pub const HTTP1: Version = &version::TLS13;

/// What a client has got.
#[derive(Debug)]
pub enum Answered {
    /// The status, and what the target was sent, as its echo says.
    With(u16, Value),
    /// No answer.
    Not(#[expect(dead_code, reason = "printed")] String),
}

impl Answered {
    /// The headers that the target was sent.
    #[track_caller]
    pub fn headers(self) -> Value {
        match self {
            Self::With(200, echoed) => {
                let pairs = echoed["headers"].as_array().expect("headers").iter();
                let pair = |pair: &Value| Some((pair[0].as_str()?.to_ascii_lowercase(), pair[1].clone()));
                Value::Object(pairs.map(|one| pair(one).expect("a header")).collect())
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The configuration of a listener with `mutual_authentication`, and of one without TLS.
pub fn yaml(target: &Server, mutual_authentication: &str, rest: &str) -> String {
    let address = target.address().to_string();
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
{mutual_authentication}
    default_actions: [{{ type: forward, target_group: app }}]
  - name: plain
    address: 127.0.0.1:0
    protocol: http
    default_actions: [{{ type: forward, target_group: app }}]
target_groups: {{ app: {{ targets: ['{address}'] }} }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 1
{rest}"
    )
}

/// `mode: verify` with the trust store `staff`.
pub fn verifying(more: &str) -> String {
    format!("    mutual_authentication:\n      mode: verify\n      trust_store: staff\n{more}")
}

/// A listener that verifies certificates by one authority.
pub fn verify(target: &Server, authority: &Authority, more: &str) -> Proxy {
    verify_with(target, &[authority], &[], more, "")
}

/// The same by several authorities, with lists of revoked certificates.
pub fn verify_with(target: &Server, authorities: &[&Authority], lists: &[String], more: &str, of_store: &str) -> Proxy {
    let folder = folder();
    let pem: String = authorities.iter().map(|authority| &*authority.pem).collect();
    std::fs::write(folder.join("staff.pem"), pem).expect("written");
    let mut files = Vec::new();
    for (place, list) in lists.iter().enumerate() {
        let file = format!("list-{place}.pem");
        std::fs::write(folder.join(&file), list).expect("written");
        files.push(file);
    }
    let stores = format!("trust_stores:\n  staff:\n    ca_files: [staff.pem]\n    crl_files: {files:?}\n{of_store}");
    Proxy::start_in(folder, &yaml(target, &verifying(more), &stores), START)
}

/// A listener that passes certificates through.
pub fn passthrough(target: &Server) -> Proxy {
    Proxy::start(&yaml(target, "    mutual_authentication: { mode: passthrough }", ""))
}

/// A client without a certificate.
pub fn without(versions: &[Version]) -> Arc<ClientConfig> {
    certificates::client_speaking(versions)
}

/// Sends one request with a certificate.
pub fn fetch_as(address: SocketAddr, who: &ClientCertificate, version: Version, more: &[(&str, &str)]) -> Answered {
    fetch(address, who.client(&[version], &[b"http/1.1"]), more)
}

/// Sends one request.
pub fn fetch(address: SocketAddr, client: Arc<ClientConfig>, more: &[(&str, &str)]) -> Answered {
    match handshake(address, client, "app.test") {
        Ok(mut stream) => exchange(&mut stream, more),
        Err(error) => Answered::Not(error),
    }
}

/// Sends one request without TLS.
pub fn plain(address: SocketAddr, more: &[(&str, &str)]) -> Answered {
    exchange(&mut TcpStream::connect(address).expect("the proxy accepts"), more)
}

fn exchange(stream: &mut (impl std::io::Read + std::io::Write), more: &[(&str, &str)]) -> Answered {
    let mut request = "GET / HTTP/1.1\r\nconnection: close\r\n".to_owned();
    if !more.iter().any(|(name, _)| *name == "host") {
        request += "host: app.test\r\n";
    }
    for (name, value) in more {
        request += &format!("{name}: {value}\r\n");
    }
    let mut answer = Vec::new();
    if let Err(error) = stream.write_all(format!("{request}\r\n").as_bytes()).and_then(|()| stream.flush()) {
        return Answered::Not(error.to_string());
    }
    let read = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let Some(status) = text.split(' ').nth(1).and_then(|status| status.parse().ok()) else {
        return Answered::Not(format!("{read:?} {text}"));
    };
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Answered::With(status, serde_json::from_str(body).unwrap_or_default())
}

/// A client that shows a certificate whose key it does not have.
pub fn with_another_key(who: &ClientCertificate, version: Version) -> Arc<ClientConfig> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(who.chain.as_bytes()).collect::<Result<_, _>>().expect("certificates");
    let key = rcgen::KeyPair::generate().expect("a key").serialize_pem();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("a key");
    resolving(Shown { key: Some(Arc::new(CertifiedKey::new(chain, key))), hints: Mutex::default() }, version).0
}

/// How many names of authorities the listener tells.
pub fn hinted(address: SocketAddr, version: Version) -> usize {
    let (client, shown) = resolving(Shown { key: None, hints: Mutex::default() }, version);
    let _ = fetch(address, client, &[]);
    shown.hints.lock().expect("not poisoned").expect("the client was asked")
}

fn resolving(shown: Shown, version: Version) -> (Arc<ClientConfig>, Arc<Shown>) {
    let shown = Arc::new(shown);
    let mut config = Arc::unwrap_or_clone(certificates::client_speaking(&[version]));
    config.client_auth_cert_resolver = Arc::clone(&shown) as Arc<dyn ResolvesClientCert>;
    (Arc::new(config), shown)
}

/// Shows whatever it has, and remembers how many authorities it was told.
#[derive(Debug)]
struct Shown {
    key: Option<Arc<CertifiedKey>>,
    hints: Mutex<Option<usize>>,
}

impl ResolvesClientCert for Shown {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.hints.lock().expect("not poisoned") = Some(hints.len());
        self.key.clone()
    }

    fn has_certs(&self) -> bool {
        true
    }
}
