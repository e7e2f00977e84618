//! The life of a request, from head to access record. Start at [`Proxy::respond`].
//!
//! One `Proxy` serves one listener on one worker. The part that workers share is immutable ([`snapshot::Snapshot`]).

mod alb;
pub mod decide;
mod finish;
mod metrics;
mod question;
pub mod reserved;
pub mod snapshot;
mod spans;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};

use crate::action::worker::Worker;
use crate::clock::Clock;
use crate::drain::Control;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::{Reason, Rejection};
use crate::exchange::{Exchange, Matched};
use crate::forward_auth::check;
use crate::forward_auth::described::Described;
use crate::forward_auth::questions::{Question, Questions};
use crate::forward_auth::settings::{AskedBy, Refusals};
use crate::message::unread::Unread;
use crate::message::uri::CanonicalRequest;
use crate::message::{Request, Response, cors, grpc, media};
use crate::page::Text;
use crate::page::link::Link;
use crate::telemetry::access_log::AccessLog;
use crate::telemetry::line_budget::LineBudget;
use crate::telemetry::metrics::Registry;
use crate::telemetry::traces::scope;
use decide::{Decided, Decision};
use finish::{Answers, Recorder, WorkerRecords};
use metrics::Subjects;
use snapshot::Snapshot;

/// Serves one listener on one worker.
#[derive(Debug)]
pub struct Proxy {
    snapshot: Arc<Snapshot>,
    worker: Rc<Worker>,
    control: Control,
    clock: Clock,
    sink: Rc<WorkerRecords>,
    /// The names of the rules, in order. `Rc`, so that no worker touches another worker's reference count.
    rule_names: Vec<Rc<str>>,
    /// The CORS policies of the rules, in the same order.
    cors: Vec<Option<cors::Policy>>,
}

impl Proxy {
    /// A worker's proxy for the listener of `snapshot`.
    pub fn new(
        snapshot: Arc<Snapshot>,
        worker: Rc<Worker>,
        control: Control,
        clock: Clock,
        access_log: Rc<AccessLog>,
        registry: &Registry,
    ) -> Self {
        let rule_names: Vec<Rc<str>> = snapshot.rules.iter().map(|rule| Rc::from(&*rule.name)).collect();
        let cors = snapshot.rules.iter().map(|rule| rule.payload.cors.clone()).collect();
        let terminals = snapshot.rules.iter().map(|rule| rule.payload.chain.terminal.name());
        let rules: Vec<_> = rule_names.iter().cloned().zip(terminals).collect();
        let target_groups: Vec<_> = worker.groups.iter().map(|group| Arc::clone(group.name())).collect();
        let subjects = Subjects { listener: &snapshot.listener, rules: &rules, target_groups: &target_groups };
        let metrics = metrics::Metrics::new(registry, &subjects);
        let priorities = || snapshot.rules.iter().map(|rule| rule.priority).collect();
        let alb = snapshot.alb.as_ref().map(|names| alb::Format { names: Arc::clone(names), priorities: priorities() });
        let sink = Rc::new(WorkerRecords {
            alb,
            _generation: Arc::clone(&snapshot.alive),
            metrics,
            access_log,
            tracer: snapshot.tracer.clone(),
            clock: clock.clone(),
            has_told_of_plain_http: Cell::default(),
            failed_logins: LineBudget::default(),
            stray_callbacks: LineBudget::default(),
        });
        Self { snapshot, worker, control, clock, sink, rule_names, cors }
    }

    /// Answers a request: begin, respond, finish. Cannot fail: a rejection is a response.
    pub(crate) async fn handle(&self, connection: Rc<Connection>, request: &mut Request) -> Response {
        let exchange = Exchange::begin(self.up_to_date(connection), self.clock.instant(), self.clock.now());
        // From here on the exchange is recorded exactly once, also when the client leaves and this future is dropped.
        let mut recorder = Box::new(Recorder::new(Rc::clone(&self.sink), exchange, request));
        if let Some(questions) = &self.snapshot.questions {
            // Boxed, so that the future of a request on any other listener does not include the size of this one.
            return Box::pin(self.answer_question(questions, recorder, request)).await;
        }
        let asks_for_websocket = request.body().is_websocket();
        let mut outcome = self.respond(&mut recorder.exchange, request).await;
        if asks_for_websocket {
            outcome = outcome.and_then(|response| opened_or_refused(&recorder.exchange, response));
        }
        finish::finish(recorder, outcome, request.headers(), &self.answers())
    }

    /// A connection that is older than the configuration is seen as the configuration says: a proxy that is no longer trusted is not
    /// trusted on connections that it has open, either, and neither is the certificate of a client.
    fn up_to_date(&self, connection: Rc<Connection>) -> Rc<Connection> {
        let Snapshot { listener, forwarded, clients, .. } = &*self.snapshot;
        if Arc::ptr_eq(&connection.forwarded, forwarded) && connection.client.is_of(clients.as_ref()) {
            connection
        } else {
            let client = connection.client.under(clients.as_ref(), self.clock.now());
            Rc::new(connection.under(listener, forwarded, client))
        }
    }

