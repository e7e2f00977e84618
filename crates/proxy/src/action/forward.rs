//! `forward`: adds the headers about client and user, sends the request to a target, and streams the response back.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, Method, Version, header};

use crate::action::authorize::{Authorize, Origin};
use crate::action::extras::{Extras, WorkerExtras};
use crate::action::lease_end::{self, Watch};
use crate::action::passage::Passage;
use crate::action::transform;
use crate::action::web_socket_origin;
use crate::action::worker::Worker;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::{Reason, Rejection};
use crate::exchange::{Exchange, TargetAnswer};
use crate::message::forwarded::TlsHeaders;
use crate::message::header::Protected;
use crate::message::own_fields::OwnFields;
use crate::message::trace_context::{TRACEPARENT, TRACESTATE, TraceParent};
use crate::message::upgrade::Upgrade;
use crate::message::uri::CanonicalRequest;
use crate::message::watch::WatchSlot;
use crate::message::{Request, Response, forwarded, header as names};
use crate::session::names::OurCookies;
use crate::telemetry::logged_names::LoggedNames;
use crate::telemetry::metrics::Counter;
use crate::upstream;
use crate::upstream::error::Error;
use crate::upstream::group_client::{GroupClient, Unanswered};
use crate::upstream::protocol;
use crate::upstream::upgrade::{self, Bounds, Switched};
use crate::upstream::weighted;

/// Forwards requests to a target group.
#[derive(Debug)]
pub struct Forward {
    /// The index of the group in [`Worker::groups`]. With several groups, [`extras`](Self::extras) chooses.
    pub group: usize,
    /// Several groups, and transforms. The place is that in [`Worker::extras`].
    pub extras: Option<(usize, Arc<Extras>)>,
    /// Whether `Host` is sent as the client sent it, including a default port (ALB §10.4).
    pub preserve_host: bool,
    /// The names that are also removed from the trailers of a request.
    pub protected: Arc<Protected>,
    /// The cookies that are removed from requests (attacks H-15) and from responses.
    pub our_cookies: Arc<OurCookies>,
    /// The targets whose cookies were dropped, so that each is logged once.
    pub told: Arc<LoggedNames>,
    /// The `authorize` actions of the rule. They are asked again about what lasts, when a refresh brings other claims.
    pub authorize: Arc<[Arc<Authorize>]>,
}

const WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
const UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");

impl Forward {
    /// The transforms of the rule.
    pub fn transforms(&self) -> Option<&transform::Settings> {
        self.extras.as_ref()?.1.transforms.as_ref()
    }

    /// The target groups, if there are several.
    pub fn weighted(&self) -> Option<&weighted::Settings> {
        self.extras.as_ref()?.1.weighted.as_ref()
    }

