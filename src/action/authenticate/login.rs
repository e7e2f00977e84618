//! Begins a login: keeps what the callback will need in a sealed cookie, and sends the browser to the provider.

use std::sync::Arc;

use http::HeaderMap;
use serde::{Deserialize, Serialize};

use crate::action::authenticate::{Authenticate, answer, failure};
use crate::action::settings::AuthenticateSettings;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::uri::CanonicalRequest;
use crate::oidc;

/// Longest address to return to, in bytes: it lives in a cookie. A longer one returns to the front page.
const RETURN_TO_BYTES_MAX: usize = 2048;

/// What is kept, sealed, from the redirect to the callback. The seal binds it to the host and the cookie's base name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct PendingLogin {
    /// The action that began it (attacks C-13, S-03).
    pub(super) gate: String,
    pub(super) redirect_uri: String,
    /// Path and query, as the one reading of the request has them; never taken from a parameter (attacks R).
    pub(super) return_to: String,
    pub(super) protocol: oidc::Pending,
}

impl Authenticate {
    /// Sends a navigation to the provider.
    ///
    /// # Errors
    ///
    /// Where the provider's metadata cannot be had.
    pub(super) async fn begin_login(
        &self,
        exchange: &mut Exchange,
        request: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Result<Response, Rejection> {
        // The port too, where the client named one: a browser on another port is another origin.
        let redirect_uri = format!("https://{}{}", request.authority.as_str(), self.paths.callback);
        let begun = self.ask_provider(redirect_uri.clone()).await.inspect_err(|rejection| {
            self.metrics.failures.count(rejection.reason);
        })?;
        let state = begun.pending.state.clone();
        let login = PendingLogin {
            gate: self.key.clone(),
            redirect_uri,
            return_to: self.return_to(request),
            protocol: begun.pending,
        };
        let save = |login| self.pending.save(request.host(), &state, login, headers, exchange.started_at);
        // What makes it too large for a cookie can only be the address.
        let lines = save(login.clone())
            .or_else(|_| save(PendingLogin { return_to: "/".into(), ..login }))
            .map_err(|error| Rejection::new(Reason::Internal, error))?;
        exchange.cookies.extend(lines);
        self.metrics.started.increment();
        answer::redirect(&begun.location)
    }

    async fn ask_provider(&self, redirect_uri: String) -> Result<oidc::Begun, Rejection> {
        let client = Arc::clone(&self.issuing.client);
        let (scope, extra_params) = (self.settings.scope.clone(), self.settings.extra_params.clone());
        let asked = oidc::LoginRequest { redirect_uri, scope, extra_params };
        let begun = self.control.run(async move { client.begin(asked).await }).await;
        begun.map_err(failure::abandoned)?.map_err(failure::rejection)
    }

    /// Where the browser goes after the login: what it asked for, by GET (spec §2.6).
    fn return_to(&self, request: &CanonicalRequest) -> String {
        let target = request.target.as_str();
        if target.len() > RETURN_TO_BYTES_MAX || self.paths.is_reserved(request.path()) {
            return "/".into();
        }
        on_this_origin(target).to_owned()
    }
}

/// Names an action by what makes its sessions: a callback that arrives after a restart, or at another replica, finds it.
pub(super) fn gate_key(settings: &AuthenticateSettings, provider: &str) -> String {
    let parts =
        [provider, &settings.session_cookie_name, &settings.scope, &settings.session_timeout.as_secs().to_string()];
    // None of the parts has a line break.
    parts.join("\n")
}

/// `target` where a browser reads it as a path of this origin, else the front page. A canonical path is one; this is the
/// second lock on the door (attacks R-01…R-12).
pub(super) fn on_this_origin(target: &str) -> &str {
    let bytes = target.as_bytes();
    let is_path = bytes.first() == Some(&b'/') && !matches!(bytes.get(1), Some(b'/' | b'\\'));
    // Browsers drop tabs and line breaks from a URL before they read it (WHATWG URL §4.4).
    if is_path && !bytes.iter().any(u8::is_ascii_control) { target } else { "/" }
}