    fn answers(&self) -> Answers<'_> {
        let Snapshot { pages, response_headers, .. } = &*self.snapshot;
        Answers { pages, response_headers: response_headers.as_deref(), cors: &self.cors }
    }

    /// A request's life. Each step can end it with a reason, and no step can be skipped. The step that answers takes the body.
    async fn respond(&self, exchange: &mut Exchange, request: &mut Request) -> Result<Box<Response>, Rejection> {
        // Before anything of the request is looked at: a configuration may have come that would have refused the handshake.
        let checked = exchange.connection.client.check(exchange.started_at);
        checked.map_err(|error| Rejection::new(Reason::RequestClientCertificate, error))?;
        let Decided { request: canonical, decision } = decide::decide(&self.snapshot, exchange, request)?;
        let selected = match decision {
            // Boxed, so that the future of a request for a target does not include the size of our own endpoints' future.
            Decision::Ours(answering) => {
                exchange.preferred = Some(media::preferred(request.headers()));
                exchange.language = Some(self.snapshot.pages.language(request.headers()));
                let (worker, request, scope) = (&self.worker.authenticate, std::mem::take(request), exchange.scope());
                let answering = answering.answer(worker, &self.control, exchange, &canonical, request);
                return Box::pin(scope::within(scope, answering)).await.map(Box::new);
            }
            Decision::Rule(rule) => &rule.payload,
        };
        let index = selected.place;
        exchange.rule = Some(Matched { name: Rc::clone(&self.rule_names[index]), index });
        if self.cors[index].is_some() {
            let asked = cors::Asked::of(request.method(), request.headers());
            let is_preflight = asked.is_preflight();
            exchange.cors = Some(Box::new(asked));
            // Never forwarded: a preflight has no credentials, so it has no passage.
            if is_preflight {
                exchange.actions.push("cors");
                return Ok(Box::new(cors::preflight_response()));
            }
        }
        selected.chain.run(&self.worker, exchange, &canonical, request).await
    }

    /// Answers a question, or a request to a reserved path that the other proxy passes on.
    async fn answer_question(
        &self,
        questions: &Questions,
        mut recorder: Box<Recorder>,
        request: &mut Request,
    ) -> Response {
        let exchange = &mut recorder.exchange;
        let may_ask = questions.may_ask(exchange.connection.peer);
        let uri = request.uri().clone();
        let Some(question) = questions.find(&uri).filter(|_| !self.is_for_pool(exchange, request)) else {
            let outcome =
                if may_ask { self.own_path(exchange, request).await } else { Err(Reason::ForwardAuthPeer.into()) };
            return finish::finish(recorder, outcome, request.headers(), &self.answers());
        };
        let mut removed = Vec::new();
        let outcome = match may_ask {
            true => self.ask(question, exchange, request, &mut removed).await,
            false => Err(Reason::ForwardAuthPeer.into()),
        };
        let response = finish::render(&mut recorder, outcome, request.headers(), &self.answers());
        let target = recorder.exchange.request.as_ref().map(|described| described.target.as_str());
        let response = match question.asked_by {
            AskedBy::EnvoyGrpc => question::message(*response, &removed).await,
            _ => question::answer(question, *response, target, &removed),
        };
        finish::send(recorder, Box::new(response))
    }

    /// Whether a request may be for the host of a user pool, which the other proxy passes on as a whole. A client that opens the path of an
    /// endpoint there asks nothing (attacks F-11). The port says nothing: it is what the client has written.
    fn is_for_pool(&self, exchange: &Exchange, request: &Request) -> bool {
        let pools = &self.snapshot.pools;
        if pools.is_empty() {
            return false;
        }
        // The path of a question may have several readings. Only the host is read here.
        let mut parts = request.uri().clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::from_static("/"));
        let Ok(uri) = Uri::from_parts(parts) else { return true };
        let read = CanonicalRequest::parse(exchange.scheme, &Method::GET, &uri, request.headers());
        read.map_or(true, |read| pools.iter().any(|pool| pool.has_host(read.host())))
    }

    /// A request that the other proxy has passed on: only Vestibule's own paths and user pools are served here.
    async fn own_path(&self, exchange: &mut Exchange, request: &mut Request) -> Result<Box<Response>, Rejection> {
        let Decided { request: canonical, decision } = decide::decide(&self.snapshot, exchange, request)?;
        let Decision::Ours(answering) = decision else { return Err(Reason::NotFound.into()) };
        if request.body().is_websocket() {
            return Err(Reason::RequestMethod.into());
        }
        exchange.preferred = Some(media::preferred(request.headers()));
        exchange.language = Some(self.snapshot.pages.language(request.headers()));
        let request = std::mem::take(request);
        let (worker, scope) = (&self.worker.authenticate, exchange.scope());
        let answering = answering.answer(worker, &self.control, exchange, &canonical, request);
        scope::within(scope, answering).await.map(Box::new)
    }

    /// Runs the rule of the request that is described. `removed` gets the headers that must not reach the application.
    async fn ask(
        &self,
        question: Question<'_>,
        exchange: &mut Exchange,
        request: &mut Request,
        removed: &mut Vec<HeaderName>,
    ) -> Result<Box<Response>, Rejection> {
        let described = match question.asked_by {
            AskedBy::EnvoyGrpc => read_call(request).await?,
            asked_by => Described::of(asked_by, question.below, request, &exchange.connection.forwarded)
                .map_err(|error| Rejection::new(Reason::ForwardAuthDescription, error))?,
        };
        *removed = question::to_remove(question.asked_by, &self.snapshot.protected, request.headers());
        exchange.client = described.client;
        exchange.scheme = described.scheme;
        described.put_into(request);
        let (canonical, rule) = decide::decide_described(&self.snapshot, exchange, request)?;
        if question.refusals == Refusals::Status {
            question::not_led_away(request.headers_mut());
        }
        let index = rule.payload.place;
        exchange.rule = Some(Matched { name: Rc::clone(&self.rule_names[index]), index });
        rule.payload.chain.run(&self.worker, exchange, &canonical, request).await
    }
}