    /// Sends the request and returns the response of the target.
    ///
    /// # Errors
    ///
    /// An `upstream.*` reason, or the reason why this target cannot handle the request.
    pub(crate) async fn run(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        passage: &Passage,
        request: &mut Request,
    ) -> Result<Box<Response>, Rejection> {
        let extras = self.extras.as_ref().map(|(place, _)| &worker.extras[*place]);
        let mut picked = None;
        if let Some(extras) = extras {
            picked = extras.pick(request.headers(), exchange.scheme, worker.clock.now());
            extras.transform(exchange, canonical)?;
        }
        let place = picked.map_or(self.group, |picked| picked.group);
        let group = &worker.groups[place];
        exchange.target_group = picked.map(|_| Arc::clone(group.name()));
        check_expectation(request.headers())?;
        let upgrade = upgrade_of(request);
        if upgrade.is_some() {
            web_socket_origin::check(passage, canonical, request.headers())?;
        }
        let accepts_trailers = group.protocol().is_http2() && protocol::accepts_trailers(request.headers());
        let named = names::remove_hop_by_hop(request.headers_mut());
        request.body_mut().without(named);
        let mut fields = OwnFields::with_room();
        self.write_fields(exchange, canonical, request.headers(), &mut fields)?;
        if let Some(visitor) = passage.visitor() {
            visitor.apply(group.name(), exchange.started_at, &mut fields)?;
        }
        let timeout = group.response_timeout();
        request.body_mut().limit_idle(timeout);
        request.body_mut().protect(&self.protected);
        let request = upstream::request::Request {
            from_client: request,
            scheme: exchange.scheme,
            target: exchange.target_of(canonical),
            fields: &fields,
            upgrade,
            accepts_trailers,
            attempts: exchange.trace.as_deref().map(|trace| &trace.attempts),
        };
        let mut answered = group.send(request).await.map_err(|unanswered| rejection(exchange, *unanswered))?;
        self.protect_cookies(group, &answered.target, &mut answered.response);
        exchange.target = Some(answered.target);
        let status = answered.response.status();
        exchange.answered = Some(TargetAnswer { group: place, sent: answered.sent, status });
        if let Some(cookies) = answered.cookies {
            exchange.cookies.extend_from_slice(&cookies);
        }
        if let (Some(extras), Some(picked)) = (extras, picked)
            && let Some(cookies) = extras.cookies(picked, answered.response.headers(), worker.clock.now())
        {
            exchange.cookies.extend_from_slice(&cookies);
        }
        let idle_timeout = group.response_timeout();
        Ok(self.finish(worker, exchange, passage, (answered.response, answered.switched), idle_timeout))
    }

    /// The response to the client. If both sides switch protocols, connects the streams.
    fn finish(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        passage: &Passage,
        (mut response, switched): (Box<Response>, Option<Box<Switched>>),
        idle_timeout: Duration,
    ) -> Box<Response> {
        let visitor = passage.visitor().map(|visitor| &**visitor);
        // What lasts ends with the session, and with the certificate.
        let is_watched = visitor.is_some() || exchange.connection.client.has_certificate();
        let watch = || Watch {
            lease: visitor.map(|visitor| Rc::clone(visitor.lease())),
            connection: Rc::clone(&exchange.connection),
            authorize: Arc::clone(&self.authorize),
            origin: Origin::of(exchange, visitor),
            reported: Rc::clone(&worker.reported),
            clock: worker.clock.clone(),
        };
        if let Some(switched) = switched {
            let session_over = is_watched.then(|| {
                let over = watch().over();
                Box::pin(async move { over.await.into() }) as _
            });
            let record = WatchSlot::default();
            exchange.tunnel = Some(record.clone());
            let bounds = Bounds { idle_timeout, session_over, record };
            // Closing the listener ends its tunnels, not only the end of the process.
            let spawner = exchange.connection.spawner.as_ref().unwrap_or(&worker.spawner);
            spawner.spawn_local(|draining| upgrade::join(*switched, bounds, draining));
            response.headers_mut().insert(header::CONNECTION, UPGRADE);
            response.headers_mut().insert(header::UPGRADE, WEBSOCKET);
        } else if http_body::Body::size_hint(response.body()).exact().is_none() && is_watched {
            let body = std::mem::take(response.body_mut());
            *response.body_mut() = lease_end::until(watch().over(), body);
        }
        response
    }

    /// The headers that a target gets, without those about the user. For `check` only: nothing is sent.
    ///
    /// # Errors
    ///
    /// Those of [`run`](Self::run) before a target is asked.
    pub fn suppose(
        &self,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        headers: &mut HeaderMap,
    ) -> Result<OwnFields, Rejection> {
        if let Some((_, extras)) = &self.extras {
            WorkerExtras::new(extras, 0).transform(exchange, canonical)?;
        }
        check_expectation(headers)?;
        names::remove_hop_by_hop(headers);
        let mut fields = OwnFields::with_room();
        self.write_fields(exchange, canonical, headers, &mut fields)?;
        Ok(fields)
    }

