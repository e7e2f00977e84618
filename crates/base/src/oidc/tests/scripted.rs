//! A provider in memory that says what a test has it say, and remembers what it was asked.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};

use crate::backchannel::call::{Backchannel, Error as CallError};
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::identity::Claims;
use crate::jose::signing_key::SigningKey;
use crate::jose::verify::Fault;
use crate::message::form::Form;
use crate::message::{WholeRequest, WholeResponse};
use crate::oidc::error::{Error, IdTokenFault};
use crate::oidc::id_token::nonce_hash;
use crate::oidc::settings::Settings;
use crate::oidc::{Begun, Callback, Login, LoginRequest, Pending, RefreshRequest, Refreshed, RelyingParty};
use crate::secret::Secret;
use crate::telemetry::metrics::Registry;

pub(super) const ISSUER: &str = "https://issuer.test";
pub(super) const CLIENT_ID: &str = "dashboard";
pub(super) const CALLBACK: &str = "https://app.test/oauth2/idpresponse";
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";
pub(super) const JWKS: &str = "/jwks";
pub(super) const TOKEN: &str = "/token";
pub(super) const USERINFO: &str = "/userinfo";
pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

#[derive(Clone, Debug)]
pub(super) enum Reply {
    Json(StatusCode, Value),
    Raw(StatusCode, &'static str, Bytes),
    /// The connection is refused.
    Refuse,
    /// No answer, ever.
    Hang,
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self::Json(StatusCode::OK, body)
    }

    pub(super) fn status(status: u16) -> Self {
        Self::Json(StatusCode::from_u16(status).expect("three digits"), json!({}))
    }

    pub(super) fn error(status: u16, code: &str) -> Self {
        let body = json!({"error": code, "error_description": "SECRET-DESCRIPTION"});
        Self::Json(StatusCode::from_u16(status).expect("three digits"), body)
    }

    pub(super) fn html() -> Self {
        Self::Raw(StatusCode::OK, "text/html", Bytes::from_static(b"<html>SECRET-BODY</html>"))
    }
}

#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    pub(super) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }

    pub(super) fn field(&self, name: &str) -> Option<String> {
        Form::parse(&self.body).expect("a form").one(name).expect("once").map(str::to_owned)
    }
}

#[derive(Debug, Default)]
pub(super) struct Scripted {
    replies: Mutex<BTreeMap<&'static str, Reply>>,
    calls: Mutex<Vec<(String, Call)>>,
}

impl Backchannel for Scripted {
    fn call(
        &self,
        request: WholeRequest,
    ) -> Pin<Box<dyn Future<Output = Result<WholeResponse, CallError>> + Send + '_>> {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let reply = self.replies.lock().expect("unpoisoned").get(path.as_str()).cloned();
        self.calls.lock().expect("unpoisoned").push((path, Call { headers: parts.headers, body }));
        Box::pin(async move {
            // So that others get to run while a call is under way.
            tokio::task::yield_now().await;
            let (status, kind, body) = match reply.unwrap_or(Reply::status(404)) {
                Reply::Json(status, body) => (status, "application/json", body.to_string().into()),
                Reply::Raw(status, kind, body) => (status, kind, body),
                Reply::Refuse => return Err(CallError::Connect("refused".into())),
                Reply::Hang => std::future::pending().await,
            };
            let response = http::Response::builder().status(status).header(header::CONTENT_TYPE, kind);
            Ok(response.body(body).expect("a response"))
        })
    }
}

/// A provider, a client of it, and a clock.
pub(super) struct Fixture {
    pub(super) provider: Arc<Scripted>,
    pub(super) client: Arc<RelyingParty>,
    pub(super) clock: ManualClock,
    pub(super) key: SigningKey,
    pub(super) registry: Registry,
}

pub(super) fn settings() -> Settings {
    Settings {
        client_secret: Some(Secret::new("s3cret/+".into())),
        timeout: Duration::from_millis(200),
        ..Settings::new("corp", ISSUER, CLIENT_ID)
    }
}

pub(super) fn metadata() -> Value {
    json!({
        "issuer": ISSUER,
        "authorization_endpoint": "https://issuer.test/authorize",
        "token_endpoint": "https://issuer.test/token",
        "userinfo_endpoint": "https://issuer.test/userinfo",
        "jwks_uri": "https://issuer.test/jwks",
        "end_session_endpoint": "https://issuer.test/logout",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    })
}

pub(super) fn new_key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back")
}

pub(super) fn key_set<'k>(keys: impl IntoIterator<Item = &'k SigningKey>) -> Reply {
    let keys: Vec<&Value> = keys.into_iter().map(|key| key.public().jwk()).collect();
    Reply::ok(json!({ "keys": keys }))
}

pub(super) fn fixture() -> Fixture {
    fixture_with(|_| {})
}

pub(super) fn fixture_with(change: impl FnOnce(&mut Settings)) -> Fixture {
    let mut settings = settings();
    change(&mut settings);
    let (provider, key, registry) = (Arc::new(Scripted::default()), new_key(), Registry::default());
    let (clock, hand) = Clock::manual(NOW);
    let backchannel: Arc<dyn Backchannel> = Arc::<Scripted>::clone(&provider);
    let client = Arc::new(RelyingParty::new(settings, backchannel, clock, &registry));
    let fixture = Fixture { provider, client, clock: hand, key, registry };
    fixture.on(DISCOVERY, Reply::ok(metadata()));
    fixture.on(JWKS, key_set([&fixture.key]));
    fixture.on(USERINFO, Reply::ok(json!({"sub": "alice", "email": "alice@example.com"})));
    fixture
}

