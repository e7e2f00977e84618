//! The URL at which a browser signs out at the provider (OpenID Connect RP-Initiated Logout 1.0 §2).

use crate::message::form;
use crate::oidc::discovery::Metadata;
use crate::oidc::flow::with_query;
use crate::oidc::settings::{Logout, Settings};
use crate::secret::Secret;

/// Maximum length of the URL. Servers and proxies accept 8 KB for the whole request line (pitfalls 71).
const LOCATION_BYTES_MAX: usize = 6 * 1024;

/// A sign-out at the provider.
#[derive(Debug)]
pub struct LogoutRequest {
    /// The ID token of the session. It may have expired.
    pub id_token: Option<Secret<String>>,
    /// The redirect URI after the sign-out, as registered at the provider.
    pub post_logout_redirect_uri: String,
    pub state: Option<String>,
}

/// The URL for this kind of provider. `None` if the provider has no end-session endpoint.
pub(crate) fn location(settings: &Settings, metadata: &Metadata, request: &LogoutRequest) -> Option<String> {
    match settings.logout {
        Logout::Never => None,
        Logout::Auto => {
            let endpoint = metadata.end_session_endpoint.as_ref()?;
            let hint = request.id_token.as_ref();
            let with_hint = rp_initiated(endpoint.as_str(), &settings.client_id, hint, request);
            // Without the hint, a provider asks the user. That is better than a URL that is too long.
            Some(if with_hint.len() > LOCATION_BYTES_MAX {
                rp_initiated(endpoint.as_str(), &settings.client_id, None, request)
            } else {
                with_hint
            })
        }
        Logout::Cognito => Some(cognito(settings, metadata, request)),
    }
}

fn rp_initiated(endpoint: &str, client_id: &str, hint: Option<&Secret<String>>, request: &LogoutRequest) -> String {
    let hint = hint.map(|token| ("id_token_hint", token.expose().as_str()));
    let ours = [("client_id", client_id), ("post_logout_redirect_uri", request.post_logout_redirect_uri.as_str())];
    let state = request.state.as_ref().map(|state| ("state", state.as_str()));
    with_query(endpoint, &form::encode(hint.into_iter().chain(ours).chain(state)))
}

/// The logout endpoint of Cognito (pitfalls 53), on the host of its hosted pages.
fn cognito(settings: &Settings, metadata: &Metadata, request: &LogoutRequest) -> String {
    let endpoint = match &settings.endpoints.end_session {
        Some(endpoint) => endpoint.to_string(),
        None => format!("{}/logout", metadata.authorization_endpoint.origin().ascii_serialization()),
    };
    let query = form::encode([
        ("client_id", settings.client_id.as_str()),
        ("logout_uri", request.post_logout_redirect_uri.as_str()),
    ]);
    with_query(&endpoint, &query)
}
