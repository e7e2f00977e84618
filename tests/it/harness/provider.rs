//! An OpenID provider that says what a test tells it to, true or not.

use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::app::START;
use super::browser::{Answer, Browser};
use super::server::{Received, Reply, Server};

/// What the provider is told to say. Every field can be changed while it runs.
#[derive(Clone)]
pub struct Script {
    /// Claims of the ID token; `iss`, `aud`, `nonce`, `exp` and `iat` are added unless they are here. `null` leaves one out.
    pub id_token: Value,
    /// Header of the ID token; `alg` and `kid` are added unless they are here.
    pub id_token_header: Value,
    /// Sent instead of a signed ID token.
    pub raw_id_token: Option<String>,
    /// Merged into the answer of the token endpoint; `null` takes a member out.
    pub token_response: Value,
    /// The answer of userinfo; `None` answers 404 and metadata names no endpoint.
    pub userinfo: Option<Value>,
    /// Merged into the metadata; `null` takes a member out.
    pub metadata: Value,
    /// Instead of the key set.
    pub key_set: Option<Value>,
    /// Instead of any of the answers, by path: `/token`, `/jwks`, `/userinfo`, `/.well-known/openid-configuration`.
    pub instead: Option<Arc<dyn Fn(&Received) -> Option<Reply> + Send + Sync>>,
    /// The time that tokens are issued at, in seconds; tests that move the clock move this too.
    pub now: u64,
    /// Life of access and ID tokens, in seconds.
    pub expires_in: u64,
}

/// A running provider with one client, `dashboard`.
pub struct Provider {
    server: Server,
    script: Arc<Mutex<Script>>,
    key: Arc<Key>,
}

/// A P-256 key and its id.
pub struct Key {
    pair: EcdsaKeyPair,
    pub kid: String,
}

impl Key {
    pub fn new(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        Self { pair, kid: kid.to_owned() }
    }

    pub fn jwk(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..65]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid, "x": x, "y": y})
    }

    /// The public key in PEM form.
    pub fn public_pem(&self) -> String {
        let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = self.pair.public_key().as_der().expect("DER");
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
    }

    /// A compact JWS with this header and payload, whatever they say.
    pub fn sign(&self, header: &Value, payload: &str) -> String {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.pair.sign(&SystemRandom::new(), input.as_bytes()).expect("signs");
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

pub const CLIENT_ID: &str = "dashboard";

impl Provider {
    /// Starts a provider whose user is Alice.
    pub fn start() -> Self {
        let script = Script {
            id_token: json!({"sub": "alice", "email": "alice@example.com"}),
            id_token_header: json!({}),
            raw_id_token: None,
            token_response: json!({}),
            userinfo: Some(json!({"sub": "alice", "name": "Alice", "email": "alice@example.com", "groups": ["staff"]})),
            metadata: json!({}),
            key_set: None,
            instead: None,
            now: START.seconds(),
            expires_in: 3600,
        };
        let script = Arc::new(Mutex::new(script));
        let key = Arc::new(Key::new("provider-key-1"));
        let (speaking, signing) = (Arc::clone(&script), Arc::clone(&key));
        let server = Server::start(move |request| {
            let script = speaking.lock().expect("unpoisoned").clone();
            answer(&script, &signing, request)
        });
        Self { server, script, key }
    }

    pub fn issuer(&self) -> String {
        format!("http://{}", self.server.address())
    }

    pub fn key(&self) -> &Key {
        &self.key
    }

    /// Changes what is said from now on.
    pub fn say(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("unpoisoned"));
    }

    /// Requests to one of the provider's paths.
    pub fn requests(&self, path: &str) -> Vec<Received> {
        let is_to = |request: &Received| request.target().split('?').next() == Some(path);
        self.server.received().into_iter().filter(is_to).collect()
    }

    /// Follows a redirect to this provider as its user would: signed in at once, back with a code. Answers the callback's
    /// URL. The code carries the nonce, so that the token can repeat it.
    #[track_caller]
    pub fn callback_of(&self, authorization: &str) -> String {
        let url = url::Url::parse(authorization).expect("an absolute URL");
        let parameter = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name);
            found.map(|(_, value)| value.into_owned()).unwrap_or_else(|| panic!("{name} in {authorization}"))
        };
        let code = URL_SAFE_NO_PAD.encode(parameter("nonce"));
        let mut callback = url::Url::parse(&parameter("redirect_uri")).expect("an absolute URL");
        callback.query_pairs_mut().append_pair("code", &code).append_pair("state", &parameter("state"));
        callback.into()
    }

    /// Opens `url` and signs in; answers what the callback is answered, be it a refusal.
    #[track_caller]
    pub fn try_sign_in(&self, browser: &mut Browser, url: &str) -> Answer {
        let sent = browser.get(url);
        assert_eq!(sent.status, 302, "{url} needs a login: {:?}", sent.text());
        browser.get(&self.callback_of(sent.location()))
    }

    /// Opens `url`, signs in, and follows to where the login ends; answers the page there.
    #[track_caller]
    pub fn sign_in(&self, browser: &mut Browser, url: &str) -> Answer {
        let sent = browser.get(url);
        assert_eq!(sent.status, 302, "{url} needs a login: {:?}", sent.text());
        let back = browser.get(&self.callback_of(sent.location()));
        assert_eq!(back.status, 302, "the login succeeds: {:?}", back.text());
        let url = url::Url::parse(url).expect("a URL").join(back.location()).expect("a URL");
        browser.get(url.as_str())
    }
}

