//! For `fuzz/`: how other proxies describe requests.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Uri};

use crate::forward_auth::check;
use crate::forward_auth::described::Described;
use crate::forward_auth::settings::AskedBy;
use crate::message::Request;
use crate::message::body::Body;
use crate::message::forwarded::Policy;

/// A question. The first byte says by which proxy. A call of Envoy is the rest; other questions are a method, a path and header fields, each
/// on a line.
///
/// Whatever a question says, it describes one request or none, and a part that is there twice describes none (attacks F-07).
pub fn question(input: &[u8]) {
    let Some((first, rest)) = input.split_first() else { return };
    let asked_by = [AskedBy::Nginx, AskedBy::Traefik, AskedBy::Caddy, AskedBy::Envoy, AskedBy::EnvoyGrpc];
    let asked_by = asked_by[usize::from(*first) % asked_by.len()];
    if asked_by == AskedBy::EnvoyGrpc {
        if let Ok((described, headers)) = check::read(Bytes::copy_from_slice(rest)) {
            holds(&described);
            assert!(headers.keys().all(|name| !name.as_str().starts_with(':')), "a pseudo-header");
        }
        return;
    }
    let Some((below, request)) = asked(rest) else { return };
    let policy = Policy { trusted: vec!["10.0.0.0/8".parse().expect("a network")], ..Policy::default() };
    let Ok(described) = Described::of(asked_by, &below, &request, &policy) else { return };
    holds(&described);
    // The same with each field of the description once more.
    for name in [
        "x-original-url",
        "x-original-method",
        "x-forwarded-uri",
        "x-forwarded-method",
        "x-forwarded-host",
        "x-forwarded-proto",
    ] {
        let mut twice = Request::new(Body::empty());
        (*twice.method_mut(), *twice.uri_mut()) = (request.method().clone(), request.uri().clone());
        *twice.headers_mut() = request.headers().clone();
        let Some(value) = request.headers().get(name).cloned() else { continue };
        twice.headers_mut().append(name, value);
        if let Ok(again) = Described::of(asked_by, &below, &twice, &policy) {
            assert_eq!(again, described, "{asked_by:?} does not read {name}");
        }
    }
    let mut put = request;
    let expected = described.clone();
    described.put_into(&mut put);
    assert_eq!((put.method(), put.headers().get(http::header::HOST)), (&expected.method, Some(&expected.host)));
    assert_eq!(put.uri().path_and_query(), Some(&expected.target));
}

/// The path below the endpoint, and the question.
fn asked(text: &[u8]) -> Option<(String, Request)> {
    let mut lines = text.split(|byte| *byte == b'\n');
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::from_bytes(lines.next()?).ok()?;
    let below = std::str::from_utf8(lines.next()?).ok()?.to_owned();
    *request.uri_mut() = Uri::try_from(format!("/auth{below}")).ok()?;
    for line in lines.take(64) {
        let at = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..at]).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(line[at + 1..].trim_ascii()).ok()?);
    }
    Some((below, request))
}

fn holds(described: &Described) {
    let target = described.target.as_str();
    assert!(target.starts_with('/') && !target.contains(['#', ' ', '\r', '\n']), "{target:?}");
    assert!(!described.host.is_empty(), "{described:?}");
}
