//! One worker's HTTP client of one target group.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::drain::Spawner;
use crate::message::Response;
use crate::telemetry::metrics::Counter;
use crate::upstream::connect;
use crate::upstream::error::Error;
use crate::upstream::group::TargetGroup;
use crate::upstream::metrics::Metrics;
use crate::upstream::protocol::{Begun, Exchange};
use crate::upstream::request::Request;
use crate::upstream::upgrade::Switched;
use crate::upstream::worker_connections::WorkerConnections;
use crate::upstream::worker_target::{InFlight, WorkerTarget};

/// Maximum number of targets tried for one request. More would only make the client wait.
const ATTEMPTS_MAX: usize = 3;

/// Sends requests to a group, over connections that only this worker uses.
#[derive(Debug)]
pub(crate) struct GroupClient {
    group: Arc<TargetGroup>,
    /// In the order of the targets of the group.
    targets: Vec<Rc<WorkerTarget>>,
    connections: Rc<WorkerConnections>,
    turn: Cell<usize>,
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
    /// Creates a worker's client of `group`, with the connections that the worker has already. `worker` is the first
    /// round-robin position, so that workers start with different targets.
    pub(crate) fn new(
        group: Arc<TargetGroup>,
        connections: &Rc<WorkerConnections>,
        worker: usize,
        metrics: Metrics,
        spawner: Spawner,
    ) -> Self {
        let targets = group.targets.iter().map(|target| connections.to(target, &group.settings)).collect();
        Self { group, targets, connections: Rc::clone(connections), turn: Cell::new(worker), metrics, spawner }
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
        for target in self.group.order::<ATTEMPTS_MAX>(turn, self.connections.now()) {
            if let Err(error) = exchange.check() {
                last = Some(Box::new(Unanswered { error, target: None }));
                continue;
            }
            let target = &self.targets[target];
            let in_flight = InFlight::begin(target);
            match self.offer(target, &mut exchange, &mut offers).await {
                Ok(begun) => {
                    let answered = self.answered(target, begun, in_flight).await;
                    return answered.map_err(|error| unanswered(target, error));
                }
                Err(error) => last = Some(unanswered(target, error)),
            }
            if !exchange.is_whole() {
                break;
            }
        }
        Err(last.unwrap_or_else(|| Box::new(Unanswered { error: Error::NoTargets, target: None })))
    }

    /// Sends to one target, over an idle connection if there is one. If this fails and another target may be tried, no
    /// byte of the request is lost.
    async fn offer(&self, to: &WorkerTarget, exchange: &mut Exchange<'_>, offers: &mut usize) -> Result<Begun, Error> {
        let settings = &self.group.settings;
        let mut was_sent = false;
        while let Some(mut idle) = to.pool.take(self.connections.now()) {
            self.count(offers);
            idle.limit(settings.response_timeout, settings.response_headers_max);
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
        let connection = match Box::pin(connect::connect(settings, &to.target.id)).await {
            Ok(connection) => connection,
            Err(error) => {
                if !error.is_ours() {
                    to.target.skip(self.connections.now(), settings.skip_for, &error);
                }
                return Err(error);
            }
        };
        self.metrics.connections.increment();
        let begun = exchange.over(connection).await;
        match &begun {
            // The target accepted the connection and closed it at once, as programs do while they start or stop. Another target may be tried.
            Err(error @ Error::Reset(_)) => {
                to.target.skip(self.connections.now(), settings.skip_for, error);
                if !was_sent {
                    exchange.rewind();
                }
            }
            _ => to.target.accepted(),
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
    async fn answered(&self, from: &WorkerTarget, begun: Begun, in_flight: InFlight) -> Result<Answered, Error> {
        let (response, switched) = begun.answer(in_flight, self.response_timeout(), &self.spawner).await?;
        Ok(Answered { response, switched, target: Rc::clone(&from.name) })
    }
}

fn unanswered(target: &WorkerTarget, error: Error) -> Box<Unanswered> {
    Box::new(Unanswered { error, target: Some(Rc::clone(&target.name)) })
}

#[cfg(test)]
mod tests;
