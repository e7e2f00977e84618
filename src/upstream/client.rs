//! One worker's HTTP client of one target group.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::uri::PathAndQuery;

use crate::clock::Clock;
use crate::drain::{self, Spawner};
use crate::message::own_fields::OwnFields;
use crate::message::{Request, Response};
use crate::telemetry::metrics::Counter;
use crate::upstream::connect;
use crate::upstream::error::Error;
use crate::upstream::group::TargetGroup;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::head::Head;
use crate::upstream::http1::request_writer::RequestWriter;
use crate::upstream::http1::response_body::{self, ReturnToPool};
use crate::upstream::http1::upload;
use crate::upstream::metrics::Metrics;
use crate::upstream::pool::Pool;
use crate::upstream::upgrade::Switched;

/// Maximum number of targets tried for one request. More would only make the client wait.
const ATTEMPTS_MAX: usize = 3;

/// Sends requests to a group, over connections that only this worker uses.
#[derive(Debug)]
pub(crate) struct Client {
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
    /// The stream to the target if it responded with 101 (Switching Protocols).
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

impl Client {
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

    /// Sends `request` to targets in turn until one responds. Takes the body out of `request`. The request line
    /// contains `target`. Each field in `fields` replaces the request's own fields of that name.
    ///
    /// Retries only in two cases: no target has received any byte of the request, or the request is idempotent, has no
    /// body, and the connection was closed. Tries at most three targets.
    pub(crate) async fn send(
        &self,
        request: &mut Request,
        target: &PathAndQuery,
        fields: &OwnFields,
    ) -> Result<Answered, Box<Unanswered>> {
        let answered = match RequestWriter::new(request, target, fields).await {
            Ok(request) => self.offer_to_each(request).await,
            Err(error) => Err(Box::new(Unanswered { error: Error::of_body(error), target: None })),
        };
        if answered.is_err() {
            self.metrics.errors.increment();
        }
        answered
    }

    async fn offer_to_each(&self, mut request: Box<RequestWriter>) -> Result<Answered, Box<Unanswered>> {
        let mut offers = 0;
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let mut last = None;
        for target in self.group.order::<ATTEMPTS_MAX>(turn, self.clock.instant()) {
            match self.offer(target, &mut request, &mut offers).await {
                Ok((connection, head)) => {
                    let answered = self.answered(target, request, connection, head).await;
                    return answered.map_err(|error| self.unanswered(target, error));
                }
                Err(error) => last = Some(self.unanswered(target, error)),
            }
            if !request.is_whole() {
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
    async fn offer(
        &self,
        target: usize,
        request: &mut RequestWriter,
        offers: &mut usize,
    ) -> Result<(Connection, Head), Error> {
        let mut was_sent = false;
        while let Some(mut idle) = self.pools[target].take(self.clock.instant(), self.group.settings.idle_timeout) {
            self.count(offers);
            match idle.exchange(request).await {
                Ok(head) => return Ok((idle, head)),
                // The target closed the connection before any byte of the request was sent.
                Err(Error::Reset(_)) if request.is_whole() => {}
                // Retry over a new connection. Otherwise a request that makes the target close its connection would close every idle one.
                Err(Error::Reset(_)) if request.rewind() => {
                    was_sent = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.count(offers);
        // Boxed, so that the future of a request over an idle connection does not include the size of a handshake.
        let connecting = connect::connect(&self.group.settings, &self.group.targets[target].settings);
        let mut connection = match Box::pin(connecting).await {
            Ok(connection) => connection,
            Err(error) => {
                if !error.is_ours() {
                    self.group.skip(target, self.clock.instant(), &error);
                }
                return Err(error);
            }
        };
        self.metrics.connections.increment();
        match connection.exchange(request).await {
            // The target accepted the connection and closed it at once, as programs do while they start or stop. Another target may be tried.
            Err(error @ Error::Reset(_)) => {
                self.group.skip(target, self.clock.instant(), &error);
                if !was_sent {
                    request.rewind();
                }
                Err(error)
            }
            other => {
                self.group.accepted(target);
                other.map(|head| (connection, head))
            }
        }
    }

    /// Counts an attempt. Every attempt after the first counts as a retry.
    fn count(&self, offers: &mut usize) {
        if *offers > 0 {
            self.metrics.retries.increment();
        }
        *offers += 1;
    }

    /// The response, whose body is read from `connection`.
    async fn answered(
        &self,
        target: usize,
        mut request: Box<RequestWriter>,
        connection: Connection,
        head: Head,
    ) -> Result<Answered, Error> {
        let Head { mut response, length, keeps_open, rest } = head;
        let name = Rc::clone(&self.names[target]);
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            let switched = Some(Box::new(Switched::new(connection.stream, rest)));
            return Ok(Answered { response, switched, target: name });
        }
        let is_reusable = keeps_open && request.is_written() && !request.is_last();
        // A body that waits for 100 (Continue) is not sent after the final response: the target did not ask for it.
        if !request.is_written() && !request.awaits_continue() {
            request.lift_rate();
            upload::finish(request, &connection, self.response_timeout(), &self.spawner);
        }
        let return_to_pool = is_reusable.then(|| ReturnToPool {
            pool: Rc::clone(&self.pools[target]),
            idle_max: self.group.settings.idle_max,
            clock: self.clock.clone(),
        });
        let mut body = response_body::body(rest, length, connection, return_to_pool).await.map_err(Error::of_answer)?;
        body.limit_idle(self.response_timeout());
        *response.body_mut() = body;
        Ok(Answered { response, switched: None, target: name })
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
