//! What is done for a recorded request apart from its own task: sign-ins, refreshes, calls to providers.
//!
//! The control runtime does most of it. So the span that caused the work travels with its future ([`within`]), and the code that makes a
//! call asks for it ([`begin`]). Requests at rest never ask: only what begins or renews a session, or fetches something, does.

use std::borrow::Cow;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use crate::clock::Clock;
use crate::telemetry::ids;
use crate::telemetry::traces::span::{Attributes, Base, Context, Kind, Span};
use crate::telemetry::traces::tracer::Tracer;

tokio::task_local! {
    static CURRENT: Scope;
}

/// A span that others can be below.
#[derive(Clone, Debug)]
pub struct Scope {
    pub tracer: Arc<Tracer>,
    pub context: Context,
    pub base: Base,
}

/// A span that has begun. It ends when it is dropped, so that work that is cancelled is recorded, too.
#[derive(Debug)]
pub struct Begun {
    scope: Scope,
    parent: u64,
    name: Cow<'static, str>,
    kind: Kind,
    started: Instant,
    pub attributes: Attributes,
    is_error: bool,
}

/// Runs `work`, with `scope` as what its spans are below. Without one, nothing is recorded.
pub async fn within<T>(scope: Option<Scope>, work: impl Future<Output = T>) -> T {
    match scope {
        None => work.await,
        Some(scope) => CURRENT.scope(scope, work).await,
    }
}

/// `work` with what spans of the current task are below, for another task.
pub fn carried<T>(work: impl Future<Output = T>) -> impl Future<Output = T> {
    within(current(), work)
}

/// What spans of the current task are below. `None` if nothing is recorded.
pub(crate) fn current() -> Option<Scope> {
    CURRENT.try_with(Scope::clone).ok()
}

/// Begins a span in the current task. `None` if nothing is recorded.
pub fn begin(name: impl Into<Cow<'static, str>>, kind: Kind) -> Option<Begun> {
    let scope = current()?;
    let parent = scope.context.span;
    let context = Context { span: ids::span(), ..scope.context };
    let started = Clock::system().instant();
    let (attributes, is_error) = (Attributes::default(), false);
    Some(Begun { scope: Scope { context, ..scope }, parent, name: name.into(), kind, started, attributes, is_error })
}

impl Begun {
    /// For what is below this span.
    pub fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// What the span is about has failed.
    pub fn fail(&mut self, why: &str) {
        self.is_error = true;
        self.attributes.text("error.type", why);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let Scope { tracer, context, base } = &self.scope;
        tracer.take(Span {
            context: *context,
            parent: Some(self.parent),
            has_remote_parent: false,
            link: None,
            name: std::mem::take(&mut self.name),
            kind: self.kind,
            start: base.nanos(self.started),
            // No test moves this clock.
            end: base.nanos(Clock::system().instant()),
            attributes: std::mem::take(&mut self.attributes),
            is_error: self.is_error,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::telemetry::metrics::Registry;
    use crate::telemetry::traces::sampling::{Parents, Sampling};

    #[tokio::test]
    async fn spans_are_below_those_that_caused_them() {
        let (tracer, mut spans) = Tracer::new(Sampling::new(1.0, Parents::None), false, &Registry::default());
        let base = Base { at: Timestamp::from_seconds(7), instant: Clock::system().instant() };
        let scope = Scope { tracer, context: Context { trace: 1, span: 2 }, base };
        assert!(begin("nobody asks", Kind::Internal).is_none());
        within(None, async { assert!(begin("nobody asks", Kind::Internal).is_none()) }).await;
        within(Some(scope), async {
            let mut login = begin("login", Kind::Internal).expect("it is recorded");
            login.fail("auth.denied");
            within(Some(login.scope()), async { drop(begin("token", Kind::Client)) }).await;
        })
        .await;
        let (call, login) = (spans.queue.recv().await.expect("a span"), spans.queue.recv().await.expect("a span"));
        assert_eq!(
            (&*call.name, &*login.name, call.kind, login.kind),
            ("token", "login", Kind::Client, Kind::Internal)
        );
        assert_eq!((call.parent, login.parent), (Some(login.context.span), Some(2)));
        assert_eq!((call.context.trace, login.context.trace), (1, 1));
        assert!(login.is_error && !call.is_error);
        assert!(login.start >= 7_000_000_000 && call.start >= login.start && call.end <= login.end);
        assert!(spans.queue.recv().await.is_none(), "the tracer is gone");
    }
}
