//! The answers to questions of another proxy about its requests (decision 80).
//!
//! The request that is described goes through the same rules and the same gates as one that came here. Only `allow` answers with a status
//! that lets it pass: whatever else answers 2xx, as a page does that redirects, is turned into a refusal in [`refusal`].

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::action::allow::Allowed;
use crate::forward_auth::check;
use crate::forward_auth::questions::Question;
use crate::forward_auth::settings::{AskedBy, Refusals};
use crate::message::body::Body;
use crate::message::header::Protected;
use crate::message::{Response, grpc};

/// How many `Set-Cookie` lines of an answer that lets a request pass are named one by one, for proxies that can pass on only one line of a
/// name. A session has four cookies at most, and each is set or deleted in one line.
const COOKIES: [HeaderName; 4] = [
    HeaderName::from_static("x-vestibule-set-cookie-0"),
    HeaderName::from_static("x-vestibule-set-cookie-1"),
    HeaderName::from_static("x-vestibule-set-cookie-2"),
    HeaderName::from_static("x-vestibule-set-cookie-3"),
];
/// `Cache-Control` for the response of the application, if that must not be stored by shared caches.
const CACHE_CONTROL: HeaderName = HeaderName::from_static("x-vestibule-cache-control");

/// The other proxy writes these itself, so they are not the client's.
const OF_ENVOY: [&str; 4] =
    ["x-forwarded-proto", "x-envoy-internal", "x-envoy-external-address", "x-envoy-original-path"];
/// How Envoy is told over HTTP which headers of the client to remove.
const TO_REMOVE: HeaderName = HeaderName::from_static("x-envoy-auth-headers-to-remove");
/// Largest page that is put into a message for Envoy, in bytes.
const PAGE_BYTES_MAX: usize = 256 * 1024;

/// The headers of the client that Envoy has to remove if the request passes. `sent` are the protected ones that it has sent.
pub(super) fn to_remove(asked_by: AskedBy, protected: &Protected, sent: &HeaderMap) -> Vec<HeaderName> {
    if !matches!(asked_by, AskedBy::Envoy | AskedBy::EnvoyGrpc) {
        return Vec::new();
    }
    let mut names = protected.among(sent);
    names.retain(|name| !OF_ENVOY.contains(&name.as_str()));
    names.extend(sent.contains_key(header::COOKIE).then_some(header::COOKIE));
    names
}

/// Turns the whole response to the request that is described into the answer to the question. `target` is the path of that request.
/// `removed` are the headers of the client that must not reach the application.
pub(super) fn answer(
    question: Question<'_>,
    response: Response,
    target: Option<&str>,
    removed: &[HeaderName],
) -> Response {
    match response.extensions().get::<Allowed>() {
        Some(_) if question.is_handed_over() => go_back(response, target),
        Some(_) => allowed(question.asked_by, response, removed),
        None => refusal(question, response),
    }
}

/// Marks a request as one that cannot be led to the provider, because only a status is answered. A sign-in that nobody can follow must not
/// begin. Rules have been matched before.
pub(super) fn not_led_away(headers: &mut HeaderMap) {
    headers.insert("sec-fetch-mode", HeaderValue::from_static("no-cors"));
}

/// The answer that lets the request pass.
fn allowed(asked_by: AskedBy, mut response: Response, removed: &[HeaderName]) -> Response {
    let headers = response.headers_mut();
    let names: Vec<&str> = removed.iter().filter(|name| !headers.contains_key(*name)).map(HeaderName::as_str).collect();
    if !names.is_empty() {
        headers.extend(HeaderValue::try_from(names.join(",")).map(|names| (TO_REMOVE, names)));
    }
    if matches!(asked_by, AskedBy::Nginx | AskedBy::Caddy) {
        if let Some(value) = headers.remove(header::CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, value);
        }
        let lines: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.remove(header::SET_COOKIE);
        headers.extend(COOKIES.into_iter().zip(lines));
    }
    // No cache of the other proxy may answer for us.
    headers.insert(header::VARY, HeaderValue::from_static("*"));
    response
}

