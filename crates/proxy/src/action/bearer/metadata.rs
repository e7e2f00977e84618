//! Protected resource metadata (RFC 9728): who issues tokens for this application. Clients that know only its address, such as those of
//! the Model Context Protocol, begin there.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::json;

use crate::action::bearer::challenge::{Problem, challenge};
use crate::action::bearer::gate::Bearer;
use crate::action::settings::BearerSettings;
use crate::exchange::rejection::Rejection;
use crate::message::WholeResponse;
use crate::message::uri::CanonicalRequest;
use crate::page::headers::harden;

/// RFC 9728 §3.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

impl Bearer {
    /// The path of the metadata: the well-known path, with the path of the resource behind it (RFC 9728 §3.1).
    fn metadata_path(&self) -> String {
        format!("{WELL_KNOWN}{}", self.settings.resource_path)
    }

    /// Whether the metadata of this action is at a path.
    pub(crate) fn has_metadata_at(&self, path: &str) -> bool {
        self.settings.is_announced
            && path.strip_prefix(WELL_KNOWN).is_some_and(|rest| rest == self.settings.resource_path)
    }

    /// The metadata, for a client that asked for this authority.
    pub(crate) fn metadata(&self, request: &CanonicalRequest) -> WholeResponse {
        let mut document = json!({
            "resource": format!("https://{}{}", request.authority.as_str(), self.settings.resource_path),
            "authorization_servers": self.issuers(),
            "bearer_methods_supported": ["header"],
        });
        let BearerSettings { scopes, suggested_scopes, public_client_id, .. } = &*self.settings;
        let suggested = suggested_scopes.iter().filter(|scope| !scopes.contains(scope));
        let scopes: Vec<&String> = scopes.iter().chain(suggested).collect();
        if !scopes.is_empty() {
            document["scopes_supported"] = json!(scopes);
        }
        // A member of our own (RFC 9728 §2 allows it): no standard says which client a program is that nobody has registered.
        if let Some(client_id) = public_client_id {
            document["vestibule_client_id"] = json!(client_id);
        }
        let mut response = WholeResponse::new(Bytes::from(document.to_string()));
        let headers = response.headers_mut();
        harden(headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // It is public, and the same for everybody: clients that run in browsers of other sites read it, too.
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }

    /// Adds to a rejection what is wrong with the token, and where the metadata is.
    pub(super) fn challenged(
        &self,
        rejection: Rejection,
        problem: Problem<'_>,
        request: &CanonicalRequest,
    ) -> Rejection {
        let metadata = || format!("https://{}{}", request.authority.as_str(), self.metadata_path());
        // There is none where a client could be led to an issuer whose tokens are refused here.
        let metadata = self.settings.is_announced.then(metadata);
        rejection.challenge(challenge(problem, metadata.as_deref()))
    }
}
