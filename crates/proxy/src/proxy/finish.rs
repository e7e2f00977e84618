//! The end of every exchange: page, cookies, metrics and exactly one access record; each failure logged once.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use http_body::Body as _;

use crate::action::lease_end::LeaseOver;
use crate::certificate::client::policy::Accepted;
use crate::clock::Clock;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::{Reason, Rejection};
use crate::exchange::trace::Trace;
use crate::exchange::{Exchange, Transformed, error_page};
use crate::message::body::Body;
use crate::message::response_headers::{MadeBy, ResponseHeaders};
use crate::message::unread::Unread;
use crate::message::watch::{Ending, Watch};
use crate::message::{BoxError, Request, Response, caching, cors, grpc};
use crate::page::Pages;
use crate::proxy::alb;
use crate::proxy::metrics::Metrics;
use crate::proxy::spans;
use crate::static_files;
use crate::telemetry::access_log::{AccessLog, AccessRecord, ClientCertificate, TransformedRecord};
use crate::telemetry::line_budget::LineBudget;
use crate::telemetry::metrics::GaugeGuard;
use crate::telemetry::traces::tracer::Tracer;
use crate::upstream::error::Deregistered;

/// Where a worker's exchanges are recorded.
#[derive(Debug)]
pub(crate) struct WorkerRecords {
    /// Counts the configuration as long as one of its exchanges is not recorded.
    pub(crate) _generation: Arc<GaugeGuard>,
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Rc<AccessLog>,
    /// `Some` if the access log has the format of the ALB.
    pub(crate) alb: Option<alb::Format>,
    /// `Some` if the configuration has traces.
    pub(crate) tracer: Option<Arc<Tracer>>,
    pub(crate) clock: Clock,
    /// Whether the warning about requests over plain HTTP has been logged.
    pub(crate) has_told_of_plain_http: Cell<bool>,
    /// Rate limit of log lines for failed sign-ins.
    pub(crate) failed_logins: LineBudget,
    /// Rate limit of log lines for callbacks without a pending login.
    pub(crate) stray_callbacks: LineBudget,
}

/// Records its exchange exactly once: when the last byte of the response is sent, when a tunnel has ended, or when the recorder is dropped
/// earlier.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) exchange: Exchange,
    sink: Rc<WorkerRecords>,
    /// `None` where it could not be read.
    method: Option<Method>,
    user_agent: Option<HeaderValue>,
    /// `None` where it could not be read.
    version: Option<Version>,
    answer: Option<Answer>,
    bytes: u64,
    is_recorded: bool,
    /// `Some` if the access log has the format of the ALB.
    alb: Option<Box<alb::Facts>>,
}

/// The head of the answer, and when it was ready.
#[derive(Clone, Copy, Debug)]
struct Answer {
    status: StatusCode,
    first_byte: Duration,
}

impl Recorder {
    pub(crate) fn new(sink: Rc<WorkerRecords>, mut exchange: Exchange, request: &mut Request) -> Self {
        if let Some(tracer) = &sink.tracer {
            exchange.trace = Trace::begin(tracer, &exchange.id, &exchange.connection, request.headers());
        }
        let alb = sink.alb.as_ref().map(|_| Box::new(alb::Facts::of(request)));
        Self {
            exchange,
            sink,
            alb,
            method: Some(request.method().clone()),
            user_agent: request.headers().get(header::USER_AGENT).cloned(),
            version: Some(request.version()),
            answer: None,
            bytes: 0,
            is_recorded: false,
        }
    }

    /// The same for a request that is refused before it is one.
    pub(crate) fn unread(sink: Rc<WorkerRecords>, mut exchange: Exchange, mut request: Unread) -> Self {
        if let Some(tracer) = &sink.tracer {
            exchange.trace = Trace::begin(tracer, &exchange.id, &exchange.connection, &request.headers);
        }
        let alb = sink.alb.as_ref().map(|_| Box::new(alb::Facts::of_unread(&request)));
        Self {
            exchange,
            sink,
            alb,
            method: request.method,
            user_agent: request.headers.remove(header::USER_AGENT),
            version: request.version,
            answer: None,
            bytes: 0,
            is_recorded: false,
        }
    }

