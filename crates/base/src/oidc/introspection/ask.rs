//! Asks the provider about one token.

use std::sync::Arc;
use std::time::Duration;

use url::Url;

use crate::clock::Timestamp;
use crate::identity::Claims;
use crate::oidc::caller::{Endpoint, Operation};
use crate::oidc::introspection::answer::{self, Said};
use crate::oidc::introspection::digest::Digest;
use crate::oidc::introspection::fairness::Asker;
use crate::oidc::introspection::outcome::{Active, Found, IntrospectionError, Outcome};
use crate::oidc::introspection::table::Landing;
use crate::oidc::provider::Provider;
use crate::oidc::relying_party::RelyingParty;
use crate::oidc::settings::ClientAuth;
use crate::secret::Secret;

/// What an entry of the table takes besides its claims, in bytes.
const ENTRY_BYTES: usize = 256;

impl RelyingParty {
    /// What the provider says of a token. `start` runs the call, if one is needed; it does not depend on who waits for it.
    pub fn introspection(
        self: &Arc<Self>,
        token: &str,
        digest: &Digest,
        (asker, now): (Asker, Timestamp),
        start: impl FnOnce(std::pin::Pin<Box<dyn Future<Output = ()> + Send>>),
    ) -> Found {
        self.provider.introspections.look(digest, (asker, now), |landing| {
            let (client, token) = (Arc::clone(self), Secret::new(token.to_owned()));
            start(Box::pin(async move { client.provider.introspect(&token, landing).await }));
        })
    }

    /// Asks about a token that nobody has, for `check --online`. `Ok(true)` if the provider says that it is not active.
    pub(crate) async fn introspect_nothing(&self, token: &str) -> Result<bool, IntrospectionError> {
        Ok(self.provider.ask_about(token).await?.0 == Said::Inactive)
    }
}

impl Provider {
    async fn introspect(&self, token: &Secret<String>, landing: Landing) {
        // What is said is at least as new as this.
        let asked_at = self.clock.now();
        let asked = async {
            let waiting =
                tokio::time::timeout(self.settings.timeout, self.introspections.calls(landing.class).acquire());
            let Ok(Ok(_permit)) = waiting.await else { return Err(IntrospectionError::Waited) };
            self.ask_about(token.expose()).await
        };
        let asked = self.caller.counted(Operation::Introspection, asked.await);
        let (outcome, bytes) = match asked {
            Ok((Said::Active(claims), bytes)) => {
                let fresh_until = fresh_until(&claims, asked_at, self.settings.introspection_cache);
                if fresh_until <= asked_at {
                    // An answer that contradicts itself. As an active token it would be asked about with each request.
                    return landing.land(Outcome::Inactive, ENTRY_BYTES, asked_at);
                }
                // Parsed JSON takes more memory than its text.
                (Outcome::Active(Arc::new(Active { claims, fresh_until })), bytes * 4)
            }
            Ok((Said::Inactive, _)) => (Outcome::Inactive, 0),
            Err(error) => {
                self.caller.note(Endpoint::Introspection, error.to_string());
                (Outcome::Failed(Arc::new(error)), 0)
            }
        };
        landing.land(outcome, ENTRY_BYTES + bytes, self.clock.now());
    }

    /// One call. Returns what was said, and the size of the answer.
    async fn ask_about(&self, token: &str) -> Result<(Said, usize), IntrospectionError> {
        let (endpoint, method) = self.introspection_endpoint().await?;
        let request = answer::request(&self.settings, (&endpoint, method), token)?;
        let response =
            self.caller.call(Endpoint::Introspection, request).await.map_err(IntrospectionError::Unreachable)?;
        Ok((answer::read(&response)?, response.body().len()))
    }

    /// The address, and how the client authenticates there.
    pub(in crate::oidc) async fn introspection_endpoint(&self) -> Result<(Url, ClientAuth), IntrospectionError> {
        let (given, method) = (&self.settings.endpoints.introspection, self.settings.token_endpoint_auth_method);
        if let (Some(url), Some(method)) = (given, method) {
            return Ok((url.clone(), method));
        }
        let metadata = match (self.metadata().await, given) {
            (Ok(metadata), _) => metadata,
            // Discovery §3: the default of the token endpoint.
            (Err(_), Some(url)) => return Ok((url.clone(), ClientAuth::ClientSecretBasic)),
            (Err(error), None) => return Err(IntrospectionError::Metadata(error)),
        };
        let url = given.as_ref().or(metadata.introspection_endpoint.as_ref()).ok_or(IntrospectionError::NoEndpoint)?;
        Ok((url.clone(), method.unwrap_or(metadata.introspection_auth)))
    }
}

/// Not after `exp`: then the provider would say something else.
fn fresh_until(claims: &Claims, asked_at: Timestamp, most: Duration) -> Timestamp {
    let expires = claims.get("exp").and_then(serde_json::Value::as_f64).filter(|seconds| *seconds >= 0.0);
    // The conversion saturates.
    expires.map_or(Timestamp::MAX, |seconds| Timestamp::from_millis((seconds * 1000.0) as u64)).min(asked_at + most)
}