    /// Adds the fields that the target is told. They take the place of the client's fields of the same names.
    fn write_fields(
        &self,
        exchange: &Exchange,
        canonical: &CanonicalRequest,
        headers: &HeaderMap,
        fields: &mut OwnFields,
    ) -> Result<(), Rejection> {
        self.our_cookies.strip_request(headers, fields);
        let connection = &exchange.connection;
        connection
            .forwarded
            .write(headers, connection.hop.as_ref().unwrap_or(&connection.peer_address), fields)
            .map_err(|error| Rejection::new(Reason::RequestForwarded, error))?;
        if let Some(names) = &connection.forwarded.tls_headers {
            write_tls(connection, names, fields);
        }
        if let Some(trace) = &exchange.trace {
            // Each attempt adds its own.
            fields.omit(TRACEPARENT);
            if !trace.is_continued() {
                fields.omit(TRACESTATE);
            }
        } else if let Some(is_sampled) = connection.forwarded.begins_traces
            && TraceParent::of(headers).is_none()
        {
            fields.add(TRACEPARENT, exchange.id.trace_parent(is_sampled).value());
            // It belongs to the `traceparent` that is not valid.
            fields.omit(TRACESTATE);
        }
        if let Some(accepted) = connection.client.accepted() {
            accepted.fields.iter().for_each(|(name, value)| fields.add(name.clone(), value.clone()));
        }
        let authority = &canonical.authority;
        let port = exchange.forwarded_port.or(authority.port()).unwrap_or(exchange.scheme.default_port());
        forwarded::write_origin(fields, exchange.scheme, forwarded::port(port), authority.value());
        fields.add(names::TRACE_ID, forwarded::trace_id(forwarded::given_trace(headers), exchange.id.as_str()));
        let transformed = exchange.transformed.as_ref().and_then(|made| made.host.clone());
        let host = transformed
            .unwrap_or_else(|| if self.preserve_host { authority.as_written() } else { authority.value().clone() });
        fields.add(header::HOST, host);
        Ok(())
    }

    /// Removes our cookies from the response, including its trailers. Otherwise a target could give a browser the session of another
    /// user, or end a session.
    fn protect_cookies(&self, group: &GroupClient, target: &Rc<str>, response: &mut Response) {
        let dropped = self.our_cookies.strip_answer(response.headers_mut());
        if dropped > 0 {
            count_dropped_cookies(&self.told, group.cookies_dropped(), target, dropped);
        }
        // A body of known length has no trailers (RFC 9112 §7.1).
        if http_body::Body::size_hint(response.body()).exact().is_none() {
            let (ours, told) = (Arc::clone(&self.our_cookies), Arc::clone(&self.told));
            let (counter, target) = (group.cookies_dropped().clone(), Rc::clone(target));
            response.body_mut().filter_trailers(Box::new(move |trailers| {
                let dropped = ours.strip_answer(trailers);
                if dropped > 0 {
                    count_dropped_cookies(&told, &counter, &target, dropped);
                }
            }));
        }
    }
}

/// Adds the headers about the TLS of the client's connection. Without TLS there are none, and the client's were removed.
fn write_tls(connection: &Connection, names: &TlsHeaders, fields: &mut OwnFields) {
    if let Some(tls) = &connection.tls {
        fields.add(names.version.clone(), HeaderValue::from_static(tls.version));
        fields.add(names.cipher_suite.clone(), HeaderValue::from_static(tls.openssl_cipher_suite));
    }
}

/// Counts dropped cookies, and logs it once per target.
fn count_dropped_cookies(told: &LoggedNames, counter: &Counter, target: &str, dropped: usize) {
    counter.add(dropped as u64);
    if told.is_first(target) {
        tracing::warn!(
            target.address = target,
            "this target sets cookies under the names of this proxy's own; they are dropped from its answers"
        );
    }
}

