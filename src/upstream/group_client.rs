//! One worker's HTTP client of one target group.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::drain::{self, Spawner};
use crate::message::Response;
use crate::telemetry::metrics::Counter;
use crate::upstream::connect;
use crate::upstream::error::Error;
use crate::upstream::group::TargetGroup;
use crate::upstream::metrics::Metrics;
use crate::upstream::pool::{Pool, ReturnToPool};
use crate::upstream::protocol::{Begun, Exchange};
use crate::upstream::request::Request;
use crate::upstream::upgrade::Switched;

/// Maximum number of targets tried for one request. More would only make the client wait.
const ATTEMPTS_MAX: usize = 3;

/// Sends requests to a group, over connections that only this worker uses.
#[derive(Debug)]
pub(crate) struct GroupClient {
    group: Arc<TargetGroup>,
    pools: Vec<Rc<Pool>>,
    /// The names of the targets. `Rc`, so that no worker touches another worker's reference count.
    names: Vec<Rc<str>>,
    turn: Cell<usize>,
    clock: Clock,
    metrics: Metrics,
    spawner: Spawner,
}

/// The response of a target.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Box<Response>,
    /// Both connections if the target responded with 101 (Switching Protocols).
    pub(crate) switched: Option<Box<Switched>>,
    /// `host:port` of the target that answered.
    pub(crate) target: Rc<str>,
}

/// No target responded: the last error, and the target that caused it.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: Error,
    pub(crate) target: Option<Rc<str>>,
}

impl GroupClient {
    /// Creates a worker's client of `group`. `worker` is the first round-robin position, so that workers start with
    /// different targets.
    pub(crate) fn new(
        group: Arc<TargetGroup>,
        worker: usize,
        clock: Clock,
        metrics: Metrics,
        spawner: Spawner,
    ) -> Self {
        let pools: Vec<_> = group.targets.iter().map(|_| Rc::new(Pool::default())).collect();
        start_pruning(&pools, &group, &clock);
        let names = group.targets.iter().map(|target| Rc::from(&*target.name)).collect();
        Self { group, pools, names, turn: Cell::new(worker), clock, metrics, spawner }
    }

    /// The group's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.group.settings.name
    }

    /// Counts `Set-Cookie` lines that were dropped from the group's answers.
    pub(crate) fn cookies_dropped(&self) -> &Counter {
        &self.metrics.cookies_dropped
    }

    /// Maximum time to wait for a response, and between two parts of its body.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.group.settings.response_timeout
    }

    /// Sends `request` to targets in turn until one responds. Takes the body out of the client's request.
    ///
    /// Retries only in two cases: no target has received any byte of the request, or the request is idempotent, has no
    /// body, and the connection was closed. Tries at most three targets.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answered, Box<Unanswered>> {
        let answered = match Exchange::new(request).await {
            Ok(exchange) => self.offer_to_each(exchange).await,
            Err(error) => Err(Box::new(Unanswered { error, target: None })),
        };
        if answered.is_err() {
            self.metrics.errors.increment();
        }
        answered
    }

    async fn offer_to_each(&self, mut exchange: Exchange<'_>) -> Result<Answered, Box<Unanswered>> {
        let mut offers = 0;
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let mut last = None;
        for target in self.group.order::<ATTEMPTS_MAX>(turn, self.clock.instant()) {
            if let Err(error) = exchange.check() {
                last = Some(Box::new(Unanswered { error, target: None }));
                continue;
            }
            match self.offer(target, &mut exchange, &mut offers).await {
                Ok(begun) => {
                    let answered = self.answered(target, begun).await;
                    return answered.map_err(|error| self.unanswered(target, error));
                }
                Err(error) => last = Some(self.unanswered(target, error)),
            }
            if !exchange.is_whole() {
                break;
            }
        }
        Err(last.unwrap_or_else(|| Box::new(Unanswered { error: Error::NoTargets, target: None })))
    }

    fn unanswered(&self, target: usize, error: Error) -> Box<Unanswered> {
        Box::new(Unanswered { error, target: Some(Rc::clone(&self.names[target])) })
    }

    /// Sends to one target, over an idle connection if there is one. If this fails and another target may be tried, no
    /// byte of the request is lost.
    async fn offer(&self, target: usize, exchange: &mut Exchange<'_>, offers: &mut usize) -> Result<Begun, Error> {
        let mut was_sent = false;
        while let Some(idle) = self.pools[target].take(self.clock.instant(), self.group.settings.idle_timeout) {
            self.count(offers);
            match exchange.over(idle).await {
                Ok(begun) => return Ok(begun),
                // The target closed the connection before any byte of the request was sent.
                Err(Error::Reset(_)) if exchange.is_whole() => {}
                // Retry over a new connection. Otherwise a request that makes the target close its connection would close every idle one.
                Err(Error::Reset(_)) if exchange.rewind() => {
                    was_sent = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.count(offers);
        // Boxed, so that the future of a request over an idle connection does not include the size of a handshake.
        let connecting = connect::connect(&self.group.settings, &self.group.targets[target].settings);
        let connection = match Box::pin(connecting).await {
            Ok(connection) => connection,
            Err(error) => {
                if !error.is_ours() {
                    self.group.skip(target, self.clock.instant(), &error);
                }
                return Err(error);
            }
        };
        self.metrics.connections.increment();
        let begun = exchange.over(connection).await;
        match &begun {
            // The target accepted the connection and closed it at once, as programs do while they start or stop. Another target may be tried.
            Err(error @ Error::Reset(_)) => {
                self.group.skip(target, self.clock.instant(), error);
                if !was_sent {
                    exchange.rewind();
                }
            }
            _ => self.group.accepted(target),
        }
        begun
    }

    /// Counts an attempt. Every attempt after the first counts as a retry.
    fn count(&self, offers: &mut usize) {
        if *offers > 0 {
            self.metrics.retries.increment();
        }
        *offers += 1;
    }

    /// The response of a target that has begun to respond.
    async fn answered(&self, target: usize, begun: Begun) -> Result<Answered, Error> {
        let return_to_pool = ReturnToPool {
            pool: Rc::clone(&self.pools[target]),
            idle_max: self.group.settings.idle_max,
            clock: self.clock.clone(),
        };
        let (response, switched) = begun.answer(return_to_pool, self.response_timeout(), &self.spawner).await?;
        Ok(Answered { response, switched, target: Rc::clone(&self.names[target]) })
    }
}

/// How often idle connections are checked. A connection that its target has closed holds a descriptor until then.
const PRUNE_BEAT: Duration = Duration::from_secs(5);

/// Closes expired idle connections even if no request arrives. Ends with the client.
fn start_pruning(pools: &[Rc<Pool>], group: &TargetGroup, clock: &Clock) {
    let pools: Vec<_> = pools.iter().map(Rc::downgrade).collect();
    let idle_timeout = group.settings.idle_timeout;
    let clock = clock.clone();
    drain::background(async move {
        loop {
            tokio::time::sleep(idle_timeout.min(PRUNE_BEAT)).await;
            let mut alive = false;
            for pool in pools.iter().filter_map(std::rc::Weak::upgrade) {
                alive = true;
                pool.prune(clock.instant(), idle_timeout);
            }
            if !alive {
                break;
            }
        }
    });
}
