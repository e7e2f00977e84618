//! A gate, a scripted provider behind it, and a browser in front of it.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};

use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::services::ProcessState;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::authenticate::{Authenticate, GenerationServices, Outcome};
use crate::action::demand::Demand;
use crate::action::settings::{AuthenticateKind, AuthenticateSettings, OnExpired, OnUnauthenticated, ProviderChoice};
use crate::action::visitor::Visitor;
use crate::backchannel::call::{Backchannel, Error as CallError};
use crate::claims::ClaimsHeaders;
use crate::clock::{Clock, ManualClock, Timestamp};
use crate::crypto::{aead, octets};
use crate::drain::{self, Control, Drain, Draining};
use crate::exchange::Exchange;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::jose::signing_key::SigningKey;
use crate::message::body::Body;
use crate::message::form::Form;
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::message::{Request, Response, WholeRequest, WholeResponse};
use crate::oidc;
use crate::secret::Secret;
use crate::session::record::Session;
use crate::session::shards::{self, Found};
use crate::telemetry::metrics::Registry;
use crate::{claims, session};

pub(super) const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
/// The listener's.
const HEAD_BYTES_MAX: usize = 64 * 1024;
pub(super) const ISSUER: &str = "https://idp.test";

/// What the provider does; tests change it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) subject: String,
    pub(super) claims: Value,
    /// `expires_in`, and whether there is a refresh token.
    pub(super) lifetime: u64,
    pub(super) refresh_tokens: bool,
    /// The token endpoint answers this instead.
    pub(super) refusal: Option<(StatusCode, &'static str)>,
    pub(super) is_down: bool,
    /// Calls of the token endpoint, by grant type.
    pub(super) token_calls: HashMap<String, usize>,
    nonces: HashMap<String, String>,
    refresh_token: String,
}

#[derive(Debug)]
pub(super) struct Provider {
    key: SigningKey,
    clock: Clock,
    pub(super) script: Mutex<Script>,
}

impl Provider {
    fn new(clock: Clock) -> Self {
        let script = Script {
            subject: "alice".into(),
            claims: json!({"email": "alice@example.com"}),
            lifetime: 3600,
            refresh_tokens: true,
            refusal: None,
            is_down: false,
            token_calls: HashMap::new(),
            nonces: HashMap::new(),
            refresh_token: String::new(),
        };
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back");
        Self { key, clock, script: Mutex::new(script) }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Script)) {
        change(&mut self.script.lock().expect("not poisoned"));
    }

    pub(super) fn token_calls(&self, grant_type: &str) -> usize {
        self.script.lock().expect("not poisoned").token_calls.get(grant_type).copied().unwrap_or_default()
    }

    /// What the user does at the provider: answers the callback's query.
    pub(super) fn sign_in(&self, location: &str) -> String {
        let query = query(location);
        let code = octets::token();
        self.change(|script| drop(script.nonces.insert(code.clone(), query["nonce"].clone())));
        format!("code={code}&state={}", query["state"])
    }

    fn answer(&self, request: &WholeRequest) -> Result<WholeResponse, CallError> {
        if self.script.lock().expect("not poisoned").is_down {
            return Err(CallError::Timeout);
        }
        Ok(match request.uri().path() {
            "/.well-known/openid-configuration" => document(&json!({
                "issuer": ISSUER,
                "authorization_endpoint": "https://idp.test/authorize",
                "token_endpoint": "https://idp.test/token",
                "jwks_uri": "https://idp.test/keys",
                "end_session_endpoint": "https://idp.test/logout",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["ES256"],
            })),
            "/keys" => document(&json!({"keys": [self.key.public().jwk()]})),
            "/token" => self.token(request),
            other => panic!("nobody asks for {other}"),
        })
    }

    fn token(&self, request: &WholeRequest) -> WholeResponse {
        let form = Form::parse(request.body()).expect("a form");
        let one = |name| form.one(name).expect("once").map(str::to_owned);
        let grant_type = one("grant_type").expect("given");
        let mut script = self.script.lock().expect("not poisoned");
        *script.token_calls.entry(grant_type.clone()).or_default() += 1;
        if let Some((status, error)) = script.refusal {
            let mut response = document(&json!({"error": error}));
            *response.status_mut() = status;
            return response;
        }
        let nonce = match grant_type.as_str() {
            "authorization_code" => Some(script.nonces.remove(&one("code").expect("given"))),
            // Rotating: a refresh token that comes twice is refused (attacks V-01).
            _ => (one("refresh_token") == Some(script.refresh_token.clone())).then_some(None),
        };
        let Some(nonce) = nonce.filter(|nonce| nonce.is_some() || grant_type == "refresh_token") else {
            let mut response = document(&json!({"error": "invalid_grant"}));
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return response;
        };
        script.refresh_token = octets::token();
        let now = self.clock.now().seconds();
        let mut payload = json!({
            "iss": ISSUER, "sub": script.subject, "aud": "dashboard", "iat": now, "exp": now + script.lifetime,
        });
        let members = payload.as_object_mut().expect("an object");
        members.extend(nonce.map(|nonce| ("nonce".to_owned(), nonce.into())));
        members.extend(script.claims.as_object().expect("an object").clone());
        let id_token = self.key.compact(&json!({"alg": "ES256", "kid": self.key.kid()}), &payload).expect("signs");
        let mut tokens = json!({
            "access_token": format!("access {}", octets::token()).replace(' ', "-"), "token_type": "Bearer",
            "expires_in": script.lifetime, "id_token": id_token,
        });
        if script.refresh_tokens {
            tokens["refresh_token"] = script.refresh_token.clone().into();
        }
        document(&tokens)
    }
}

