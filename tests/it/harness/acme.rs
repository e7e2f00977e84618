//! A certificate authority with ACME (RFC 8555) that does what a test tells it. It verifies names as authorities do, and issues what the
//! request asks for. It does not verify the signatures of requests: `tests/acme` does all of this against Pebble, which does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateSigningRequestParams, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::ClientConnection;
use rustls_pki_types::CertificateSigningRequestDer;
use serde_json::{Value, json};

use super::app::wait_until;
use super::certificates;
use super::server::{DEADLINE, Received, Reply, Server};

/// What the authority does with new orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Works,
    /// Nothing is answered with what was asked for.
    Broken,
    /// It says that it could not verify the name.
    Refuses,
    /// It issues for a name that nobody asked for.
    Confused,
}

pub struct Authority {
    server: Server,
    state: Arc<Mutex<State>>,
    /// Its own certificate, as PEM.
    pub root: String,
}

struct State {
    mood: Mood,
    /// Year, month and day.
    valid: [(i32, u8, u8); 2],
    issuer: Issuer<'static, KeyPair>,
    /// The plain listener and the one with TLS.
    proxy: Option<[SocketAddr; 2]>,
    nonces: Vec<String>,
    accounts: usize,
    knows_account: bool,
    thumbprint: String,
    orders: Vec<Order>,
}

struct Order {
    name: String,
    status: &'static str,
    chain: String,
    replaces: Value,
}