    fn elapsed(&self) -> Duration {
        self.sink.clock.instant().saturating_duration_since(self.exchange.started)
    }

    /// Whether the connection was given to a WebSocket.
    fn is_tunnel(&self) -> bool {
        self.answer.is_some_and(|answer| answer.status == StatusCode::SWITCHING_PROTOCOLS)
    }

    /// A response without a body is complete after its head.
    fn has_no_body(&self) -> bool {
        let is_bare = |answer: Answer| {
            answer.status == StatusCode::NO_CONTENT
                || answer.status == StatusCode::NOT_MODIFIED
                || answer.status == StatusCode::SWITCHING_PROTOCOLS
        };
        self.method == Some(Method::HEAD) || self.answer.is_some_and(is_bare)
    }

    fn record(&mut self) {
        if std::mem::replace(&mut self.is_recorded, true) {
            return;
        }
        let duration = self.elapsed();
        let answer = self.answer.unwrap_or_else(|| {
            let interruption = self.exchange.connection.interruption();
            let reason = if std::thread::panicking() { Reason::Internal } else { interruption };
            self.exchange.reason = Some(reason);
            Answer { status: reason.status(), first_byte: duration }
        });
        if let Some(reason) = self.exchange.reason {
            self.sink.metrics.refused(reason);
        }
        if let Some(finding) = self.exchange.finding {
            self.sink.metrics.found(finding.class());
        }
        let rule = self.exchange.rule.as_ref().map(|rule| rule.index);
        let metrics = &self.sink.metrics;
        metrics.answered(rule, answer.status, answer.first_byte);
        match self.exchange.answered {
            Some(target) => {
                let sent = target.sent.saturating_duration_since(self.exchange.started);
                metrics.target_answered(target.group, answer.first_byte.saturating_sub(sent));
            }
            None if self.exchange.reason.is_none() => metrics.answered_by(rule, &self.exchange.actions),
            None => {}
        }
        let named = (self.exchange.client != self.exchange.connection.peer).then(|| self.exchange.client.to_string());
        let mut record = self.access_record(answer, duration);
        if let Some(client) = &named {
            record.client_address = client;
        }
        if let Some(trace) = &self.exchange.trace {
            spans::take(trace, &self.exchange, &record, self.sink.clock.instant());
        }
        match (&self.sink.alb, &self.alb) {
            (Some(format), Some(facts)) => facts.write(format, &self.exchange, &record, &self.sink.access_log),
            _ => self.sink.access_log.write(&record),
        }
    }

    fn access_record(&self, answer: Answer, duration: Duration) -> AccessRecord<'_> {
        let exchange = &self.exchange;
        let canonical = exchange.request.as_deref();
        AccessRecord {
            time: exchange.started_at,
            request_id: exchange.id.as_str(),
            trace: exchange.trace.as_deref().map(Trace::context),
            // A question is about a request with another method.
            method: canonical.map(|request| &request.method).or(self.method.as_ref()).map(Method::as_str),
            host: canonical.map(|request| request.host()),
            path: canonical.map(|request| request.target.path()),
            http_version: self.version.map(version),
            user_agent: self.user_agent.as_ref().and_then(|value| value.to_str().ok()),
            rule: exchange.rule_name().map(|name| &**name),
            actions: &exchange.actions,
            subject: exchange.subject.as_deref(),
            target_group: exchange.target_group.as_deref(),
            target: exchange.target.as_deref(),
            transformed: exchange.transformed.as_deref().map(transformed),
            status: answer.status.as_u16(),
            reason: exchange.reason.map(Reason::code).or(exchange.page_code),
            classification: exchange.finding.map(|finding| (finding.class().name(), finding.name())),
            response_bytes: self.bytes,
            first_byte: answer.first_byte,
            duration,
            scheme: exchange.scheme.as_str(),
            ..of_connection(&exchange.connection, exchange.started_at)
        }
    }
}

