//! `allow`: tells the proxy that asked that the request may pass, and with which headers (decision 80).

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::action::passage::Passage;
use crate::action::web_socket_origin;
use crate::exchange::Exchange;
use crate::exchange::rejection::Rejection;
use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::message::uri::CanonicalRequest;
use crate::message::{Response, forwarded, header as names};
use crate::session::names::OurCookies;

/// Lets requests pass at another proxy.
#[derive(Debug)]
pub struct Allow {
    /// The audience of the signed claims: the application behind the other proxy.
    pub audience: Arc<str>,
    /// The cookies that the application must not get (attacks H-15).
    pub our_cookies: Arc<OurCookies>,
}

/// Marks the answer that lets a request pass. No other answer to a question may have a status that the other proxy takes for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed(());

impl Allow {
    /// The answer: 200, with each header that the request must have in place of the client's.
    ///
    /// # Errors
    ///
    /// The identity headers could not be made, or a page of another site opens a WebSocket as the user.
    pub(crate) fn run(
        &self,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        passage: &Passage,
        client: &HeaderMap,
    ) -> Result<Box<Response>, Rejection> {
        if asks_for_websocket(client) {
            web_socket_origin::check(passage, canonical, client)?;
        }
        let mut fields = OwnFields::with_room();
        self.our_cookies.strip_request(client, &mut fields);
        if let Some(visitor) = passage.visitor() {
            exchange.subject = Some(Rc::clone(visitor.subject()));
            visitor.apply(&self.audience, exchange.started_at, &mut fields)?;
        }
        fields.add(names::TRACE_ID, forwarded::trace_id(client.get(names::TRACE_ID), exchange.id.as_str()));
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.extend(client.get(header::COOKIE).map(|cookies| (header::COOKIE, cookies.clone())));
        fields.write_into(headers);
        response.extensions_mut().insert(Allowed(()));
        Ok(Box::new(response))
    }
}

const SEC_WEBSOCKET_KEY: HeaderName = header::SEC_WEBSOCKET_KEY;

impl Allow {
    /// The headers that the request must have, without those about the user. For `check` only.
    ///
    /// # Errors
    ///
    /// A page of another site opens a WebSocket.
    pub fn suppose(
        &self,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        client: &HeaderMap,
    ) -> Result<HeaderMap, Rejection> {
        let mut response = self.run(exchange, canonical, &Passage::ungated(), client)?;
        Ok(std::mem::take(response.headers_mut()))
    }
}

/// Whether the request is the handshake of a WebSocket. `Upgrade` is a hop-by-hop header, so a proxy may not have passed it on.
fn asks_for_websocket(headers: &HeaderMap) -> bool {
    let is_websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    headers.contains_key(SEC_WEBSOCKET_KEY)
        || headers.get_all(header::UPGRADE).iter().any(is_websocket)
        || headers.get("sec-fetch-mode").is_some_and(is_websocket)
}