impl Authority {
    /// Issues certificates from 2026-11-24, for 90 days.
    pub fn start() -> Self {
        let (root, issuer) = certificates::new_authority();
        let state = Arc::new(Mutex::new(State {
            mood: Mood::Works,
            valid: [(2026, 11, 24), (2027, 2, 22)],
            issuer,
            proxy: None,
            nonces: Vec::new(),
            accounts: 0,
            knows_account: false,
            thumbprint: String::new(),
            orders: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        let server = Server::start(move |request| answer(&shared, request));
        Self { server, state, root }
    }

    pub fn directory(&self) -> String {
        format!("http://{}/directory", self.server.address())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("unpoisoned")
    }

    /// Where the names lead. Until this is known, no name can be verified.
    pub fn find(&self, plain: SocketAddr, tls: SocketAddr) {
        self.state().proxy = Some([plain, tls]);
    }

    pub fn mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    /// From when to when new certificates are valid.
    pub fn valid(&self, from: (i32, u8, u8), to: (i32, u8, u8)) {
        self.state().valid = [from, to];
    }

    /// Forgets the account.
    pub fn forget(&self) {
        self.state().knows_account = false;
    }

    /// How many accounts were created.
    pub fn accounts(&self) -> usize {
        self.state().accounts
    }

    /// How many certificates were issued, and which of them replace one.
    pub fn issued(&self) -> Vec<(String, bool)> {
        let state = self.state();
        let issued = state.orders.iter().filter(|order| order.status == "valid");
        issued.map(|order| (order.name.clone(), order.replaces.is_string())).collect()
    }
}

/// One answer, with a nonce for the next request (RFC 8555 §6.5).
struct Answers {
    base: String,
    nonce: String,
}

impl Answers {
    fn reply(&self, status: &str, kind: &str, location: &str, body: &str) -> Reply {
        Reply::new(status, &[("content-type", kind), ("replay-nonce", &self.nonce), ("location", location)], body)
    }

    fn json(&self, body: &Value) -> Reply {
        self.reply("200 OK", "application/json", "", &body.to_string())
    }

    fn created(&self, path: &str, body: &Value) -> Reply {
        self.reply("201 Created", "application/json", &format!("{}/{path}", self.base), &body.to_string())
    }

    fn problem(&self, kind: &str) -> Reply {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        let body = json!({ "type": kind, "detail": "as the test says", "status": 400 });
        self.reply("400 Bad Request", "application/problem+json", "", &body.to_string())
    }
}

fn answer(shared: &Arc<Mutex<State>>, request: &Received) -> Reply {
    let base = format!("http://{}", request.header("host").expect("a host"));
    let answers = Answers { base, nonce: URL_SAFE_NO_PAD.encode(rand()) };
    let mut state = shared.lock().expect("unpoisoned");
    state.nonces.push(answers.nonce.clone());
    if state.mood == Mood::Broken {
        return answers.reply("500 Internal Server Error", "text/html", "", "<html>out of order</html>");
    }
    let path: Vec<&str> = request.target().split('/').skip(1).collect();
    match path[..] {
        ["directory"] => return answers.json(&directory(&answers.base)),
        // The answer to HEAD has no body.
        ["nonce"] => {
            let head = format!("HTTP/1.1 200 OK\r\nreplay-nonce: {}\r\nconnection: close\r\n\r\n", answers.nonce);
            return Reply::BytesThenClose(head.into_bytes());
        }
        ["renewal", _] => return answers.problem("malformed"),
        _ => {}
    }
    let (protected, payload) = opened(request);
    let used = protected["nonce"].as_str().unwrap_or_default();
    let Some(at) = state.nonces.iter().position(|nonce| nonce == used) else { return answers.problem("badNonce") };
    state.nonces.remove(at);
    // RFC 8555 §6.4.
    assert_eq!(protected["url"], format!("{}{}", answers.base, request.target()));
    if path[0] == "account" {
        assert_eq!(payload["termsOfServiceAgreed"], true);
        state.accounts += 1;
        state.knows_account = true;
        state.thumbprint = thumbprint(&protected["jwk"]);
        return answers.created("account/1", &json!({ "status": "valid" }));
    }
    if !state.knows_account {
        return answers.problem("accountDoesNotExist");
    }
    let index = path.get(1).map(|index| index.parse::<usize>().expect("an order"));
    match (path[0], index) {
        ("order", None) => {
            let name = payload["identifiers"][0]["value"].as_str().expect("a name").to_owned();
            let replaces = payload["replaces"].clone();
            state.orders.push(Order { name, status: "pending", chain: String::new(), replaces });
            let index = state.orders.len() - 1;
            answers.created(&format!("order/{index}"), &order(&state.orders[index], &answers.base, index))
        }
        ("order", Some(index)) => answers.json(&order(&state.orders[index], &answers.base, index)),
        ("authorization", Some(index)) => answers.json(&authorization(&state.orders[index], &answers.base, index)),
        ("challenge", Some(index)) => {
            drop(state);
            verify(shared, index, path[2]);
            // What came of it is in the authorization.
            let url = format!("{}/challenge/{index}/{}", answers.base, path[2]);
            let challenge = json!({ "type": path[2], "url": url, "token": token(index), "status": "processing" });
            answers.json(&challenge)
        }
        ("finalize", Some(index)) => {
            issue(&mut state, index, payload["csr"].as_str().expect("a request"));
            answers.json(&order(&state.orders[index], &answers.base, index))
        }
        ("certificate", Some(index)) => {
            answers.reply("200 OK", "application/pem-certificate-chain", "", &state.orders[index].chain)
        }
        other => panic!("{other:?}"),
    }
}

fn directory(base: &str) -> Value {
    let at = |path: &str| format!("{base}/{path}");
    json!({
        "newNonce": at("nonce"),
        "newAccount": at("account"),
        "newOrder": at("order"),
        "revokeCert": at("revoke"),
        "keyChange": at("key"),
        "renewalInfo": at("renewal"),
    })
}

/// Verifies a name, once it is known where the names lead.
fn verify(shared: &Mutex<State>, index: usize, challenge: &str) {
    let state = || shared.lock().expect("unpoisoned");
    let name = state().orders[index].name.clone();
    let thumbprint = state().thumbprint.clone();
    let [plain, tls] = wait_until("the proxy is known", || state().proxy);
    let key_authorization = format!("{}.{thumbprint}", token(index));
    let is_verified = match challenge {
        "http-01" => asks(plain, &name, index) == key_authorization,
        _ => shakes_hands(tls, &name, &key_authorization),
    };
    let mut state = state();
    let is_ready = is_verified && state.mood != Mood::Refuses;
    state.orders[index].status = if is_ready { "ready" } else { "invalid" };
}

/// Issues what a request for a certificate asks for.
fn issue(state: &mut State, index: usize, request: &str) {
    assert_eq!(state.orders[index].status, "ready");
    let request = CertificateSigningRequestDer::from(URL_SAFE_NO_PAD.decode(request).expect("base64"));
    let mut request = CertificateSigningRequestParams::from_der(&request).expect("a request");
    let [from, to] = state.valid.map(|(year, month, day)| date_time_ymd(year, month, day));
    (request.params.not_before, request.params.not_after) = (from, to);
    // Without it there is no id for the renewal (RFC 9773 §4.1).
    request.params.use_authority_key_identifier_extension = true;
    if state.mood == Mood::Confused {
        request.params.subject_alt_names = vec![SanType::DnsName("other.test".try_into().expect("a name"))];
    }
    state.orders[index].chain = request.signed_by(&state.issuer).expect("signed").pem();
    state.orders[index].status = "valid";
}

fn rand() -> [u8; 16] {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("random");
    bytes
}

/// The header and the payload of a request (RFC 8555 §6.2).
fn opened(request: &Received) -> (Value, Value) {
    assert_eq!(request.header("content-type"), Some("application/jose+json"));
    let body: Value = serde_json::from_slice(&request.body).expect("JSON");
    let part = |name: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(body[name].as_str().expect("a part")).expect("base64");
        if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).expect("JSON") }
    };
    (part("protected"), part("payload"))
}

