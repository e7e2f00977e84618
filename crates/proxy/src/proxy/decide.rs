//! Decides whether Vestibule itself or a rule answers a request. The code is synchronous and needs no socket, so
//! `check --request` runs the same code as a real request.

use std::rc::Rc;

use http::{HeaderValue, Uri, Version, header};

use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::listener::settings::MethodOverrides;
use crate::message::desync::{Finding, Mode};
use crate::message::header::{FORWARDED_PREFIX, MethodOverride};
use crate::message::uri::{self, CanonicalRequest, EncodedSlash, Scheme};
use crate::message::{Request, cookie, forwarded, framing};
use crate::proxy::reserved::{self, Answering};
use crate::proxy::snapshot::{Selected, Snapshot};
use crate::rule::Rule;
use crate::rule::condition::Facts;

/// A request with the answer to who answers it.
pub struct Decided<'s> {
    /// The one reading of its target. If a target could read the client's own bytes in another way, they have been rewritten.
    pub request: Rc<CanonicalRequest>,
    pub decision: Decision<'s>,
}

/// The decision: Vestibule itself or a rule.
pub enum Decision<'s> {
    Ours(Answering<'s>),
    Rule(&'s Rule<Selected>),
}

/// Parses a request and decides which rule or endpoint answers it. Removes the headers that only Vestibule may set.
///
/// # Errors
///
/// A reason to refuse the request before any rule is asked, or because of its path.
pub fn decide<'s>(
    snapshot: &'s Snapshot,
    exchange: &mut Exchange,
    request: &mut Request,
) -> Result<Decided<'s>, Rejection> {
    let told = exchange.connection.forwarded.told(request.headers(), exchange.connection.peer);
    // Headers that only Vestibule may set are removed before any other code reads the headers, on every rule (DESIGN §1, step 3).
    let overrides = snapshot.protected.strip(request.headers_mut());
    cookie::join(request.headers_mut());
    exchange.client = exchange.connection.forwarded.client(request.headers(), exchange.connection.peer);
    if let Some(told) = told {
        believe(told, exchange, request);
    }
    match framing::check(request.version(), request.method(), request.headers()) {
        Ok(None) => {}
        Ok(Some(finding)) => {
            exchange.finding = Some(finding);
            if snapshot.desync == Mode::Strictest {
                return Err(Rejection::new(Reason::RequestNotCompliant, finding));
            }
        }
        Err(error) => {
            exchange.finding = severe(error);
            return Err(ambiguous_end(error));
        }
    }
    if !overrides.is_empty() {
        override_method(snapshot.method_override, overrides, request)?;
    }
    if request.version() == Version::HTTP_10 {
        name_host(&snapshot.address, request);
    }
    let canonical = canonical(exchange.scheme, request)?;
    exchange.request = Some(Rc::clone(&canonical));
    if let Some(answering) = reserved::find(snapshot, exchange, &canonical) {
        if canonical.has_encoded_slash() {
            return Err(uri::Error::EncodedSlash.into());
        }
        return Ok(Decided { request: canonical, decision: Decision::Ours(answering) });
    }
    let rule = find(snapshot, exchange, &canonical, request);
    let rewritten = settle(snapshot, exchange, &canonical, rule, request)?;
    let canonical = rewritten.map_or(canonical, |rewritten| {
        let rewritten = Rc::new(rewritten);
        exchange.request = Some(Rc::clone(&rewritten));
        rewritten
    });
    Ok(Decided { request: canonical, decision: Decision::Rule(rule) })
}

/// Decides which rule is for a request that another proxy has described. `request` is that request, and `exchange` has its client and its
/// scheme. The other proxy passes it on as it is, so nothing can be rewritten here: what would be rewritten is refused.
///
/// # Errors
///
/// A reason to refuse the request before any rule is asked, or because of its path. [`Reason::ForwardAuthReserved`] for a reserved path.
pub fn decide_described<'s>(
    snapshot: &'s Snapshot,
    exchange: &mut Exchange,
    request: &mut Request,
) -> Result<(Rc<CanonicalRequest>, &'s Rule<Selected>), Rejection> {
    let overrides = snapshot.protected.strip(request.headers_mut());
    cookie::join(request.headers_mut());
    if !overrides.is_empty() {
        override_method(snapshot.method_override, overrides, request)?;
    }
    let canonical = canonical(exchange.scheme, request)?;
    exchange.request = Some(Rc::clone(&canonical));
    if reserved::find(snapshot, exchange, &canonical).is_some() {
        return Err(Reason::ForwardAuthReserved.into());
    }
    let rule = find(snapshot, exchange, &canonical, request);
    match settle(snapshot, exchange, &canonical, rule, request)? {
        None => Ok((canonical, rule)),
        Some(_) => Err(uri::Error::OtherReading.into()),
    }
}