fn answer(script: &Script, key: &Key, request: &Received) -> Reply {
    if let Some(reply) = script.instead.as_ref().and_then(|instead| instead(request)) {
        return reply;
    }
    match request.target().split('?').next().unwrap_or_default() {
        "/.well-known/openid-configuration" => Reply::json(&metadata(script, request)),
        "/jwks" => Reply::json(&script.key_set.clone().unwrap_or_else(|| json!({"keys": [key.jwk()]}))),
        "/token" => Reply::json(&token(script, key, request)),
        "/userinfo" => match &script.userinfo {
            Some(claims) => Reply::json(claims),
            None => Reply::new("404 Not Found", &[], ""),
        },
        _ => Reply::new("404 Not Found", &[], ""),
    }
}

fn metadata(script: &Script, request: &Received) -> Value {
    let issuer = format!("http://{}", request.header("host").expect("a host"));
    let at = |path: &str| format!("{issuer}{path}");
    let mut metadata = json!({
        "issuer": issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/jwks"),
        "userinfo_endpoint": at("/userinfo"),
        "end_session_endpoint": at("/end-session"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    });
    if script.userinfo.is_none() {
        merge(&mut metadata, &json!({"userinfo_endpoint": null}));
    }
    merge(&mut metadata, &script.metadata);
    metadata
}

fn token(script: &Script, key: &Key, request: &Received) -> Value {
    let issuer = format!("http://{}", request.header("host").expect("a host"));
    let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let nonce = field("code").and_then(|code| URL_SAFE_NO_PAD.decode(code).ok());
    let mut claims = json!({
        "iss": issuer, "aud": CLIENT_ID, "iat": script.now, "exp": script.now + script.expires_in,
    });
    if let Some(nonce) = nonce {
        claims["nonce"] = String::from_utf8_lossy(&nonce).into_owned().into();
    }
    merge(&mut claims, &script.id_token);
    let mut header = json!({"alg": "ES256", "kid": key.kid});
    merge(&mut header, &script.id_token_header);
    let id_token = script.raw_id_token.clone().unwrap_or_else(|| key.sign(&header, &claims.to_string()));
    let mut response = json!({
        "access_token": format!("access-token-{}", request.turn + request.connection * 1000),
        "token_type": "Bearer",
        "expires_in": script.expires_in,
        "id_token": id_token,
    });
    merge(&mut response, &script.token_response);
    response
}

/// Sets members, and takes out those that are `null`.
fn merge(into: &mut Value, changes: &Value) {
    let (Some(into), Some(changes)) = (into.as_object_mut(), changes.as_object()) else { return };
    for (name, value) in changes {
        if value.is_null() {
            into.shift_remove(name);
        } else {
            into.insert(name.clone(), value.clone());
        }
    }
}