/// RFC 7638.
fn thumbprint(jwk: &Value) -> String {
    let text = format!(r#"{{"crv":{},"kty":{},"x":{},"y":{}}}"#, jwk["crv"], jwk["kty"], jwk["x"], jwk["y"]);
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

fn token(index: usize) -> String {
    format!("token-{index}")
}

fn order(order: &Order, base: &str, index: usize) -> Value {
    let mut text = json!({
        "status": order.status,
        "identifiers": [{ "type": "dns", "value": order.name }],
        "authorizations": [format!("{base}/authorization/{index}")],
        "finalize": format!("{base}/finalize/{index}"),
    });
    if order.status == "valid" {
        text["certificate"] = json!(format!("{base}/certificate/{index}"));
    }
    if order.replaces.is_string() {
        text["replaces"] = order.replaces.clone();
    }
    text
}

fn authorization(order: &Order, base: &str, index: usize) -> Value {
    let status = if order.status == "ready" { "valid" } else { order.status };
    let challenge = |kind: &str| {
        let mut challenge = json!({ "type": kind, "url": format!("{base}/challenge/{index}/{kind}"), "token": token(index), "status": status });
        if status == "invalid" {
            challenge["error"] = json!({ "type": "urn:ietf:params:acme:error:unauthorized", "detail": "it is somewhere else", "status": 403 });
        }
        challenge
    };
    json!({
        "identifier": { "type": "dns", "value": order.name },
        "status": status,
        "challenges": [challenge("http-01"), challenge("tls-alpn-01")],
    })
}

/// What the plain listener says to the challenge (RFC 8555 §8.3).
pub fn asks(plain: SocketAddr, name: &str, index: usize) -> String {
    let mut stream = TcpStream::connect(plain).expect("the proxy accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let head = format!(
        "GET /.well-known/acme-challenge/{} HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n",
        token(index)
    );
    stream.write_all(head.as_bytes()).expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}

/// Whether the certificate of the handshake is for the name, and has the digest (RFC 8737 §3).
fn shakes_hands(tls: SocketAddr, name: &str, key_authorization: &str) -> bool {
    let mut config = Arc::unwrap_or_clone(certificates::trusting_anyone());
    config.alpn_protocols = vec![b"acme-tls/1".to_vec()];
    let name = name.to_owned();
    let mut connection =
        ClientConnection::new(Arc::new(config), name.clone().try_into().expect("a name")).expect("a client");
    let mut stream = TcpStream::connect(tls).expect("the proxy accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    while connection.is_handshaking() {
        if connection.complete_io(&mut stream).is_err() {
            return false;
        }
    }
    let leaf = &connection.peer_certificates().expect("a certificate")[0];
    let (_, leaf) = x509_parser::parse_x509_certificate(leaf).expect("a certificate");
    let names = leaf.subject_alternative_name().expect("sound").expect("names");
    let is_for_the_name =
        matches!(names.value.general_names[..], [x509_parser::extensions::GeneralName::DNSName(only)] if only == name);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key_authorization.as_bytes());
    let expected = [&[4, 32], digest.as_ref()].concat();
    let has_digest = leaf.extensions().iter().any(|extension| {
        extension.oid.to_id_string() == "1.3.6.1.5.5.7.1.31" && extension.critical && extension.value == expected
    });
    connection.alpn_protocol() == Some(b"acme-tls/1") && is_for_the_name && has_digest
}
