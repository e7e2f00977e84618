//! Background calls: contacts the provider at start, and probes endpoints that did not answer.

use std::fmt;
use std::sync::Weak;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use url::Url;

use crate::clock::Timestamp;
use crate::message::{WholeRequest, form};
use crate::oidc::caller::{Endpoint, get};
use crate::oidc::discovery;
use crate::oidc::error::{Error, FetchFault};
use crate::oidc::relying_party::RelyingParty;

/// The pause before the first probe. Each probe without a response doubles it.
const PROBE_PAUSE_MIN: Duration = Duration::from_secs(1);
/// The longest pause between two probes.
const PROBE_PAUSE_MAX: Duration = Duration::from_secs(30);

/// An endpoint of a provider that fails, for the operator.
#[derive(Clone, Debug)]
pub struct Trouble {
    provider: String,
    endpoint: &'static str,
    since: Timestamp,
    is_cut_off: bool,
    why: String,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, endpoint, since, why, .. } = self;
        let cut_off = if self.is_cut_off { "; no calls are made until a probe is answered" } else { "" };
        write!(f, "provider `{provider}`: {endpoint} has failed since {} ({why}){cut_off}", since.to_text())
    }
}

impl RelyingParty {
    /// Contacts the provider and logs the result. Nothing waits for it, because requests are served while a provider is down. The
    /// response is cached for the first sign-in.
    pub async fn greet(&self) {
        let name = self.name();
        let asked = async {
            let metadata = if self.provider.settings.signs_in { Some(self.provider.metadata().await?) } else { None };
            let keys = self.provider.keys(&self.provider.jwks_uri().await?).await?;
            Ok::<_, Error>((metadata, keys))
        };
        match asked.await {
            Ok((metadata, keys)) => {
                tracing::info!(
                    provider.name = %name, issuer = self.issuer(), keys = keys.len(), keys.skipped = keys.skipped(),
                    "an identity provider answered"
                );
                for warning in metadata.iter().flat_map(|metadata| self.mismatches(metadata)) {
                    tracing::warn!(provider.name = %name, "{warning}");
                }
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(
                    provider.name = %name, issuer = self.issuer(), error,
                    "an identity provider did not answer as it should; sign-ins with it fail until it does, and tokens of it are refused"
                );
            }
        }
    }

    /// Probes the endpoints whose breakers are open until each answers. Returns when `client` was dropped. While nothing is probed, it
    /// does not keep `client`.
    pub async fn keep_watch(client: Weak<Self>) {
        while let Some(opened) = client.upgrade().map(|client| client.provider.caller.opened()) {
            opened.notified().await;
            let mut pause = PROBE_PAUSE_MIN;
            while client.upgrade().is_some_and(|client| !client.provider.caller.cut_off().is_empty()) {
                tokio::time::sleep(pause).await;
                let Some(client) = client.upgrade() else { return };
                for endpoint in client.provider.caller.cut_off() {
                    client.probe(endpoint).await;
                }
                pause = (pause * 2).min(PROBE_PAUSE_MAX);
            }
        }
    }

    /// Probes one endpoint. Returns whether its breaker is closed afterwards.
    pub(crate) async fn probe(&self, endpoint: Endpoint) -> bool {
        match self.probe_request(endpoint).await {
            Some(request) => self.provider.caller.probe(endpoint, request).await,
            None => false,
        }
    }

    /// A request without side effects. Any response shows that the endpoint works.
    async fn probe_request(&self, endpoint: Endpoint) -> Option<WholeRequest> {
        if endpoint == Endpoint::Discovery {
            return get(&discovery::location(&self.provider.settings).ok()?).ok();
        }
        if endpoint == Endpoint::Jwks {
            return get(&self.provider.jwks_uri().await.ok()?).ok();
        }
        if endpoint == Endpoint::Introspection {
            return empty_introspection(&self.provider.introspection_endpoint().await.ok()?.0).ok();
        }
        // The metadata is known, because the endpoint was called before.
        let metadata = self.provider.metadata().await.ok()?;
        match endpoint {
            Endpoint::Discovery | Endpoint::Jwks | Endpoint::Introspection => None,
            Endpoint::Token => empty_token_request(&metadata.token_endpoint, self.client_id()).ok(),
            Endpoint::Userinfo => get(metadata.userinfo_endpoint.as_ref()?).ok(),
            // Without a token the answer is 401, which shows that it answers.
            Endpoint::Groups => get(&self.provider.settings.graph.as_ref()?.endpoint).ok(),
        }
    }

    /// The endpoints that fail.
    pub fn troubles(&self) -> Vec<Trouble> {
        let cut_off = self.provider.caller.cut_off();
        let trouble = |(endpoint, failing): (Endpoint, crate::oidc::caller::Failing)| Trouble {
            provider: self.name().to_string(),
            endpoint: endpoint.label(),
            since: failing.since,
            is_cut_off: cut_off.contains(&endpoint),
            why: failing.why,
        };
        self.provider.caller.failing().into_iter().map(trouble).collect()
    }
}

/// A question without credentials, about no token. The response is an error, which shows that the endpoint answers.
fn empty_introspection(endpoint: &Url) -> Result<WholeRequest, FetchFault> {
    Request::post(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(form::encode([("token", "")])))
        .map_err(|_| FetchFault::Address)
}

/// A token request without credentials and grant. The response is an error, which shows that the endpoint answers.
fn empty_token_request(endpoint: &Url, client_id: &str) -> Result<WholeRequest, FetchFault> {
    let body = form::encode([("grant_type", "refresh_token"), ("client_id", client_id)]);
    Request::post(endpoint.as_str())
        .header(header::ACCEPT, "application/json")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Bytes::from(body))
        .map_err(|_| FetchFault::Address)
}
