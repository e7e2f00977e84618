//! Tells clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! Whoever ends a session writes a row for each client that took part, in the same transaction: also a command beside the process that serves.
//! This process sends them, and tries again if a client does not answer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, StatusCode, header};
use serde_json::json;
use url::Url;

use crate::backchannel::call::Backchannel;
use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database;
use crate::jose::signing_key::Algorithm;
use crate::logouts::Due;
use crate::message::form;
use crate::oauth::issuer::Issuer;
use crate::oauth::provider::Provider;
use crate::secret::Secret;

/// Number of tokens that are sent at the same time, at most.
const TOGETHER_MAX: usize = 20;
/// Lifetime of a token (§2.4: at most two minutes are recommended).
const LIFETIME: Duration = Duration::from_secs(120);

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Delivered,
    /// The client does not take it (§2.8).
    Refused,
    /// The client may take it later.
    NotNow,
}

impl Provider {
    /// Sends what is due, and returns whether there may be more. What is for a client without an address is removed.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn send_logout_tokens(&self, network: Option<&dyn Backchannel>) -> Result<bool, database::Error> {
        let Some((database, rows)) = &self.logouts else { return Ok(false) };
        let (now, of_read) = (self.clock.now(), rows.clone());
        // Most of the time nothing is due, and a read holds nobody up.
        if !database.read(move |on| of_read.has_due(on, now)).await? {
            return Ok(false);
        }
        let of_claim = rows.clone();
        let due = database.write(move |on| of_claim.claim(on, TOGETHER_MAX, now)).await?;
        let done = join_all(due.iter().map(|due| self.send(due, network, now))).await;
        let over: Vec<String> =
            due.iter().zip(&done).filter(|(_, is_over)| **is_over).map(|(due, _)| due.id.clone()).collect();
        let of_removal = rows.clone();
        database.write(move |on| of_removal.remove(on, &over)).await?;
        Ok(due.len() == TOGETHER_MAX)
    }

    /// Sends one. Returns whether nothing is left to do.
    async fn send(&self, due: &Due, network: Option<&dyn Backchannel>, now: Timestamp) -> bool {
        let (Some(client), Some(network)) = (self.directory.client(&due.client_id), network) else { return true };
        let Some(uri) = &client.options().backchannel_logout_uri else { return true };
        let token = self.issuer.logout_token(due, client.id_token_algorithm(), now);
        let outcome = match post(uri, &token) {
            Some(request) => network.call(request).await.map_or(Outcome::NotNow, |answer| outcome(answer.status())),
            None => Outcome::Refused,
        };
        match outcome {
            Outcome::Delivered => self.metrics.logout_tokens_delivered.increment(),
            Outcome::NotNow if !due.is_last => return false,
            Outcome::NotNow | Outcome::Refused => {
                self.metrics.logout_tokens_failed.increment();
                tracing::warn!(
                    app_client.id = client.id(),
                    "a client was not told that a session has ended: it does not take the logout token"
                );
            }
        }
        true
    }
}

/// §2.5.
fn post(uri: &Url, token: &Secret<String>) -> Option<Request<Bytes>> {
    let request = Request::post(uri.as_str()).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(form::encode([("logout_token", token.expose().as_str())]).into()).ok()
}

/// §2.8: 200, or 204 of some frameworks; 400 is a refusal.
fn outcome(status: StatusCode) -> Outcome {
    match status {
        StatusCode::OK | StatusCode::NO_CONTENT => Outcome::Delivered,
        StatusCode::BAD_REQUEST => Outcome::Refused,
        _ => Outcome::NotNow,
    }
}

impl Issuer {
    /// A logout token (§2.4).
    fn logout_token(&self, due: &Due, algorithm: Algorithm, now: Timestamp) -> Secret<String> {
        let payload = json!({
            "iss": self.url(),
            "sub": due.subject,
            "aud": due.client_id,
            "iat": now.seconds(),
            "exp": (now + LIFETIME).seconds(),
            "jti": uuid::random(),
            "sid": due.session_id,
            "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
        });
        self.signed(self.keys().of(algorithm), "logout+jwt", &payload)
    }
}
