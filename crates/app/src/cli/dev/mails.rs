//! The page of `dev` with the messages that a pool has sent.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use url::Url;

use crate::cli::dev::loopback;
use crate::crypto::octets;
use crate::page::Pages;
use crate::page::headers::Frames;
use crate::page::pages::{Letter, Letters};
use crate::page::site::NO_FORM;
use crate::user_pool::messages::courier::Texts;
use crate::user_pool::messages::courier::console::{Console, Shown};

/// Serves the messages on a free loopback port. The path is secret: whoever reads the messages can set other people's passwords, and every user of this
/// machine can open the port.
///
/// # Errors
///
/// If no port or thread is available.
pub(super) fn start(console: Console) -> anyhow::Result<Url> {
    let path: Arc<str> = format!("/{}", octets::token()).into();
    let (pages, ours) = (Arc::new(Pages::default()), Arc::clone(&path));
    let address = loopback::start("mails", move |request: Request<Incoming>| {
        let response = answer(&pages, &console, &ours, &request);
        async move { response }
    })?;
    Ok(Url::parse(&format!("http://{address}{path}"))?)
}

fn answer<B>(pages: &Pages, console: &Console, path: &str, request: &Request<B>) -> Response<Bytes> {
    if !is_local(request.headers()) || request.uri().path() != path {
        let mut response = Response::new(Bytes::from_static(b"not found\n"));
        *response.status_mut() = StatusCode::NOT_FOUND;
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        return response;
    }
    let view = pages.view_for(request.headers());
    let letters: Vec<_> = console.last().iter().map(letter).collect();
    view.respond(StatusCode::OK, &Letters { view, letters: &letters }, NO_FORM, Frames::Nobody)
}

/// Whether the browser believes to be on this machine. With DNS rebinding, the host is that of the attacking page.
fn is_local(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()?.parse::<Authority>().ok());
    host.is_some_and(|host| host.host() == "localhost" || host.host().parse::<IpAddr>().is_ok())
}

fn letter(shown: &Shown) -> Letter {
    let (subject, text) = match &shown.texts {
        Texts::Email { subject, text, .. } => (Some(subject.expose().clone()), text),
        Texts::Sms(text) => (None, text),
    };
    Letter { to: shown.to.clone(), at: shown.at.to_text(), subject, text: text.expose().clone() }
}

#[cfg(test)]
mod tests;