impl Backchannel for Provider {
    fn call(
        &self,
        request: WholeRequest,
    ) -> Pin<Box<dyn Future<Output = Result<WholeResponse, CallError>> + Send + '_>> {
        Box::pin(async move {
            // As a network does: others run meanwhile.
            tokio::task::yield_now().await;
            self.answer(&request)
        })
    }
}

fn document(value: &Value) -> WholeResponse {
    let mut response = WholeResponse::new(Bytes::from(value.to_string()));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// The query of a URL, decoded.
pub(super) fn query(location: &str) -> BTreeMap<String, String> {
    url::Url::parse(location).expect("a URL").query_pairs().into_owned().collect()
}

/// A listener with gates, and what is around it.
pub(super) struct Fixture {
    pub(super) provider: Arc<Provider>,
    pub(super) clock: ManualClock,
    pub(super) services: GenerationServices,
    client: Arc<oidc::RelyingParty>,
    endpoints: Endpoints,
    pub(super) gates: Vec<Arc<Authenticate>>,
    pub(super) workers: Vec<WorkerState>,
    /// Held, or nothing could be spawned any more.
    _drain: (Drain, Draining),
}

pub(super) fn settings() -> AuthenticateSettings {
    AuthenticateSettings {
        providers: vec![ProviderChoice::plain(AuthenticateKind::Oidc("corp".into()))],
        session_cookie_name: "__Host-sess".into(),
        scope: "openid email".into(),
        session_timeout: Duration::from_secs(8 * 3600),
        extra_params: BTreeMap::from([("prompt".into(), "login".into())]),
        on_unauthenticated: OnUnauthenticated::Authenticate,
        on_expired: OnExpired::Deny,
        private_responses: false,
        same_site: crate::message::cookie::SameSite::Lax,
        allowed_origins: Arc::default(),
    }
}

impl Fixture {
    pub(super) fn new() -> Self {
        Self::with(vec![settings()])
    }

    pub(super) fn with(gates: Vec<AuthenticateSettings>) -> Self {
        let (clock, hand) = Clock::manual(START);
        let registry = Registry::default();
        let provider = Arc::new(Provider::new(clock.clone()));
        let drain = drain::channel();
        let claims = Arc::new(ClaimsHeaders::new(claims::settings::Settings {
            signer: "arn:vestibule:test".into(),
            format: claims::settings::Format::Jwt,
            signing_key: SigningKey::from_pem(&SigningKey::generate_pem()).expect("reads back"),
            other_keys: Vec::new(),
            access_token_header: true,
            claim_headers: Vec::new(),
            header_bytes_max: 32 * 1024,
        }));
        let services = GenerationServices {
            session: session::settings::Settings {
                keys: Arc::new([aead::Key::new(&Secret::new([7; 32]))]),
                clear_site_data: None,
            },
            claims: Arc::clone(&claims),
            paths: Arc::default(),
            pages: Arc::default(),
            memory: ProcessState::default(),
            control: Control::new(tokio::runtime::Handle::current(), drain.1.spawner()),
            clock: clock.clone(),
            registry: registry.clone(),
        };
        let backchannel = Arc::clone(&provider) as Arc<dyn Backchannel>;
        let client =
            Arc::new(oidc::RelyingParty::new(provider_settings("corp", ISSUER), backchannel, clock, &registry));
        let gates: Vec<_> = gates
            .into_iter()
            .map(|settings| {
                let client = (Arc::clone(&client), oidc::settings::Logout::Auto);
                Arc::new(Authenticate::new(settings, vec![client], &services, HEAD_BYTES_MAX))
            })
            .collect();
        let endpoints = Endpoints::new(gates.clone(), &services);
        let workers = (0..4).map(|_| WorkerState::new(&registry)).collect();
        Self { provider, clock: hand, services, client, endpoints, gates, workers, _drain: drain }
    }

    /// One more gate beside those of the listener, as after a reload.
    pub(super) fn gate(&self, settings: AuthenticateSettings) -> Arc<Authenticate> {
        let client = (Arc::clone(&self.client), oidc::settings::Logout::Auto);
        Arc::new(Authenticate::new(settings, vec![client], &self.services, HEAD_BYTES_MAX))
    }

    /// An action with two providers, which are two clients of one issuer.
    pub(super) fn choosing(&self, names: [&str; 2]) -> Arc<Authenticate> {
        let backchannel = Arc::clone(&self.provider) as Arc<dyn Backchannel>;
        let client = |name: &&str| {
            let (clock, registry) = (self.services.clock.clone(), &self.services.registry);
            let settings = provider_settings(name, ISSUER);
            let client = oidc::RelyingParty::new(settings, Arc::clone(&backchannel), clock, registry);
            (Arc::new(client), oidc::settings::Logout::Auto)
        };
        let providers = names.map(|name| ProviderChoice::plain(AuthenticateKind::Oidc(name.into()))).to_vec();
        let settings = AuthenticateSettings { providers, ..settings() };
        Arc::new(Authenticate::new(settings, names.iter().map(client).collect(), &self.services, HEAD_BYTES_MAX))
    }

    /// A gate of another provider.
    pub(super) fn gate_of(&self, name: &str, issuer: &str) -> Arc<Authenticate> {
        let backchannel = Arc::clone(&self.provider) as Arc<dyn Backchannel>;
        let (clock, registry) = (self.services.clock.clone(), &self.services.registry);
        let client = Arc::new(oidc::RelyingParty::new(provider_settings(name, issuer), backchannel, clock, registry));
        let client = (client, oidc::settings::Logout::Auto);
        Arc::new(Authenticate::new(settings(), vec![client], &self.services, HEAD_BYTES_MAX))
    }

    fn exchange(&self, request: &Request) -> (Exchange, Rc<CanonicalRequest>) {
        let peer = "192.0.2.66:4711".parse().expect("an address");
        let connection = Connection::new(peer, "public".into(), Arc::default(), None);
        let clock = &self.services.clock;
        let exchange = Exchange::begin(Rc::new(connection), clock.instant(), clock.now());
        let canonical = CanonicalRequest::parse(Scheme::Https, request.method(), request.uri(), request.headers());
        (exchange, Rc::new(canonical.expect("the request is not ambiguous")))
    }

    /// What the listener does with a request: reserved paths first, then the first gate.
    pub(super) async fn send(&self, worker: usize, request: Request) -> Reply {
        self.send_to(&self.gates[0], worker, request).await
    }

    pub(super) async fn send_to(&self, gate: &Arc<Authenticate>, worker: usize, request: Request) -> Reply {
        let (mut exchange, canonical) = self.exchange(&request);
        let worker = &self.workers[worker];
        let outcome = match self.endpoints.paths().find(canonical.target.path()) {
            Some(endpoint) => self
                .endpoints
                .answer(endpoint, worker, &mut exchange, &canonical, request)
                .await
                .map(|answered| Outcome::Answered(Box::new(answered))),
            None => gate.run(worker, &mut exchange, &canonical, request.headers(), &Demand::default()).await,
        };
        let cookies = exchange.cookies.iter().map(|line| line.to_str().expect("ASCII").to_owned()).collect();
        let subject = exchange.subject.as_deref().map(str::to_owned);
        match outcome {
            Ok(Outcome::Answered(response)) => {
                Reply { answered: Some(*response), cookies, subject, ..Reply::default() }
            }
            Ok(Outcome::Identified(user)) => Reply { identified: Some(user), cookies, subject, ..Reply::default() },
            Ok(Outcome::Anonymous(_)) => Reply { anonymous: true, cookies, subject, ..Reply::default() },
            Err(rejection) => Reply { rejected: Some(rejection.reason), cookies, subject, ..Reply::default() },
        }
    }

    pub(super) fn metrics(&self) -> String {
        self.services.registry.render()
    }
}

fn provider_settings(name: &str, issuer: &str) -> oidc::settings::Settings {
    oidc::settings::Settings {
        client_secret: Some(Secret::new("secret".into())),
        ..oidc::settings::Settings::new(name, issuer, "dashboard")
    }
}

/// How a request ended: one of the first four.
#[derive(Default)]
pub(super) struct Reply {
    pub(super) answered: Option<Response>,
    pub(super) identified: Option<Rc<Visitor>>,
    pub(super) anonymous: bool,
    pub(super) rejected: Option<Reason>,
    pub(super) cookies: Vec<String>,
    pub(super) subject: Option<String>,
}

impl Reply {
    #[track_caller]
    pub(super) fn response(&self) -> &Response {
        let rejected = self.rejected;
        self.answered.as_ref().unwrap_or_else(|| panic!("the request was answered, not rejected as {rejected:?}"))
    }

    #[track_caller]
    pub(super) fn location(&self) -> &str {
        assert_eq!(self.response().status(), StatusCode::FOUND);
        assert_eq!(self.response().headers()[header::CACHE_CONTROL], "no-store");
        self.response().headers()[header::LOCATION].to_str().expect("ASCII")
    }

    pub(super) async fn text(self) -> String {
        let body = self.answered.expect("the request was answered").into_body();
        let bytes = body.whole(100_000).await.expect("in memory");
        String::from_utf8(bytes.to_vec()).expect("UTF-8")
    }

    #[track_caller]
    pub(super) fn user(&self) -> &Visitor {
        let rejected = self.rejected;
        self.identified.as_ref().unwrap_or_else(|| panic!("a user is signed in; {rejected:?}"))
    }
}

/// A browser at one host, with its cookies.
#[derive(Clone, Debug, Default)]
pub(super) struct Browser {
    pub(super) jar: BTreeMap<String, String>,
}

impl Browser {
    pub(super) fn request(&self, method: Method, url: &str, headers: &[(&str, &str)]) -> Request {
        let url: http::Uri = url.parse().expect("a URL");
        let target = url.path_and_query().expect("a path").clone();
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        *request.uri_mut() = http::Uri::from(target);
        let map: &mut HeaderMap = request.headers_mut();
        map.insert(header::HOST, url.authority().expect("a host").as_str().parse().expect("a header value"));
        for (name, value) in headers {
            map.insert(HeaderName::try_from(*name).expect("a name"), value.parse().expect("a header value"));
        }
        if !self.jar.is_empty() {
            let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
            map.insert(header::COOKIE, cookies.join("; ").parse().expect("a header value"));
        }
        request
    }

    pub(super) fn navigation(&self, url: &str) -> Request {
        self.request(Method::GET, url, NAVIGATION)
    }

    pub(super) fn fetch(&self, url: &str) -> Request {
        self.request(Method::GET, url, FETCH)
    }

    /// Keeps what an answer sets, and drops what it deletes.
    pub(super) fn keep(&mut self, reply: &Reply) {
        for line in &reply.cookies {
            assert!(line.len() <= 4096);
            assert!(line.contains("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age="), "{line}");
            let (name, value) = line.split(';').next().and_then(|pair| pair.split_once('=')).expect("a pair");
            if line.ends_with("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    pub(super) async fn open(&mut self, fixture: &Fixture, url: &str) -> Reply {
        let reply = fixture.send(0, self.navigation(url)).await;
        self.keep(&reply);
        reply
    }

    /// Opens `https://app.test/`, signs in at the provider, and comes back.
    pub(super) async fn sign_in(&mut self, fixture: &Fixture) -> Reply {
        let location = self.open(fixture, "https://app.test/").await.location().to_owned();
        let callback = fixture.provider.sign_in(&location);
        self.open(fixture, &format!("https://app.test/oauth2/idpresponse?{callback}")).await
    }

    /// The session of the browser, decrypted.
    pub(super) fn session(&self, fixture: &Fixture) -> Session {
        let request = self.fetch("https://app.test/");
        let Found::Whole(shards) = shards::find(request.headers(), "__Host-sess") else { panic!("there is a session") };
        fixture.gates[0].factory.sessions.open("app.test", &shards).expect("we sealed it")
    }

    pub(super) fn has_session(&self) -> bool {
        self.jar.contains_key("__Host-sess-0")
    }

    pub(super) fn pending(&self) -> usize {
        self.jar.keys().filter(|name| name.starts_with("__Host-sess-login-") && !name.ends_with("rounds")).count()
    }
}

pub(super) const NAVIGATION: &[(&str, &str)] = &[
    ("accept", "text/html"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-site", "none"),
];
pub(super) const FETCH: &[(&str, &str)] =
    &[("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty"), ("sec-fetch-site", "same-origin")];
