//! Redeems the code of a sign-in, and creates its session.

use std::fmt;
use std::sync::Arc;

use crate::action::authenticate::finishing::{Outcome, Signed};
use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::login::PendingLogin;
use crate::action::authenticate::{failure, step_up};
use crate::clock::Timestamp;
use crate::exchange::rejection::{Reason, Rejection};
use crate::flight::Landing;
use crate::oidc;
use crate::telemetry::traces::scope::{self, Begun};
use crate::telemetry::traces::span::Kind;

/// A rejection that several requests share.
#[derive(Debug)]
struct Told(Arc<Rejection>);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Some(source) => fmt::Display::fmt(source, f),
            None => f.write_str(self.0.reason.code()),
        }
    }
}

impl std::error::Error for Told {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref()?.source()
    }
}

/// The rejection for one of several requests, with what its page says.
fn told(rejection: Arc<Rejection>) -> Rejection {
    let (notes, facts) = (rejection.notes().to_vec(), rejection.facts().to_vec());
    let told = notes.into_iter().fold(Rejection::new(rejection.reason, Told(rejection)), Rejection::note);
    facts.into_iter().fold(told, |told, (name, value)| told.fact(name, value))
}

impl Authenticate {
    /// Redeems the code of a sign-in and creates its session, or waits for another callback that does. `None` if the sign-in was finished
    /// before, or if `take` returns false.
    ///
    /// # Errors
    ///
    /// The reason why the sign-in failed.
    pub(super) async fn finish_login(
        self: &Arc<Self>,
        host: &str,
        login: &PendingLogin,
        callback: oidc::Callback,
        now: Timestamp,
        take: impl FnOnce() -> bool,
    ) -> Option<Result<Arc<Signed>, Rejection>> {
        let state = &login.protocol.state;
        let begin = |landing: Landing<Outcome>| {
            let (gate, host, login) = (Arc::clone(self), host.to_owned(), login.clone());
            let mut span = scope::begin("login", Kind::Internal);
            let scope = span.as_ref().map(Begun::scope);
            self.control.start(scope::within(scope, async move {
                let _under_way = gate.metrics.finishing.hold();
                let outcome = gate.redeem(&host, login, callback).await;
                if let Some(span) = &mut span {
                    span.attributes.text("vestibule.provider", gate.factory.client.name());
                }
                match &outcome {
                    Ok(_) => gate.metrics.finished.increment(),
                    Err(rejection) => {
                        gate.metrics.failures.count(rejection.reason);
                        span.iter_mut().for_each(|span| span.fail(rejection.reason.code()));
                    }
                }
                drop(span);
                landing.land(outcome.map(Arc::new).map_err(Arc::new));
            }));
        };
        let flight = self.memory.finishing.join(state, now, take, begin)?;
        // Dropping this future is safe: the work continues on the control runtime, with the timeouts of the provider.
        Some(match flight.landed().await {
            Some(Ok(signed)) => Ok(signed),
            Some(Err(rejection)) => Err(told(rejection)),
            None => Err(Reason::Internal.into()),
        })
    }

    async fn redeem(&self, host: &str, login: PendingLogin, callback: oidc::Callback) -> Result<Signed, Rejection> {
        let finished = self.factory.client.finish(callback, login.protocol, login.redirect_uri).await;
        let finished = finished.map_err(|error| match step_up::shortfall(&login.demand, &error) {
            Some(shortfall) => step_up::failed(&login.demand, shortfall, shortfall),
            None => failure::rejection(error),
        })?;
        let now = self.factory.clock.now();
        step_up::check(&login.demand, &finished.identity, self.factory.client.name(), now)?;
        let session = self.factory.begin(finished, login.is_silent, now);
        let saved = self.factory.sessions.save(host, &session, now);
        let cookies = saved.map_err(|error| Rejection::new(Reason::AuthClaimsTooLarge, error))?;
        Ok(Signed { session, cookies })
    }
}
