//! `authorize`: whether the user who is signed in may come in, by the claims of the provider.
//!
//! Runs behind an action that identifies the user, by whatever evidence. The answer is found once for each [`Visitor`], and
//! remembered with it: see [`Decisions`](crate::action::decisions::Decisions). Start at [`Authorize::admit`].

use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::action::decisions::{IsNew, Verdict};
use crate::action::demand::{Demand, Shortfall};
use crate::action::passage::Passage;
use crate::action::requirement::{Answer, Asked, Explained, Requirement, Unknown};
use crate::action::settings::{AuthorizeMode, AuthorizeSettings};
use crate::action::told;
use crate::action::visitor::Visitor;
use crate::certificate::client::facts::Facts;
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::exchange::request_id::RequestId;
use crate::identity::{Claims, Identity};
use crate::message::uri::CanonicalRequest;
use crate::page::Text;
use crate::page::link::Link;
use crate::telemetry::line_budget::LineBudget;
use crate::telemetry::metrics::{Counter, Registry};

/// How long a page says that the permissions were asked for again.
const ASKED_JUST_NOW: Duration = Duration::from_secs(60);

/// One `authorize` action.
#[derive(Debug)]
pub struct Authorize {
    /// Unique among all actions of this and earlier configurations.
    id: u64,
    /// Whether the answer depends on the certificate of the client's connection.
    asks_for_certificate: bool,
    settings: AuthorizeSettings,
    metrics: Metrics,
}

/// The rule that an action belongs to, for the metrics.
#[derive(Clone, Copy, Debug)]
pub struct Owner<'n> {
    pub listener: &'n str,
    pub rule: &'n str,
}

#[derive(Debug)]
struct Metrics {
    allowed: Counter,
    refused: Counter,
    stepped_up: Counter,
    reported: Counter,
}

impl Metrics {
    fn of(&self, verdict: Verdict) -> &Counter {
        match verdict {
            Verdict::LetIn => &self.allowed,
            Verdict::StepUp(_) => &self.stepped_up,
            Verdict::Refused(_) => &self.refused,
            Verdict::Reported => &self.reported,
        }
    }
}

/// What happens to a request of a user who may come in, at once or later. An error never becomes one of these.
#[derive(Debug)]
pub(crate) enum Granted<'a> {
    /// The request goes on.
    Now,
    /// The user has to sign in again first, to meet this demand.
    AfterStepUp(&'a Visitor, &'a Demand),
}

impl AuthorizeSettings {
    /// What becomes of a user now, and until when that holds.
    fn decide(&self, asked: Asked<'_>, now: Timestamp) -> (Verdict, Timestamp) {
        self.decide_by(asked, now, |claims| self.demand.holds_until(claims, now))
    }

    /// What becomes of a user whose request began earlier and is still under way. `max_age` was asked then (docs/decisions/0049).
    fn decide_open(&self, asked: Asked<'_>, now: Timestamp) -> Verdict {
        self.decide_by(asked, now, |claims| self.demand.check_acr(claims).map(|()| Timestamp::MAX)).0
    }

    /// `demanded` says until when the sign-in is as demanded.
    fn decide_by(
        &self,
        asked: Asked<'_>,
        now: Timestamp,
        demanded: impl FnOnce(&Claims) -> Result<Timestamp, Shortfall>,
    ) -> (Verdict, Timestamp) {
        let answer = self.requirement.as_ref().map_or(Answer::Yes, |requirement| requirement.of(asked));
        let demanded = || match asked.identity {
            Some(identity) => demanded(identity.claims()),
            // Validation demands a user for every demand.
            None if self.demand.is_empty() => Ok(Timestamp::MAX),
            None => Err(Shortfall::NoAuthTime),
        };
        let (verdict, until) = match answer {
            Answer::Yes => match demanded() {
                Ok(until) if now < until => (Verdict::LetIn, until),
                Ok(_) => (Verdict::StepUp(Shortfall::TooOld), Timestamp::MAX),
                Err(shortfall) => (Verdict::StepUp(shortfall), Timestamp::MAX),
            },
            Answer::Unknown(Unknown::GroupsOverage) => (Verdict::Refused(Reason::AuthGroupsOverage), Timestamp::MAX),
            Answer::No | Answer::Unknown(_) if asked.identity.is_none() => {
                (Verdict::Refused(Reason::AuthCertificateNotAllowed), Timestamp::MAX)
            }
            Answer::No | Answer::Unknown(_) => (Verdict::Refused(Reason::AuthNotAllowed), Timestamp::MAX),
        };
        match (verdict, self.mode) {
            (Verdict::LetIn, _) | (_, AuthorizeMode::Enforce) => (verdict, until),
            (_, AuthorizeMode::Report) => (Verdict::Reported, until),
        }
    }

    /// What a sign-in for this action has to meet. Nothing with `mode: report`, which changes nothing.
    pub(crate) fn enforced_demand(&self) -> Option<&Demand> {
        (self.is_enforced() && !self.demand.is_empty()).then_some(&self.demand)
    }
}