/// RFC 9112 §3.2 demands `Host` of HTTP/1.1 only: health checks of load balancers often speak HTTP/1.0 without. Such a
/// request is for the address that it came to. This is no bypass: a client can name any host anyway.
fn name_host(address: &HeaderValue, request: &mut Request) {
    if request.uri().authority().is_none() {
        request.headers_mut().entry(header::HOST).or_insert_with(|| address.clone());
    }
}

/// Applies the `X-Forwarded-*` headers of a trusted proxy.
fn believe(told: forwarded::Told, exchange: &mut Exchange, request: &mut Request) {
    // On our own TLS connection, the scheme is known without a header.
    if exchange.scheme == Scheme::Http {
        exchange.scheme = told.scheme.unwrap_or(Scheme::Http);
    }
    exchange.forwarded_port = told.port;
    if let Some(prefix) = told.prefix {
        request.headers_mut().insert(FORWARDED_PREFIX, prefix);
    }
    if let Some(host) = told.host {
        if let Some(target) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(target);
        }
        request.headers_mut().insert(header::HOST, host);
    }
}

/// Handles headers such as `X-HTTP-Method-Override`: refuses the request, drops the header, or passes it to the target, as the listener says.
fn override_method(
    setting: MethodOverrides,
    overrides: Vec<MethodOverride>,
    request: &mut Request,
) -> Result<(), Rejection> {
    match setting {
        MethodOverrides::Refuse if overrides.iter().any(|asked| !asked.is_of(request.method())) => {
            Err(Reason::RequestMethodOverride.into())
        }
        // The request has the same meaning without the header.
        MethodOverrides::Refuse => Ok(()),
        MethodOverrides::Pass => {
            for asked in overrides.into_iter().filter(MethodOverride::is_plain) {
                request.headers_mut().append(asked.name, asked.method);
            }
            Ok(())
        }
    }
}

fn find<'s>(
    snapshot: &'s Snapshot,
    exchange: &Exchange,
    canonical: &CanonicalRequest,
    request: &Request,
) -> &'s Rule<Selected> {
    snapshot.rules.find(&facts(exchange, canonical, request))
}

/// What the conditions of rules can use. The explanation of `check --request` calls this, too.
pub fn facts<'r>(exchange: &Exchange, canonical: &'r CanonicalRequest, request: &'r Request) -> Facts<'r> {
    Facts { request: canonical, headers: request.headers(), client: exchange.client }
}

/// Ensures that the target cannot interpret the path as one that matches another rule. Returns the request with its path
/// rewritten, if the client's own bytes are ambiguous.
fn settle(
    snapshot: &Snapshot,
    exchange: &Exchange,
    canonical: &CanonicalRequest,
    rule: &Rule<Selected>,
    request: &Request,
) -> Result<Option<CanonicalRequest>, Rejection> {
    let leads_elsewhere = |read: CanonicalRequest| !std::ptr::eq(find(snapshot, exchange, &read, request), rule);
    if canonical.has_encoded_slash()
        && (rule.payload.encoded_slash == EncodedSlash::Refuse || canonical.with_slashes_decoded().any(leads_elsewhere))
    {
        return Err(uri::Error::EncodedSlash.into());
    }
    if canonical.with_ends_cut().any(leads_elsewhere) {
        return Err(uri::Error::EncodedEnd.into());
    }
    if !canonical.otherwise_read().any(leads_elsewhere) {
        return Ok(None);
    }
    let rewritten = canonical.clone().into_canonical_form();
    rewritten.map(Some).map_err(Rejection::from)
}

/// The name that the ALB has for it (ALB §10.6).
const fn severe(error: framing::Error) -> Option<Finding> {
    match error {
        framing::Error::TransferCoding => Some(Finding::BadTransferEncoding),
        framing::Error::Length => Some(Finding::BadContentLength),
        framing::Error::Blank => None,
    }
}

fn ambiguous_end(error: framing::Error) -> Rejection {
    let reason = match error {
        framing::Error::TransferCoding => Reason::RequestTransferEncoding,
        framing::Error::Length | framing::Error::Blank => Reason::RequestMalformed,
    };
    Rejection::new(reason, error)
}

/// The canonical form of the request's target.
#[inline(always)]
fn canonical(scheme: Scheme, request: &Request) -> Result<Rc<CanonicalRequest>, Rejection> {
    let parsed = CanonicalRequest::parse(scheme, request.method(), request.uri(), request.headers());
    parsed.map(Rc::new).map_err(Rejection::from)
}