/// Refuses expectations that Vestibule cannot meet.
fn check_expectation(headers: &HeaderMap) -> Result<(), Reason> {
    // RFC 9110 §10.1.1; hyper answers 100 when the body is first read: after every gate, and when the target has said so.
    let is_other = |value: &HeaderValue| !value.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(header::EXPECT).iter().any(is_other) { Err(Reason::RequestExpectation) } else { Ok(()) }
}

/// The client's side of a WebSocket, if the request asks for one. Other upgrades are not forwarded (attacks W-05).
fn upgrade_of(request: &mut Request) -> Option<Upgrade> {
    let headers = request.headers();
    if !headers.get(header::UPGRADE)?.as_bytes().eq_ignore_ascii_case(b"websocket") || request.method() != Method::GET {
        return None;
    }
    match request.version() {
        Version::HTTP_11 if asks_for_upgrade(headers) => Some(Upgrade::Connection(hyper::upgrade::on(request))),
        // The listener has written the fields of the handshake, and the key (RFC 8441 §5).
        Version::HTTP_2 => {
            let key = headers.get(header::SEC_WEBSOCKET_KEY)?.clone();
            Some(Upgrade::Stream { stream: request.body_mut().take_websocket()?, key })
        }
        _ => None,
    }
}

fn asks_for_upgrade(headers: &HeaderMap) -> bool {
    headers.get_all(header::CONNECTION).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
    })
}

/// The rejection for an error of the target.
fn rejection(exchange: &mut Exchange, unanswered: Unanswered) -> Rejection {
    exchange.target = unanswered.target;
    Rejection::new(reason(&unanswered.error), unanswered.error)
}

fn reason(error: &Error) -> Reason {
    match error {
        Error::NoTargets => Reason::UpstreamNoTarget,
        Error::Protocol(_) => Reason::UpstreamProtocol,
        Error::Name(_) => Reason::UpstreamName,
        Error::Connect(_) | Error::Outrun => Reason::UpstreamUnreachable,
        Error::ConnectTimeout(_) => Reason::UpstreamConnectTimeout,
        Error::Tls(_) => Reason::UpstreamTls,
        Error::Refused(_) => Reason::UpstreamRefused,
        Error::ResponseTimeout | Error::Deadline => Reason::UpstreamTimeout,
        Error::Reset(_) | Error::BrokenOff(_) => Reason::UpstreamReset,
        Error::Deregistered(_) => Reason::UpstreamDeregistered,
        Error::Malformed(_) | Error::MalformedHttp2(_) | Error::BodyMalformed(_) => Reason::UpstreamMalformed,
        Error::RequestBodyTooSlow(_) => Reason::RequestBodyTooSlow,
        Error::RequestBodyMalformed(_) => Reason::RequestBodyMalformed,
        Error::RequestBody(_) => Reason::ClientClosed,
        Error::RequestBodyTimeout(_) => Reason::RequestBodyTimeout,
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::upstream::error::Step;

    #[test]
    fn an_attempt_in_a_trace_fails_for_the_reason_that_the_client_gets() {
        let io = || io::Error::other("x");
        let boxed = || crate::message::BoxError::from("x");
        for error in [
            Error::NoTargets,
            Error::Protocol(crate::upstream::error::Mismatch::NotPost),
            Error::Name(io()),
            Error::Connect(io()),
            Error::Outrun,
            Error::ConnectTimeout(Step::Tcp),
            Error::Tls(io()),
            Error::Refused(h2::Reason::REFUSED_STREAM.into()),
            Error::ResponseTimeout,
            Error::Deadline,
            Error::Reset(io()),
            Error::BrokenOff(boxed()),
            Error::Deregistered(crate::upstream::error::Deregistered),
            Error::BodyMalformed(boxed()),
            Error::RequestBodyTooSlow(boxed()),
            Error::RequestBodyMalformed(boxed()),
            Error::RequestBody(boxed()),
            Error::RequestBodyTimeout(boxed()),
        ] {
            let name = error.name();
            assert_eq!(reason(&error).code(), name, "{error}");
        }
    }
}