impl Watch for Recorder {
    fn data(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    fn ended(&mut self, ending: Ending<'_>) {
        let (reason, error) = match ending {
            Ending::Complete => return self.record(),
            Ending::BrokenOff(error) => match error.downcast_ref::<LeaseOver>() {
                Some(over) => (over.reason(), None),
                None if error.is::<Deregistered>() => (Reason::UpstreamDeregistered, None),
                None if error.is::<static_files::Cut>() => (Reason::StaticUnreadable, Some(error)),
                None => (Reason::UpstreamReset, Some(error)),
            },
            Ending::Malformed(error) => (Reason::UpstreamMalformed, Some(error)),
            // Only bodies of targets and of files are waited for.
            Ending::StoodStill if self.exchange.target.is_none() => (Reason::StaticUnreadable, None),
            Ending::StoodStill => (Reason::UpstreamBodyTimeout, None),
        };
        self.exchange.reason.get_or_insert(reason);
        log_cut(&self.exchange, reason, error);
        self.record();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The client left in the middle of the body, or its time was over, unless there was none to send.
        if !self.is_recorded && self.answer.is_some() && (self.is_tunnel() || !self.has_no_body()) {
            self.exchange.reason.get_or_insert(self.exchange.connection.interruption());
        }
        self.record();
    }
}

/// What the responses of a listener have in common.
#[derive(Debug)]
pub(crate) struct Answers<'p> {
    pub(crate) pages: &'p Pages,
    pub(crate) response_headers: Option<&'p ResponseHeaders>,
    /// The CORS policy of each rule, in evaluation order.
    pub(crate) cors: &'p [Option<cors::Policy>],
}

/// Turns an outcome into the response to the client. The end of the response body records the exchange.
///
/// `headers` are the request's.
pub(crate) fn finish(
    mut recorder: Box<Recorder>,
    outcome: Result<Box<Response>, Rejection>,
    headers: &HeaderMap,
    answers: &Answers<'_>,
) -> Response {
    let response = render(&mut recorder, outcome, headers, answers);
    send(recorder, response)
}

