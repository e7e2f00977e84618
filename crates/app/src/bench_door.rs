//! A door for `benches/`: single steps of a request's life, each with what it needs made ready. Nothing in the product comes
//! through here, and nothing here is an interface.
//!
//! Rooms stay private: what goes out are these types, which name no type of theirs.

use std::net::Ipv4Addr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header};
use serde_json::json;

use crate::claims::settings::{ClaimHeader, Encoding, Format, Settings as ClaimsSettings};
use crate::claims::{ClaimsHeaders, Prepared};
use crate::clock::Timestamp;
use crate::crypto::aead::Key;
use crate::crypto::octets;
use crate::identity::Identity;
use crate::jose::signing_key::SigningKey;
use crate::message::header::Protected;
use crate::message::own_fields::OwnFields;
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::rule::condition::{Condition, Facts};
use crate::rule::{Rule, RuleSet};
use crate::secret::Secret;
use crate::session::Sessions;
use crate::session::cache::{EvidenceCache, Key as CacheKey};
use crate::session::record::{Session, SessionId};
use crate::session::settings::Settings as SessionSettings;
use crate::session::shards::{self, Found, Shards};
use crate::telemetry::access_log::AccessRecord;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const HOST: &str = "app.example.com";
const COOKIE_NAME: &str = "__Host-vestibule";

/// Rules that look at host and path, in order.
#[derive(Debug)]
pub struct Rules(RuleSet<usize>);

/// What rules are asked about.
#[derive(Debug)]
pub struct Asked {
    request: CanonicalRequest,
    headers: HeaderMap,
}

impl Rules {
    /// A rule for each pair of host and path pattern.
    pub fn new(patterns: impl IntoIterator<Item = (String, String)>) -> Self {
        let rule = |(place, (host, path)): (usize, (String, String))| Rule {
            name: Arc::from("rule"),
            priority: u32::try_from(place).expect("not that many rules"),
            conditions: vec![
                Condition::host_header(&[host]).expect("a host pattern"),
                Condition::path_pattern(&[path]).expect("a path pattern"),
            ],
            payload: place,
        };
        let rules: Vec<_> = patterns.into_iter().enumerate().map(rule).collect();
        let count = rules.len();
        Self(RuleSet::new(rules, count))
    }

    /// The place of the rule that takes the request; for the default rule, how many rules there are.
    pub fn find(&self, asked: &Asked) -> usize {
        let client = Ipv4Addr::LOCALHOST.into();
        self.0.find(&Facts { request: &asked.request, headers: &asked.headers, client }).payload
    }
}

impl Asked {
    /// `GET` of a target at a host.
    pub fn new(host: &str, target: &str) -> Self {
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).expect("a host"))]);
        let uri: Uri = target.parse().expect("a target");
        let request =
            CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers).expect("a canonical request");
        Self { request, headers }
    }
}

/// A user's session, in the cookie of a request.
#[derive(Debug)]
pub struct SessionCookie {
    sessions: Sessions,
    headers: HeaderMap,
    opened: EvidenceCache<Session>,
}

impl SessionCookie {
    /// A session that this process has already opened, and its cookie between others.
    ///
    /// `access_token_bytes` is how much the session carries besides the user's claims: with thousands it takes two shards.
    pub fn new(access_token_bytes: usize) -> Self {
        let settings = SessionSettings { keys: [Key::new(&Secret::new([7; 32]))].into(), clear_site_data: None };
        let sessions = Sessions::new(&settings, COOKIE_NAME.into());
        let session = session(access_token_bytes);
        let mut cookie = "theme=dark; _ga=GA1.2.1234567890.1234567890".to_owned();
        for line in sessions.save(HOST, &session, NOW).expect("it fits") {
            let pair = line.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            // A deletion has no value, and browsers send none.
            if !pair.ends_with('=') {
                cookie = format!("{cookie}; {pair}");
            }
        }
        cookie.push_str("; cart=3f1c9a0e5b7d; lang=en");
        let headers = HeaderMap::from_iter([(header::COOKIE, cookie.parse().expect("a header value"))]);
        let mut opened = EvidenceCache::default();
        let weight = session.weight();
        opened.remember(&key(&whole(&headers)), Rc::new(session), weight);
        Self { sessions, headers, opened }
    }

    /// Finds the shards; says how many there are.
    pub fn parse(&self) -> usize {
        whole(&self.headers).values().len()
    }

    /// Finds the shards, opens the seal and reads the session; says how long the user's name is.
    pub fn open(&self) -> usize {
        let session = self.sessions.open(HOST, &whole(&self.headers)).expect("we sealed it");
        session.identity.subject().len()
    }

    /// Finds the shards, and the session that they were opened to before.
    pub fn open_again(&mut self) -> usize {
        let session = self.opened.find(&key(&whole(&self.headers))).expect("it is remembered");
        session.identity.subject().len()
    }
}