/// An ID token's claims that are right in every way.
pub(super) fn good_claims(nonce: &str) -> Value {
    json!({
        "iss": ISSUER,
        "sub": "alice",
        "aud": CLIENT_ID,
        "exp": NOW.seconds() + 300,
        "iat": NOW.seconds(),
        "nonce": nonce,
        "name": "Alice",
        "auth_time": NOW.seconds() - 5,
    })
}

pub(super) fn token_answer(id_token: impl Into<Value>) -> Value {
    json!({
        "access_token": "ACCESS-TOKEN",
        "token_type": "Bearer",
        "expires_in": 60,
        "refresh_token": "REFRESH-TOKEN",
        "id_token": id_token.into(),
    })
}

/// A token of any header and payload, with any signature.
pub(super) fn compact(header: &str, payload: &str, signature: impl AsRef<[u8]>) -> String {
    let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
    format!("{}.{}.{}", encode(header.as_bytes()), encode(payload.as_bytes()), encode(signature.as_ref()))
}

/// A token whose text is exactly `header` and `payload`, signed by `key`.
pub(super) fn signed(key: &SigningKey, header: &str, payload: &str) -> String {
    let token = compact(header, payload, "");
    let input = token.trim_end_matches('.');
    format!("{input}.{}", key.sign(input.as_bytes()).expect("signs"))
}

impl Fixture {
    pub(super) fn on(&self, path: &'static str, reply: Reply) {
        self.provider.replies.lock().expect("unpoisoned").insert(path, reply);
    }

    pub(super) fn calls(&self, path: &str) -> Vec<Call> {
        let calls = self.provider.calls.lock().expect("unpoisoned");
        calls.iter().filter(|(called, _)| called == path).map(|(_, call)| call.clone()).collect()
    }

    pub(super) fn header(&self) -> String {
        json!({"alg": "ES256", "typ": "JWT", "kid": self.key.kid()}).to_string()
    }

    pub(super) fn sign(&self, claims: &Value) -> String {
        signed(&self.key, &self.header(), &claims.to_string())
    }

    pub(super) async fn begin(&self) -> Begun {
        self.client.begin(login_request()).await.expect("begins")
    }

    pub(super) async fn finish(&self, pending: Pending) -> Result<Login, Error> {
        let callback = Callback { code: Secret::new("CODE".into()), issuer: None };
        self.client.finish(callback, pending, CALLBACK.into()).await
    }

    /// A login to which the token endpoint answers with the token that `make` makes for the login's nonce.
    pub(super) async fn login_with_token(&self, make: impl FnOnce(&str) -> String) -> Result<Login, Error> {
        let pending = self.begin().await.pending;
        self.on(TOKEN, Reply::ok(token_answer(make(pending.nonce.as_deref().unwrap_or_default()))));
        self.finish(pending).await
    }

    /// A login whose ID token has its claims changed by `change`.
    pub(super) async fn login_with(&self, change: impl FnOnce(&mut Value)) -> Result<Login, Error> {
        self.login_with_token(|nonce| {
            let mut claims = good_claims(nonce);
            change(&mut claims);
            self.sign(&claims)
        })
        .await
    }

    pub(super) async fn login(&self) -> Login {
        self.login_with(|_| {}).await.expect("signs in")
    }

    /// A login to which the token endpoint answers with `reply`.
    pub(super) async fn login_answered(&self, reply: Reply) -> Result<Login, Error> {
        let pending = self.begin().await.pending;
        self.on(TOKEN, reply);
        self.finish(pending).await
    }

    pub(super) async fn refresh_answered(&self, reply: Reply) -> Result<Refreshed, Error> {
        self.on(TOKEN, reply);
        self.client.refresh(refresh_request()).await
    }
}

pub(super) fn nonce_of(pending: &Pending) -> &str {
    pending.nonce.as_deref().expect("a nonce was sent")
}

pub(super) fn verifier_of(pending: &Pending) -> &str {
    pending.code_verifier.as_deref().expect("a challenge was sent")
}

pub(super) fn login_request() -> LoginRequest {
    LoginRequest {
        redirect_uri: CALLBACK.into(),
        scope: "openid email".into(),
        state: crate::crypto::octets::token(),
        extra_params: BTreeMap::new(),
    }
}

pub(super) fn refresh_request() -> RefreshRequest {
    RefreshRequest {
        refresh_token: Secret::new("OLD-REFRESH-TOKEN".into()),
        subject: "alice".into(),
        nonce_hash: Some(nonce_hash("LOGIN-NONCE")),
    }
}

pub(super) fn object(value: Value) -> Claims {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

/// The fault of signature or registered claims for which an ID token was refused; panics on every other outcome.
#[track_caller]
pub(super) fn token_fault(result: Result<Login, Error>) -> Fault {
    match fault(result) {
        IdTokenFault::Token(fault) => fault,
        other => panic!("not refused for its signature or registered claims: {other:?}"),
    }
}

/// The fault for which an ID token was refused; panics on every other outcome.
#[track_caller]
pub(super) fn fault(result: Result<Login, Error>) -> IdTokenFault {
    match result {
        Err(Error::IdToken(fault)) => fault,
        other => panic!("not refused for its ID token: {other:?}"),
    }
}