/// The whole response to a request, with its page and its cookies.
#[inline(always)]
pub(crate) fn render(
    recorder: &mut Recorder,
    outcome: Result<Box<Response>, Rejection>,
    headers: &HeaderMap,
    answers: &Answers<'_>,
) -> Box<Response> {
    let pages = answers.pages;
    let exchange = &mut recorder.exchange;
    let made_by = match &outcome {
        Ok(_) if exchange.target.is_some() => MadeBy::Target,
        _ if exchange.rule.is_some() => MadeBy::Rule,
        _ => MadeBy::Vestibule,
    };
    let mut response = outcome.unwrap_or_else(|rejection| {
        log(exchange, &rejection, &recorder.sink);
        exchange.reason = Some(rejection.reason);
        // There is no gRPC over HTTP/1.1.
        if recorder.version == Some(Version::HTTP_2) && grpc::is_grpc(headers) {
            return Box::new(error_page::render_grpc(&rejection, exchange.about()));
        }
        let language = exchange.language.unwrap_or_else(|| pages.language(headers));
        Box::new(error_page::render(&rejection, exchange.about(), exchange.preferred(headers), pages.view(language)))
    });
    if exchange.is_private || !exchange.cookies.is_empty() {
        caching::make_private(response.headers_mut());
    }
    if let Some(fields) = answers.response_headers {
        fields.apply(made_by, response.headers_mut());
    }
    if let (Some(asked), Some(rule)) = (exchange.cors.take(), &exchange.rule)
        && let Some(policy) = &answers.cors[rule.index]
    {
        policy.apply(&asked, response.headers_mut());
    }
    for cookie in exchange.cookies.drain(..) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Hands the response to the listener. The end of its body records the exchange.
#[inline(always)]
pub(crate) fn send(mut recorder: Box<Recorder>, mut response: Box<Response>) -> Response {
    if let Some(alb) = &mut recorder.alb {
        alb.answer(&recorder.exchange, &response);
    }
    let tunnel = recorder.exchange.tunnel.take();
    recorder.answer = Some(Answer { status: response.status(), first_byte: recorder.elapsed() });
    if let Some(tunnel) = tunnel.filter(|_| recorder.is_tunnel()) {
        let version = recorder.version;
        tunnel.set(recorder);
        return bare(*response, version);
    }
    if recorder.has_no_body() {
        recorder.record();
        return bare(*response, recorder.version);
    }
    response.body_mut().watch(recorder);
    *response
}

/// Removes a body that the response must not have (RFC 9110 §9.3.2, §15.3.5), but keeps its length:
/// hyper takes care of that on HTTP/1.1 only.
fn bare(mut response: Response, version: Option<Version>) -> Response {
    // RFC 9110 §8.6: no Content-Length with 204, even if the target sent one. HTTP/2 clients treat it as a stream error.
    if response.status() == StatusCode::NO_CONTENT {
        response.headers_mut().remove(header::CONTENT_LENGTH);
        return response.map(|_| Body::empty());
    }
    if response.body().is_empty() {
        // RFC 9110 §8.6: the length that the answer would have without the condition.
        let is_bare = response.status() == StatusCode::NOT_MODIFIED && version != Some(Version::HTTP_2);
        let length = response.headers().get(header::CONTENT_LENGTH).filter(|_| is_bare);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        return match length {
            Some(length) => response.map(|_| Body::promised(length)),
            None => response,
        };
    }
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(length));
    }
    response.map(|_| Body::empty())
}

/// Logs once why a request was refused, with every cause: `warn` if a target or provider is at fault, `error` if Vestibule
/// is, `debug` if the client is.
fn log(exchange: &Exchange, rejection: &Rejection, sink: &WorkerRecords) {
    let causes = causes(rejection.source.as_ref());
    let (id, reason) = (exchange.id, rejection.reason.code());
    let login = exchange.login.as_ref();
    // If there is no rule, the field is left out: any placeholder could be the name of a rule.
    let rule = exchange.rule_name().map(|name| &**name).or(login.and_then(|login| login.rule.as_deref()));
    let target = exchange.target.as_deref();
    if rejection.reason.is_failed_login() {
        // Callbacks without a pending login have a separate rate limit, because anybody can send them.
        let budget = if login.is_some() { &sink.failed_logins } else { &sink.stray_callbacks };
        let Some(skipped) = budget.take(exchange.started_at) else { return };
        let provider = login.map(|login| &*login.provider);
        tracing::warn!(
            request_id = %id, reason, provider.name = provider, rule.name = rule, error = causes, lines.skipped = skipped,
            "a sign-in failed"
        );
        return;
    }
    match rejection.reason {
        Reason::Internal => {
            tracing::error!(request_id = %id, reason, rule.name = rule, error = causes, "request failed")
        }
        // The operator must see this warning, but clients must not be able to fill the log.
        Reason::RequestNotHttps if !sink.has_told_of_plain_http.replace(true) => {
            let listener = &exchange.connection.listener;
            tracing::warn!(
                request_id = %id, reason, rule.name = rule, listener.name = %listener, error = causes,
                "a rule that signs users in refused a request that did not come over HTTPS; this is logged once"
            );
        }
        // Lines of a place of their own: strangers can cause any number of them, and would leave none for targets.
        Reason::StaticUnreadable => {
            tracing::warn!(request_id = %id, reason, rule.name = rule, error = causes, "a file was not sent")
        }
        Reason::StaticBusy | Reason::BearerIntrospectionBusy => {
            tracing::warn!(request_id = %id, reason, rule.name = rule, "a request was refused because there are too many")
        }
        reason_kind if reason_kind.status().is_server_error() => {
            tracing::warn!(
                request_id = %id, reason, rule.name = rule, target.address = target, error = causes, "request refused"
            );
        }
        _ => tracing::debug!(request_id = %id, reason, rule.name = rule, error = causes, "request refused"),
    }
}