/// The answer to a call of Envoy: one message, whatever it says.
pub(super) async fn message(response: Response, removed: &[HeaderName]) -> Response {
    let is_allowed = response.extensions().get::<Allowed>().is_some();
    let (mut parts, body) = response.into_parts();
    let message = if is_allowed {
        let mut added = HeaderMap::new();
        for name in [header::SET_COOKIE, header::CACHE_CONTROL] {
            added.extend(parts.headers.get_all(&name).iter().map(|value| (name.clone(), value.clone())));
            parts.headers.remove(&name);
        }
        let removed: Vec<_> = removed.iter().filter(|name| !parts.headers.contains_key(*name)).cloned().collect();
        check::allowed(&parts.headers, &removed, &added)
    } else {
        match body.whole(PAGE_BYTES_MAX).await {
            Ok(page) => check::denied(parts.status, &parts.headers, &page),
            Err(_) => check::denied(StatusCode::INTERNAL_SERVER_ERROR, &HeaderMap::new(), b""),
        }
    };
    grpc::message(message)
}

/// The answer to a request that was handed over because it could not pass, and can now: its client sends it again. What the application
/// would get is not for the client.
fn go_back(response: Response, target: Option<&str>) -> Response {
    let (mut parts, _) = response.into_parts();
    let cookies: Vec<HeaderValue> = parts.headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    parts.headers = HeaderMap::new();
    parts.headers.extend(cookies.into_iter().map(|line| (header::SET_COOKIE, line)));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The application may get `//a`, but for a browser that would be another host (attacks R-10).
    let location = target.map(|target| format!("/{}", target.trim_start_matches('/')));
    let location = location.and_then(|location| HeaderValue::try_from(location).ok());
    parts.status = StatusCode::TEMPORARY_REDIRECT;
    parts.headers.extend(location.map(|location| (header::LOCATION, location)));
    Response::from_parts(parts, Body::empty())
}

/// The answer to a request that may not pass. Its status is never one that the other proxy takes for an "allowed" (attacks F-07, F-09).
fn refusal(question: Question<'_>, mut response: Response) -> Response {
    let status = response.status();
    if question.is_handed_over() {
        return response;
    }
    if status.is_success() || status.is_informational() {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    if question.refusals == Refusals::Answer {
        return response;
    }
    let is_sign_in = response.status() == StatusCode::UNAUTHORIZED || status.is_redirection();
    let mut bare = Response::new(Body::empty());
    *bare.status_mut() = if is_sign_in { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    if let Some(challenge) = response.headers_mut().remove(header::WWW_AUTHENTICATE) {
        bare.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    bare.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_sent_back_stays_at_the_host() {
        for (target, location) in
            [("/x?y=//z", "/x?y=//z"), ("//evil.test/x", "/evil.test/x"), ("///evil.test", "/evil.test")]
        {
            let sent = go_back(Response::new(Body::empty()), Some(target));
            assert_eq!(
                (sent.status(), &sent.headers()[header::LOCATION]),
                (StatusCode::TEMPORARY_REDIRECT, &HeaderValue::from_static(location))
            );
        }
    }

    #[test]
    fn f_07_f_09_only_allow_lets_a_request_pass() {
        for asked_by in [AskedBy::Nginx, AskedBy::Traefik, AskedBy::Caddy, AskedBy::Envoy] {
            for refusals in [Refusals::Answer, Refusals::Status] {
                let question = Question { asked_by, refusals, below: "" };
                for status in 100..600 {
                    let mut response = Response::new(Body::full("page"));
                    *response.status_mut() = StatusCode::from_u16(status).unwrap();
                    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static("https://login.test/"));
                    let answered = answer(question, response, Some("/x"), &[]);
                    if question.is_handed_over() {
                        assert_eq!(answered.status(), status, "the client gets it");
                        continue;
                    }
                    assert!(answered.status().as_u16() >= 300, "{question:?} {status}");
                    if refusals == Refusals::Status {
                        let expected = if status < 400 || status == 401 { 401 } else { 403 };
                        assert_eq!(answered.status(), expected, "{status}");
                        assert!(answered.body().is_empty() && !answered.headers().contains_key(header::LOCATION));
                    }
                }
            }
        }
    }
}
