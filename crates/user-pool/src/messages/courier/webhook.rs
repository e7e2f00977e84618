//! SMS by a webhook of the operator, signed as Standard Webhooks says.

use std::sync::Arc;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, StatusCode, header};
use serde::Serialize;
use url::Url;

use crate::backchannel::call::Backchannel;
use crate::clock::{Clock, Timestamp};
use crate::messages::courier::gateway;
use crate::messages::courier::letter::{Letter, Undelivered};
use crate::secret::Secret;

/// What such secrets begin with.
pub const SECRET_PREFIX: &str = "whsec_";
/// Answers that say that the message itself is refused.
const NEVER: [StatusCode; 3] = [StatusCode::BAD_REQUEST, StatusCode::GONE, StatusCode::UNPROCESSABLE_ENTITY];

/// Posts `{"to": …, "text": …, "kind": …}`.
#[derive(Debug)]
pub(crate) struct Webhook {
    url: Url,
    key: hmac::Key,
    network: Arc<dyn Backchannel>,
    clock: Clock,
}

#[derive(Serialize)]
struct Body<'b> {
    to: &'b str,
    text: &'b str,
    kind: &'b str,
}

impl Webhook {
    /// Posts to `url`, signed with `secret`.
    pub(crate) fn new(url: Url, secret: &Secret<Vec<u8>>, network: Arc<dyn Backchannel>, clock: Clock) -> Self {
        Self { url, key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose()), network, clock }
    }

    pub(super) async fn deliver(&self, letter: &Letter<'_>, text: &Secret<String>) -> Result<String, Undelivered> {
        let body = Body { to: letter.to, text: text.expose(), kind: letter.kind.as_str() };
        let body = serde_json::to_vec(&body).expect("texts become JSON");
        let now = self.clock.now();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", letter.id)
            .header("webhook-timestamp", now.seconds())
            .header("webhook-signature", self.signature(letter.id, now, &body))
            .body(body.into())
            .map_err(|_| Undelivered::Never("the request cannot be made".to_owned()))?;
        gateway::call(&self.network, request, &NEVER).await
    }

    /// `v1,` and the HMAC of ID, time and body (Standard Webhooks, "Signature scheme").
    fn signature(&self, id: &str, at: Timestamp, body: &[u8]) -> String {
        let mut signed = format!("{id}.{}.", at.seconds()).into_bytes();
        signed.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(hmac::sign(&self.key, &signed)))
    }
}

#[cfg(test)]
mod tests;
