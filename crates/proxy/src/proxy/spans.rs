//! The spans of a recorded exchange: its own, and one for each attempt at a target.
//!
//! Names follow the semantic conventions of OpenTelemetry for HTTP; what they do not have is called `vestibule.…` (`docs/TRACES.md`). No
//! query, no cookie, no token and no user is in a span.

use std::time::Instant;

use crate::exchange::Exchange;
use crate::exchange::trace::Trace;
use crate::telemetry::access_log::AccessRecord;
use crate::telemetry::traces::attempts::{Attempt, Outcome};
use crate::telemetry::traces::span::{Attributes, Base, Context, Kind, Span, Value, known_method};

/// Hands over the spans of an exchange that has ended. `record` is its access record.
#[cold]
#[inline(never)]
pub(super) fn take(trace: &Trace, exchange: &Exchange, record: &AccessRecord<'_>, now: Instant) {
    let base = Base { at: exchange.started_at, instant: exchange.started };
    // Also a response that was cut after its head. A client that leaves is no error.
    let is_error = exchange.reason.map_or(record.status >= 500, |reason| reason.status().is_server_error());
    for (number, attempt) in trace.attempts.take().into_iter().enumerate() {
        trace.tracer.take(of_attempt(trace, (record, is_error), &attempt, number, (base, now)));
    }
    trace.tracer.take(Span {
        context: trace.context(),
        parent: trace.parent,
        has_remote_parent: trace.parent.is_some(),
        link: trace.link,
        name: name(record.method, record.rule).into(),
        kind: Kind::Server,
        start: base.nanos(exchange.started),
        end: base.nanos(now),
        attributes: of_exchange(trace, exchange, record, is_error),
        is_error,
    });
}

/// The method and what has answered: few names, as the conventions ask for.
fn name(method: Option<&str>, by: Option<&str>) -> String {
    let method = method.and_then(known_method).unwrap_or("HTTP");
    by.map_or_else(|| method.to_owned(), |by| format!("{method} {by}"))
}

fn of_exchange(trace: &Trace, exchange: &Exchange, record: &AccessRecord<'_>, is_error: bool) -> Attributes {
    let mut attributes = Attributes::default();
    if let Some(method) = record.method {
        attributes.method(method);
    }
    attributes.word("url.scheme", exchange.scheme.as_str());
    if let Some(path) = record.path {
        attributes.text("url.path", path);
    }
    if let Some(request) = &exchange.request {
        attributes.text("server.address", request.host());
        let port = exchange.forwarded_port.or(request.authority.port());
        attributes.number("server.port", port.unwrap_or(exchange.scheme.default_port()));
    }
    if trace.tracer.has_client_address {
        attributes.text("client.address", record.client_address);
    }
    if let Some(version) = record.http_version {
        attributes.text("network.protocol.version", version);
    }
    if let Some(agent) = record.user_agent {
        attributes.text("user_agent.original", agent);
    }
    attributes.number("http.response.status_code", record.status);
    attributes.number("http.response.body.size", record.response_bytes);
    if is_error {
        error(&mut attributes, record.reason, record.status);
    }
    attributes.text("vestibule.request_id", record.request_id);
    attributes.text("vestibule.listener", record.listener);
    if let Some(rule) = record.rule {
        attributes.text("vestibule.rule", rule);
    }
    attributes.0.push(("vestibule.actions", Value::Texts(record.actions.to_vec())));
    if let Some(reason) = record.reason {
        attributes.text("vestibule.reason", reason);
    }
    if let Some(target) = record.target {
        attributes.text("vestibule.target", target);
    }
    attributes
}

/// `error.type`: our reason, else the status.
fn error(attributes: &mut Attributes, reason: Option<&str>, status: u16) {
    match reason {
        Some(reason) => attributes.text("error.type", reason),
        None => attributes.text("error.type", &status.to_string()),
    }
}

fn of_attempt(
    trace: &Trace,
    (record, has_failed): (&AccessRecord<'_>, bool),
    attempt: &Attempt,
    number: usize,
    (base, now): (Base, Instant),
) -> Span {
    let mut attributes = Attributes::default();
    if let Some(method) = record.method {
        attributes.method(method);
    }
    attributes.server(&attempt.target);
    let path = record.transformed.as_ref().and_then(|transformed| transformed.path).or(record.path);
    if let Some(path) = path.filter(|_| !attempt.target.contains('/')) {
        let scheme = if attempt.is_tls { "https" } else { "http" };
        attributes.text("url.full", &format!("{scheme}://{}{path}", attempt.target));
    }
    attributes.word("network.protocol.version", if attempt.is_http2 { "2" } else { "1.1" });
    if number > 0 {
        attributes.number("http.request.resend_count", number);
    }
    attributes.text("vestibule.target_group", &attempt.target_group);
    let (end, is_error) = match attempt.outcome {
        Outcome::Answered { status } => {
            attributes.number("http.response.status_code", status);
            // The conventions: for a client, 4xx is an error, too. What is cut later is that of the exchange.
            if status >= 400 {
                error(&mut attributes, None, status);
            }
            (now, status >= 400)
        }
        Outcome::Failed { why, at } => {
            attributes.word("error.type", why);
            (at, true)
        }
        // The client has left, or the process ends.
        Outcome::UnderWay => {
            error(&mut attributes, record.reason, record.status);
            (now, has_failed)
        }
    };
    Span {
        context: Context { trace: trace.attempts.trace(), span: attempt.span },
        parent: Some(trace.span),
        has_remote_parent: false,
        link: None,
        name: name(record.method, Some(&attempt.target_group)).into(),
        kind: Kind::Client,
        start: base.nanos(attempt.begun),
        end: base.nanos(end),
        attributes,
        is_error,
    }
}
