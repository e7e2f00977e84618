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
pub(crate) struct Selected {
    /// The index of the rule in evaluation order.
    pub(crate) place: usize,
    pub(crate) chain: ActionChain,
    pub(crate) encoded_slash: EncodedSlash,
    /// Which other origins may read its responses.
    pub(crate) cors: Option<cors::Policy>,
}

/// The rules, actions and keys of one listener.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// The listener's name.
    pub(crate) listener: Arc<str>,
    /// The listener's own address, for HTTP/1.0 requests that name no host.
    pub(crate) address: HeaderValue,
    /// Header names that a client may not set.
    pub(crate) protected: Arc<Protected>,
    /// Each rule and what it selects.
    pub(crate) rules: RuleSet<Selected>,
    /// How requests with a header such as `X-HTTP-Method-Override` are handled.
    pub(crate) method_override: MethodOverrides,
    /// What happens to requests that do not conform.
    pub(crate) desync: Mode,
    /// What is set in responses.
    pub(crate) response_headers: Option<Arc<ResponseHeaders>>,
    /// Callback, sign-out and keys, on a listener with an authenticate action (DESIGN §6).
    pub(crate) endpoints: Option<Endpoints>,
    /// Whether a rule takes bearer tokens.
    pub(crate) takes_tokens: bool,
    /// User pools, each on its issuer's authority.
    pub(crate) pools: Vec<Arc<UserPool>>,
    /// The look and the texts of the pages.
    pub(crate) pages: Arc<Pages>,
    /// Which peers may send `X-Forwarded-For`, and how the header is changed.
    pub(crate) forwarded: Arc<Policy>,
    /// What the certificates of clients must be. `None`: clients are not asked for certificates.
    pub(crate) clients: Option<Arc<client::policy::Policy>>,
    /// Answers to challenges of a certificate authority, on a listener without TLS.
    pub(crate) acme: Option<Arc<Issued>>,
    /// The names in the access log, if it has the format of the ALB.
    pub(crate) alb: Option<Arc<Names>>,
    /// What records requests as traces, if the configuration has any.
    pub(crate) tracer: Option<Arc<Tracer>>,
    /// If the listener answers questions of another proxy about its requests.
    pub(crate) questions: Option<Questions>,
    /// Counts the configuration as long as a request uses it.
    pub(crate) alive: Arc<GaugeGuard>,
}