/// Reads a call of Envoy. The headers of the request are then those that the call describes.
async fn read_call(request: &mut Request) -> Result<Described, Rejection> {
    let is_call = request.method() == Method::POST && grpc::is_grpc(request.headers());
    let mut body = std::mem::take(request.body_mut());
    request.headers_mut().clear();
    if !is_call {
        return Err(Reason::ForwardAuthDescription.into());
    }
    body.limit_idle(CALL_IDLE_TIMEOUT);
    let message = body.whole(check::BYTES_MAX).await;
    let message = message.map_err(|error| Rejection::new(Reason::ForwardAuthDescription, error))?;
    let read = check::read(message).map_err(|error| Rejection::new(Reason::ForwardAuthDescription, error));
    let (described, headers) = read?;
    *request.headers_mut() = headers;
    Ok(described)
}

/// Longest time between two pieces of a call.
const CALL_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// Refuses a success that is not an open WebSocket, to a request for a WebSocket over HTTP/2.
///
/// RFC 8441 §5: any 2xx says that the WebSocket is open. The client would read the body as frames. An open WebSocket is a 101
/// here, as on HTTP/1.1.
///
/// # Errors
///
/// [`Reason::UpstreamNoWebSocket`] if the answer is a target's, otherwise [`Reason::RequestMethod`].
fn opened_or_refused(exchange: &Exchange, response: Box<Response>) -> Result<Box<Response>, Rejection> {
    match &exchange.target {
        _ if !response.status().is_success() => Ok(response),
        Some(_) => Err(Rejection::new(Reason::UpstreamNoWebSocket, NotSwitched(response.status()))),
        None => Err(Reason::RequestMethod.into()),
    }
}

/// A target has answered a handshake as an ordinary request.
#[derive(Debug, thiserror::Error)]
#[error("the target answered the handshake with {0} in place of 101")]
struct NotSwitched(StatusCode);

impl crate::listener::requests::Handler for Proxy {
    async fn handle(&self, connection: Rc<Connection>, request: &mut Request) -> Response {
        Self::handle(self, connection, request).await
    }

    fn refuse(&self, connection: Rc<Connection>, request: Unread, reason: Reason) -> Response {
        let mut exchange = Exchange::begin(self.up_to_date(connection), self.clock.instant(), self.clock.now());
        exchange.preferred = Some(media::preferred(&request.headers));
        exchange.language = Some(self.snapshot.pages.language(&request.headers));
        exchange.finding = request.finding;
        exchange.client = exchange.connection.forwarded.client(&request.headers, exchange.connection.peer);
        if let (Some(method), Some(uri)) = (&request.method, &request.uri) {
            let parsed = CanonicalRequest::parse(exchange.scheme, method, uri, &request.headers);
            exchange.request = parsed.ok().map(Rc::new);
        }
        let mut rejection = Rejection::from(reason);
        if let (Reason::RequestPlainHttp, Some(request)) = (reason, &exchange.request) {
            let address = format!("https://{}{}", request.authority.as_str(), request.target);
            rejection = rejection.offer(Link::here(Text::LinkOpenWithHttps, address));
        }
        let recorder = Box::new(Recorder::unread(Rc::clone(&self.sink), exchange, request));
        finish::finish(recorder, Err(rejection), &HeaderMap::new(), &self.answers())
    }
}
