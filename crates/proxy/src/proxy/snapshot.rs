//! The configuration of one listener as used for requests: made at load, immutable, shared by all workers.

use std::sync::Arc;

use http::HeaderValue;

use crate::action::ActionChain;
use crate::action::authenticate::endpoints::Endpoints;
use crate::certificate::acme::issued::Issued;
use crate::certificate::client;
use crate::forward_auth::questions::Questions;
use crate::listener::settings::MethodOverrides;
use crate::message::cors;
use crate::message::desync::Mode;
use crate::message::forwarded::Policy;
use crate::message::header::Protected;
use crate::message::response_headers::ResponseHeaders;
use crate::message::uri::EncodedSlash;
use crate::page::Pages;
use crate::rule::RuleSet;
use crate::telemetry::access_log::alb::Names;
use crate::telemetry::metrics::GaugeGuard;
use crate::telemetry::traces::tracer::Tracer;
use crate::user_pool::UserPool;

/// What a rule selects.
#[derive(Debug)]
pub struct Selected {
    /// The index of the rule in evaluation order.
    pub place: usize,
    pub chain: ActionChain,
    pub encoded_slash: EncodedSlash,
    /// Which other origins may read its responses.
    pub cors: Option<cors::Policy>,
}

/// The rules, actions and keys of one listener.
#[derive(Debug)]
pub struct Snapshot {
    /// The listener's name.
    pub listener: Arc<str>,
    /// The listener's own address, for HTTP/1.0 requests that name no host.
    pub address: HeaderValue,
    /// Header names that a client may not set.
    pub protected: Arc<Protected>,
    /// Each rule and what it selects.
    pub rules: RuleSet<Selected>,
    /// How requests with a header such as `X-HTTP-Method-Override` are handled.
    pub method_override: MethodOverrides,
    /// What happens to requests that do not conform.
    pub desync: Mode,
    /// What is set in responses.
    pub response_headers: Option<Arc<ResponseHeaders>>,
    /// Callback, sign-out and keys, on a listener with an authenticate action (DESIGN §6).
    pub endpoints: Option<Endpoints>,
    /// Whether a rule takes bearer tokens.
    pub takes_tokens: bool,
    /// User pools, each on its issuer's authority.
    pub pools: Vec<Arc<UserPool>>,
    /// The look and the texts of the pages.
    pub pages: Arc<Pages>,
    /// Which peers may send `X-Forwarded-For`, and how the header is changed.
    pub forwarded: Arc<Policy>,
    /// What the certificates of clients must be. `None`: clients are not asked for certificates.
    pub clients: Option<Arc<client::policy::Policy>>,
    /// Answers to challenges of a certificate authority, on a listener without TLS.
    pub acme: Option<Arc<Issued>>,
    /// The names in the access log, if it has the format of the ALB.
    pub alb: Option<Arc<Names>>,
    /// What records requests as traces, if the configuration has any.
    pub tracer: Option<Arc<Tracer>>,
    /// If the listener answers questions of another proxy about its requests.
    pub questions: Option<Questions>,
    /// Counts the configuration as long as a request uses it.
    pub alive: Arc<GaugeGuard>,
}