/// Logs once why a response was closed after its head was sent.
fn log_cut(exchange: &Exchange, reason: Reason, error: Option<&BoxError>) {
    let (id, reason_code) = (exchange.id, reason.code());
    let rule = exchange.rule_name().map(|name| &**name);
    let target = exchange.target.as_deref();
    if reason.status().is_client_error() {
        tracing::debug!(request_id = %id, reason = reason_code, rule.name = rule, "response closed early: the user may no longer see it");
        return;
    }
    let error = causes(error);
    if reason == Reason::StaticUnreadable {
        tracing::warn!(request_id = %id, reason = reason_code, rule.name = rule, error, "a file was not sent whole");
        return;
    }
    tracing::warn!(request_id = %id, reason = reason_code, rule.name = rule, target.address = target, error, "response closed early");
}

/// Maximum length of an error in the log, in bytes. A target can say why it ends a connection in 16 KB (GOAWAY, RFC 9113 §6.8).
const CAUSES_BYTES_MAX: usize = 1024;

/// An error with everything that caused it. Longer ones are cut. `None` leaves the field out of the log line: an empty field says nothing.
fn causes(error: Option<&BoxError>) -> Option<String> {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = Some(&**error?);
    while let Some(error) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&error.to_string());
        next = error.source();
    }
    text.truncate(text.floor_char_boundary(CAUSES_BYTES_MAX));
    Some(text)
}

/// An access record with the fields of the connection; the other fields are empty.
fn client_certificate(accepted: &Accepted) -> ClientCertificate<'_> {
    let facts = accepted.presented.facts();
    ClientCertificate {
        subject: &facts.subject,
        serial_number: &facts.serial_number,
        fingerprint: &facts.fingerprint,
        is_verified: accepted.is_verified,
    }
}

fn of_connection(connection: &Connection, time: crate::clock::Timestamp) -> AccessRecord<'_> {
    AccessRecord {
        time,
        request_id: "",
        trace: None,
        listener: &connection.listener,
        client_address: connection.peer_address.to_str().unwrap_or_default(),
        client_port: connection.peer_port,
        method: None,
        scheme: connection.scheme().as_str(),
        host: None,
        path: None,
        http_version: None,
        tls_version: connection.tls.as_ref().map(|tls| tls.version),
        tls_cipher: connection.tls.as_ref().map(|tls| tls.cipher_suite),
        tls_server_name: connection.tls.as_ref().and_then(|tls| tls.server_name.as_deref()),
        client_certificate: connection.client.accepted().map(|accepted| client_certificate(accepted)),
        user_agent: None,
        rule: None,
        actions: &[],
        subject: None,
        target_group: None,
        target: None,
        transformed: None,
        status: 0,
        reason: None,
        classification: None,
        response_bytes: 0,
        first_byte: Duration::ZERO,
        duration: Duration::ZERO,
    }
}

fn transformed(transformed: &Transformed) -> TransformedRecord<'_> {
    TransformedRecord {
        status: transformed.status(),
        host: transformed.host.as_ref().and_then(|host| host.to_str().ok()),
        path: transformed.target.as_ref().map(PathAndQuery::path),
    }
}

fn version(version: Version) -> &'static str {
    match version {
        Version::HTTP_2 => "2",
        Version::HTTP_10 => "1.0",
        _ => "1.1",
    }
}
