//! What the access log in the format of the ALB needs besides the record of the exchange. Nothing here runs with another format.

use std::cell::Cell;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, Version, header};

use crate::exchange::Exchange;
use crate::exchange::rejection::Reason;
use crate::message::unread::Unread;
use crate::message::watch::{Ending, Watch};
use crate::message::{Request, Response, forwarded, grpc};
use crate::telemetry::access_log::alb::{AlbRecord, Names, Priority};
use crate::telemetry::access_log::{AccessLog, AccessRecord};

/// The names and the priorities of the rules, for all exchanges of a listener.
#[derive(Debug)]
pub(crate) struct Format {
    pub(crate) names: Arc<Names>,
    /// The priorities of the rules in the order of evaluation. The default actions have 0.
    pub(crate) priorities: Vec<u32>,
}

/// The facts of one exchange.
#[derive(Debug)]
pub(super) struct Facts {
    is_grpc: bool,
    request_head_bytes: u64,
    request_body_bytes: Rc<Cell<u64>>,
    /// `X-Amzn-Trace-Id` as the client sent it, if it is kept.
    trace: Option<HeaderValue>,
    response_head_bytes: u64,
    location: Option<HeaderValue>,
}

/// Counts the bytes of a request body.
struct Received(Rc<Cell<u64>>);

impl Watch for Received {
    fn data(&mut self, bytes: usize) {
        self.0.set(self.0.get() + bytes as u64);
    }

    fn ended(&mut self, _: Ending<'_>) {}
}

impl Facts {
    /// The facts of a request, before anything reads it. Counts its body from now on.
    pub(super) fn of(request: &mut Request) -> Self {
        let mut facts = Self::of_head(Some(request.method()), Some(request.uri()), request.headers());
        facts.is_grpc = request.version() == Version::HTTP_2 && grpc::is_grpc(request.headers());
        if !request.body().is_websocket() {
            request.body_mut().watch(Box::new(Received(Rc::clone(&facts.request_body_bytes))));
        }
        facts
    }

    /// The facts of a request that was refused before it was one.
    pub(super) fn of_unread(request: &Unread) -> Self {
        Self::of_head(request.method.as_ref(), request.uri.as_ref(), &request.headers)
    }

    fn of_head(method: Option<&Method>, uri: Option<&Uri>, headers: &HeaderMap) -> Self {
        let method = method.map_or(0, |method| method.as_str().len());
        let target = uri.map_or(0, |uri| uri.path_and_query().map_or(1, |target| target.as_str().len()));
        Self {
            is_grpc: false,
            request_head_bytes: (method + target + " HTTP/1.1\r\n ".len()) as u64 + fields_bytes(headers),
            request_body_bytes: Rc::default(),
            trace: forwarded::given_trace(headers).cloned(),
            response_head_bytes: 0,
            location: None,
        }
    }

    /// Takes what the line needs from the response.
    pub(super) fn answer(&mut self, exchange: &Exchange, response: &Response) {
        self.response_head_bytes = "HTTP/1.1 200 \r\n".len() as u64 + fields_bytes(response.headers());
        // Only where the operator's own action sends the client. The addresses of sign-ins have secrets in them.
        if exchange.actions.last() == Some(&"redirect") {
            self.location = response.headers().get(header::LOCATION).cloned();
        }
    }

    /// Writes the line of an exchange.
    pub(super) fn write(&self, format: &Format, exchange: &Exchange, record: &AccessRecord<'_>, log: &AccessLog) {
        let trace = forwarded::trace_id(self.trace.as_ref(), exchange.id.as_str());
        let peer = match exchange.connection.peer {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let port = exchange.request.as_ref().and_then(|request| request.authority.port());
        // The query can have secrets, here as in the path of the request.
        let redirect = self.location.as_ref().and_then(|location| location.to_str().ok()?.split(['?', '#']).next());
        let answered = exchange.answered;
        let group = answered.and_then(|answered| format.names.target_groups.get(answered.group));
        let alb = AlbRecord {
            kind: self.kind(exchange, record),
            load_balancer: &format.names.load_balancer,
            peer: &peer,
            port: exchange.forwarded_port.or(port).unwrap_or(exchange.scheme.default_port()),
            until_sent: answered.map(|answered| answered.sent.saturating_duration_since(exchange.started)),
            target_status: answered.map(|answered| answered.status.as_u16()),
            received_bytes: self.request_head_bytes + self.request_body_bytes.get(),
            response_head_bytes: self.response_head_bytes,
            target_group: group.map(|group| &**group),
            trace: trace.to_str().unwrap_or_default(),
            priority: format.priority(exchange),
            redirect,
            error_reason: exchange.reason.and_then(Reason::alb_name),
            connection: exchange.connection.id,
        };
        log.write_alb(record, &alb);
    }

    /// The field `type`.
    fn kind(&self, exchange: &Exchange, record: &AccessRecord<'_>) -> &'static str {
        let is_tls = exchange.connection.tls.is_some();
        match record.http_version {
            _ if record.status == StatusCode::SWITCHING_PROTOCOLS.as_u16() => {
                if is_tls {
                    "wss"
                } else {
                    "ws"
                }
            }
            Some("2") if self.is_grpc => "grpcs",
            Some("2") => "h2",
            _ if is_tls => "https",
            _ => "http",
        }
    }
}

impl Format {
    fn priority(&self, exchange: &Exchange) -> Priority {
        match &exchange.rule {
            Some(rule) => self.priorities.get(rule.index).map_or(Priority::None, |priority| Priority::Rule(*priority)),
            // As the ALB has it for a callback that fails.
            None if exchange.reason.is_some_and(Reason::is_failed_login) => Priority::Failed,
            None => Priority::None,
        }
    }
}

/// The bytes of fields in the form of HTTP/1.1, with the blank line.
fn fields_bytes(headers: &HeaderMap) -> u64 {
    let fields = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len());
    (fields.sum::<usize>() + "\r\n".len()) as u64
}