fn whole(headers: &HeaderMap) -> Shards<'_> {
    match shards::find(headers, COOKIE_NAME) {
        Found::Whole(shards) => shards,
        Found::Nothing | Found::Broken => unreachable!("the headers were made with a session"),
    }
}

fn key<'h>(shards: &Shards<'h>) -> CacheKey<'h, Shards<'h>> {
    CacheKey { scope: 1, host: HOST, evidence: *shards }
}

/// The headers that a target gets, and those that a client may not send.
#[derive(Debug)]
pub struct IdentityHeaders {
    protected: Protected,
    claims: ClaimsHeaders,
    prepared: Prepared,
    audience: Arc<str>,
    now: Timestamp,
}

impl IdentityHeaders {
    /// With two claims in headers of their own, and the access token.
    pub fn new() -> Self {
        let mapped = |name: &'static str, claim: &str| ClaimHeader {
            header: HeaderName::from_static(name),
            claim: vec![claim.to_owned()],
            encoding: Encoding::default(),
        };
        let claims = ClaimsHeaders::new(ClaimsSettings {
            signer: "https://app.example.com".to_owned(),
            format: Format::Jwt,
            signing_key: SigningKey::from_pem(&SigningKey::generate_pem()).expect("just generated"),
            other_keys: Vec::new(),
            access_token_header: true,
            claim_headers: vec![mapped("x-user-email", "email"), mapped("x-user-groups", "groups")],
            header_bytes_max: 32 * 1024,
        });
        Self {
            protected: Protected::new(claims.owned_names()),
            prepared: claims.prepare(&session(1000).identity, "client"),
            claims,
            audience: Arc::from("web"),
            now: NOW,
        }
    }

    /// Takes out what a client may not send.
    pub fn strip(&self, headers: &mut HeaderMap) {
        self.protected.strip(headers);
    }

    /// Puts a user's headers in, with the assertion that was signed before.
    pub fn inject(&self, headers: &mut HeaderMap) {
        let mut fields = OwnFields::with_room();
        self.claims.apply(&self.prepared, &self.audience, self.now, &mut fields).expect("it can be signed");
        fields.write_into(headers);
    }

    /// The same after the last assertion has become old: signs another.
    pub fn sign_and_inject(&mut self, headers: &mut HeaderMap) {
        self.now = self.now + Duration::from_secs(3600);
        self.inject(headers);
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self::new()
    }
}

/// Appends the access record of one exchange.
pub fn write_access_record(out: &mut Vec<u8>) {
    let record = AccessRecord {
        time: NOW,
        request_id: "1-6b49d200-0123456789abcdef01234567",
        trace: None,
        listener: "https",
        client_address: "192.0.2.66",
        client_port: 50_123,
        method: Some("GET"),
        scheme: "https",
        host: Some(HOST),
        path: Some("/api/v1/orders/1234567"),
        http_version: Some("2"),
        tls_version: Some("1.3"),
        tls_cipher: Some("TLS_AES_128_GCM_SHA256"),
        tls_server_name: Some(HOST),
        client_certificate: None,
        user_agent: Some("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0"),
        rule: Some("orders"),
        actions: &["authenticate-oidc", "forward"],
        subject: Some("248289761001"),
        target_group: None,
        target: Some("10.0.0.7:8080"),
        transformed: None,
        status: 200,
        reason: None,
        classification: None,
        response_bytes: 18_234,
        first_byte: Duration::from_micros(1_234),
        duration: Duration::from_micros(2_345),
    };
    // A worker keeps the time as it is written.
    record.write(out, b"2027-01-15T08:00:00.000Z");
}

/// A user as providers describe one.
fn session(access_token_bytes: usize) -> Session {
    let claims = json!({
        "sub": "248289761001",
        "name": "Jane Doe",
        "given_name": "Jane",
        "family_name": "Doe",
        "preferred_username": "j.doe",
        "email": "janedoe@example.com",
        "email_verified": true,
        "picture": "https://example.com/janedoe/me.jpg",
        "locale": "en-US",
        "groups": ["engineering", "on-call", "admins"],
    });
    let claims = claims.as_object().cloned().unwrap_or_default();
    // Random, as tokens are: sessions are compressed.
    let noise: String = (0..access_token_bytes.div_ceil(43)).map(|_| octets::token()).collect();
    let token = Secret::new(noise[..access_token_bytes].to_owned());
    Session {
        id: SessionId::random(),
        generation: 0,
        provider: "corp".to_owned(),
        identity: Arc::new(Identity::assertion(
            "https://idp.example.com".into(),
            "248289761001".into(),
            claims,
            Some(token),
        )),
        refresh_token: Some(Secret::new(octets::token())),
        id_token: None,
        authenticated_at: NOW,
        expires_at: NOW + Duration::from_secs(3600),
        refresh_at: None,
        access_token_expires_at: None,
        nonce_hash: None,
        is_asked_again: false,
    }
}
