//! Asks the provider for new tokens of a session.

use std::sync::Arc;

use crate::action::authenticate::flights::{Landing, Outcome, Renewal};
use crate::action::authenticate::metrics::Refreshes;
use crate::action::authenticate::services::ProcessState;
use crate::action::authenticate::session_factory::SessionFactory;
use crate::drain::Control;
use crate::identity::endings::Endings;
use crate::oidc;
use crate::session::record::Session;
use crate::telemetry::traces::scope::{self, Begun};
use crate::telemetry::traces::span::Kind;

/// Refreshes the sessions of one action. The sessions share it, because a connection that only streams needs new tokens, too.
#[derive(Debug)]
pub(super) struct Renewer {
    pub(super) factory: Arc<SessionFactory>,
    pub(super) control: Control,
    pub(super) refreshes: Refreshes,
    pub(super) memory: ProcessState,
    /// What the provider has ended, if it is in this process.
    pub(super) endings: Option<Arc<Endings>>,
}

impl Renewer {
    /// Starts a flight.
    pub(super) fn start(&self, session: Session, host: &str, landing: Landing) {
        let (factory, refreshes, memory) = (Arc::clone(&self.factory), self.refreshes.clone(), self.memory.clone());
        let host = host.to_owned();
        let mut span = scope::begin("refresh", Kind::Internal);
        let scope = span.as_ref().map(Begun::scope);
        self.control.start(scope::within(scope, async move {
            let outcome = renew(&factory, &session, &host).await;
            let now = factory.clock.now();
            match &outcome {
                Outcome::Renewed(_) => refreshes.renewed.increment(),
                Outcome::Refused => {
                    refreshes.ended.increment();
                    // Before the waiting requests are notified, so that their next check finds the session revoked.
                    memory.refuse(&session, now);
                }
                Outcome::Failed => refreshes.failed.increment(),
            }
            if let Some(span) = &mut span {
                span.attributes.text("vestibule.provider", factory.client.name());
                match &outcome {
                    Outcome::Renewed(_) => {}
                    Outcome::Refused => span.fail("refused"),
                    Outcome::Failed => span.fail("failed"),
                }
            }
            drop(span);
            landing.land(outcome, now);
        }));
    }
}

/// One call to the provider. Never repeated, because a refresh token must not be used twice (pitfalls 38).
async fn renew(factory: &SessionFactory, session: &Session, host: &str) -> Outcome {
    let Some(refresh_token) = session.refresh_token.clone() else { return Outcome::Failed };
    let asked = oidc::RefreshRequest {
        refresh_token,
        subject: session.identity.subject().to_owned(),
        nonce_hash: session.nonce_hash.clone(),
    };
    let login = match factory.client.refresh(asked).await {
        Ok(login) => login,
        Err(error) => {
            let is_fatal = error.is_fatal_for_session();
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, ended = is_fatal, "a session's tokens were not refreshed");
            return if is_fatal { Outcome::Refused } else { Outcome::Failed };
        }
    };
    let now = factory.clock.now();
    let renewed = factory.renew(session, login, now);
    let saved = renewed.and_then(|new| {
        let cookies = factory.sessions.save(host, &new, now).ok()?;
        Some(Renewal { is_rotated: new.refresh_token != session.refresh_token, session: new, cookies })
    });
    // Another user, or too large for the cookies. The old tokens may be used up, so the session cannot continue.
    saved.map_or(Outcome::Refused, |renewal| Outcome::Renewed(Arc::new(renewal)))
}
