//! The answer of the authorization endpoint: where the browser goes, with a code or an error (RFC 6749 §4.1.2, RFC 9207 §2).

use crate::database;
use crate::message::form;
use crate::oauth::error::Error;
use crate::oauth::grant::record::{Grant, Pending};
use crate::oauth::provider::Provider;
use crate::oauth::request::{AuthorizationRequest, ResponseMode};
use crate::signin::sso::Session;

/// A redirect URI, and how the answer reaches it.
pub(super) type Destination<'a> = (&'a str, ResponseMode);

impl Provider {
    /// The redirect after the sign-in: with a code, or with an error if the request is for another user, or if the session has ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn code_location(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
    ) -> Result<String, database::Error> {
        if !request.is_for(&session.subject) {
            return Ok(self.not_signed_in_location(request));
        }
        if request.is_unmet_by(session.proofs.level()) {
            return Ok(self.error_location(request.destination(), request.state.as_deref(), Error::UNMET));
        }
        let pending = Pending {
            grant: Grant {
                client_id: request.client_id.clone(),
                subject: session.subject.clone(),
                scope: request.scope.clone(),
                resource: request.resource.clone(),
                auth_time: session.auth_time,
                proofs: session.proofs.clone(),
                session_id: session.id.clone(),
                fingerprint: session.fingerprint.clone(),
                claims: request.claims.clone(),
            },
            redirect_uri: request.redirect_uri.clone(),
            code_challenge: request.code_challenge.clone(),
            nonce: request.nonce.clone(),
        };
        let code = self.grants.issue(pending, self.clock.now()).await?;
        Ok(match code {
            Some(code) => self.location(request.destination(), &[("code", code.expose())], request.state.as_deref()),
            None => self.not_signed_in_location(request),
        })
    }

    /// The redirect after the user has confirmed the request.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn confirmed_location(
        &self,
        request: &AuthorizationRequest,
        session: &Session,
    ) -> Result<String, database::Error> {
        match self.count_silent(&session.subject, &request.client_id, self.clock.now()) {
            Ok(()) => {
                self.metrics.signed_in_by_sso.increment();
                self.code_location(request, session).await
            }
            Err(error) => Ok(self.error_location(request.destination(), request.state.as_deref(), error)),
        }
    }

    /// The redirect that tells the relying party that the requested user has not signed in.
    pub(crate) fn not_signed_in_location(&self, request: &AuthorizationRequest) -> String {
        let error = Error::new("login_required", "the user has to sign in");
        self.error_location(request.destination(), request.state.as_deref(), error)
    }

    pub(super) fn error_location(&self, to: Destination<'_>, state: Option<&str>, error: Error) -> String {
        let answer = [("error", error.code), ("error_description", error.description)];
        self.location(to, &answer, state)
    }

    /// Where the browser goes with the response parameters, `state` and `iss` (RFC 9207 §2): `redirect_uri` with them in its query, or the page that
    /// sends them by a form.
    fn location(&self, (redirect_uri, mode): Destination<'_>, answer: &[(&str, &str)], state: Option<&str>) -> String {
        let state = state.map(|state| ("state", state));
        let pairs = answer.iter().copied().chain(state).chain([("iss", self.issuer.url())]);
        match mode {
            ResponseMode::Query => {
                let separator = if redirect_uri.contains('?') { '&' } else { '?' };
                format!("{redirect_uri}{separator}{}", form::encode(pairs))
            }
            ResponseMode::FormPost => {
                let fields = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                self.form_location(redirect_uri, fields)
            }
        }
    }
}