/// The request that a line of the log is about.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    request_id: RequestId,
    rule: Option<Rc<str>>,
    /// `None` if nobody is signed in.
    subject: Option<Rc<str>>,
}

impl Origin {
    pub(crate) fn of(exchange: &Exchange, visitor: Option<&Visitor>) -> Self {
        let subject = visitor.map(|visitor| Rc::clone(visitor.subject()));
        Self { request_id: exchange.id, rule: exchange.rule_name().cloned(), subject }
    }
}

impl AuthorizeSettings {
    /// Whether it looks at the certificate of the client.
    pub fn asks_for_certificate(&self) -> bool {
        self.requirement.as_ref().is_some_and(Requirement::asks_for_certificate)
    }

    /// Whether somebody must be signed in, because it looks at claims or at the sign-in.
    pub fn needs_user(&self) -> bool {
        !self.demand.is_empty() || self.requirement.as_ref().is_none_or(Requirement::asks_for_claims)
    }
}

/// An `authorize` action without a user to ask about. Validation refuses such a file.
#[derive(Debug, thiserror::Error)]
#[error("no action before `authorize` has identified a user")]
struct Unidentified;

impl Authorize {
    /// Creates an action of the rule that `owner` names.
    pub fn new(settings: AuthorizeSettings, owner: &Owner<'_>, registry: &Registry) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let counter = |outcome: &str| {
            let labels = vec![
                ("listener", owner.listener.to_owned()),
                ("rule", owner.rule.to_owned()),
                ("outcome", outcome.to_owned()),
            ];
            registry.counter(
                "vestibule_authorization_decisions_total",
                "Sessions decided by `authorize`, once in each worker (where nobody is signed in and it asks for the certificate of the client: requests): let in, refused, sent to sign in again, or let in only because of `mode: report`. A response or WebSocket that is open when a refresh changes the answer counts, too. A sign-in that does not meet `max_age` or `acr` makes no session, and counts in `vestibule_login_failures_total`.",
                labels,
            )
        };
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            asks_for_certificate: settings.asks_for_certificate(),
            metrics: Metrics {
                allowed: counter("allowed"),
                refused: counter("refused"),
                stepped_up: counter("step_up"),
                reported: counter("reported"),
            },
            settings,
        }
    }

    /// Lets a user pass whose claims and sign-in are as required.
    ///
    /// # Errors
    ///
    /// [`Reason::AuthNotAllowed`] or [`Reason::AuthGroupsOverage`] for a user whose claims are not, the same [of a token](Reason::of_token), and
    /// [`Reason::Internal`] where nobody is identified.
    pub(crate) fn admit<'a>(
        &'a self,
        lines: &LineBudget,
        exchange: &Exchange,
        canonical: &CanonicalRequest,
        passage: &'a Passage,
    ) -> Result<Granted<'a>, Rejection> {
        let certificate = if self.asks_for_certificate { exchange.connection.client.verified() } else { None };
        let Some(visitor) = passage.visitor() else { return self.admit_client(lines, exchange, certificate) };
        let now = exchange.started_at;
        let asked = Asked { identity: Some(visitor.identity()), certificate };
        let key = (self.id, certificate.map(|facts| &facts.digest));
        let (verdict, IsNew(is_new)) = visitor.decisions().of(key, now, || self.settings.decide(asked, now));
        if is_new {
            self.metrics.of(verdict).increment();
            self.log(verdict, exchange, asked);
        }
        match verdict {
            Verdict::LetIn => {}
            Verdict::StepUp(_) => return Ok(Granted::AfterStepUp(visitor, &self.settings.demand)),
            Verdict::Refused(reason) => return Err(self.refusal(reason, visitor, canonical, now)),
            Verdict::Reported if is_new => {
                self.report(lines, &Origin::of(exchange, Some(visitor)), asked, now);
            }
            Verdict::Reported => {}
        }
        Ok(Granted::Now)
    }

    /// Decides about a client of whom only the certificate is known. Each request is decided: what a connection has is found fast.
    fn admit_client(
        &self,
        lines: &LineBudget,
        exchange: &Exchange,
        certificate: Option<&Facts>,
    ) -> Result<Granted<'_>, Rejection> {
        if self.settings.needs_user() {
            return Err(Rejection::new(Reason::Internal, Unidentified));
        }
        let (asked, now) = (Asked { identity: None, certificate }, exchange.started_at);
        let (verdict, _) = self.settings.decide(asked, now);
        self.metrics.of(verdict).increment();
        self.log(verdict, exchange, asked);
        match verdict {
            Verdict::LetIn => Ok(Granted::Now),
            Verdict::Reported => {
                self.report(lines, &Origin::of(exchange, None), asked, now);
                Ok(Granted::Now)
            }
            Verdict::Refused(reason) => {
                let rejection = match self.settings.reveal {
                    true => told::required(Rejection::from(reason), &self.settings),
                    false => Rejection::from(reason),
                };
                Err(told::contact(rejection, self.settings.contact.as_deref()))
            }
            Verdict::StepUp(_) => Err(Rejection::new(Reason::Internal, Unidentified)),
        }
    }

    /// Decides anew about a user who was let in, because a renewal has brought other claims while the request is still under way.
    ///
    /// # Errors
    ///
    /// The reason why the request must end.
    pub(crate) fn recheck(
        &self,
        lines: &LineBudget,
        origin: &Origin,
        renewed: Asked<'_>,
        now: Timestamp,
    ) -> Result<(), Reason> {
        let verdict = self.settings.decide_open(renewed, now);
        if verdict != Verdict::LetIn {
            self.metrics.of(verdict).increment();
        }
        match verdict {
            Verdict::LetIn => Ok(()),
            Verdict::StepUp(_) => Err(Reason::AuthStepUpRequired),
            Verdict::Refused(reason) => Err(reason),
            Verdict::Reported => {
                self.report(lines, origin, renewed, now);
                Ok(())
            }
        }
    }

    /// Whether a user whose claims are not known is refused.
    pub(crate) fn is_enforced(&self) -> bool {
        self.settings.is_enforced()
    }

    /// What becomes of a user, and how each part of the requirement decides. Nobody is identified where no gate has identified a user. For `check`.
    ///
    /// # Errors
    ///
    /// [`Reason::Internal`] if the action needs a user and there is none. Validation refuses such a file.
    pub fn explain(&self, asked: Asked<'_>, now: Timestamp) -> Result<(Verdict, Vec<Explained>), Reason> {
        if asked.identity.is_none() && self.settings.needs_user() {
            return Err(Reason::Internal);
        }
        let parts = self.settings.requirement.iter().flat_map(|requirement| requirement.explain(asked));
        let demand = asked.identity.map(|identity| self.settings.demand.explain(identity.claims(), now));
        Ok((self.settings.decide(asked, now).0, parts.chain(demand.into_iter().flatten()).collect()))
    }

    /// Says who is signed in, or whose token it is, and how to go on: in sentences to people, in members of a JSON object to programs.
    fn refusal(&self, reason: Reason, visitor: &Visitor, canonical: &CanonicalRequest, now: Timestamp) -> Rejection {
        let (identity, provider) = (visitor.identity(), visitor.reidentify().provider());
        let is_token = visitor.lease().is_token();
        let mut rejection = match is_token {
            true => told::token_of(reason.of_token().into(), identity, provider),
            false => told::who(reason.into(), identity, provider),
        };
        if visitor.lease().asked_again_at().is_some_and(|at| now.since(at) <= ASKED_JUST_NOW) {
            rejection = rejection.note(Text::AccessAskedAgain.into());
        }
        if self.settings.reveal {
            rejection = told::required(rejection, &self.settings);
        }
        let rejection = told::contact(rejection, self.settings.contact.as_deref());
        let rejection = visitor.reidentify().offer(rejection, canonical);
        if is_token { rejection } else { rejection.offer(Link::same_address(Text::LinkTryAgain)) }
    }

    /// Why a user does not come in, without the values of the claims. For the log.
    fn unmet(&self, asked: Asked<'_>, now: Timestamp) -> String {
        let requirement = self.settings.requirement.iter().flat_map(|requirement| requirement.unmet(asked));
        let demand = asked.identity.and_then(|identity| self.settings.demand.check(identity.claims(), now).err());
        let demand = demand.map(|shortfall| shortfall.to_string());
        requirement.chain(demand).collect::<Vec<_>>().join("; ")
    }

    /// Logs a decision that was made just now.
    fn log(&self, verdict: Verdict, exchange: &Exchange, asked: Asked<'_>) {
        let what = match verdict {
            Verdict::Refused(_) => "`authorize` refuses this user",
            Verdict::StepUp(_) => "`authorize` has this user sign in again",
            Verdict::LetIn | Verdict::Reported => return,
        };
        if !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        tracing::debug!(
            request_id = %exchange.id, rule.name = exchange.rule_name().map(|name| &**name),
            user.id = asked.identity.map(Identity::subject), tls.client.subject = asked.certificate.map(|facts| &*facts.subject),
            unmet = self.unmet(asked, exchange.started_at), "{what}"
        );
    }

    fn report(&self, lines: &LineBudget, origin: &Origin, asked: Asked<'_>, now: Timestamp) {
        let Some(skipped) = lines.take(now) else { return };
        tracing::warn!(
            request_id = %origin.request_id, rule.name = origin.rule.as_deref(), user.id = origin.subject.as_deref(),
            tls.client.subject = asked.certificate.map(|facts| &*facts.subject),
            required = %self.settings, unmet = self.unmet(asked, now), lines.skipped = skipped,
            "`authorize` would refuse this user; the request goes on because of `mode: report`"
        );
    }
}
