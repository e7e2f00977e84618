//! One worker's HTTP client of one target group.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue};

use crate::drain::Spawner;
use crate::message::Response;
use crate::telemetry::metrics::Counter;
use crate::upstream::anomaly::Anomalies;
use crate::upstream::balancer::Balancer;
use crate::upstream::connect;
use crate::upstream::error::{Error, Step};
use crate::upstream::group::TargetGroup;
use crate::upstream::http2::connections::Turn;
use crate::upstream::http2::deadline::Deadline;
use crate::upstream::members::Members;
use crate::upstream::metrics::Metrics;
use crate::upstream::protocol::{Begun, Connection, Exchange};
use crate::upstream::protocol_version::ProtocolVersion;
use crate::upstream::request::Request;
use crate::upstream::retry_budget::RetryBudget;
use crate::upstream::settings::{Algorithm, Settings};
use crate::upstream::stickiness::sticky::{Asked, Sticky};
use crate::upstream::stickiness::targets::StickyTargets;
use crate::upstream::target_stream::TargetStream;
use crate::upstream::upgrade::Switched;
use crate::upstream::worker_connections::WorkerConnections;
use crate::upstream::worker_target::{InFlight, WorkerTarget};
use crate::upstream::{http1, http2};

/// Maximum number of targets tried for one request. More would only make the client wait.
const ATTEMPTS_MAX: usize = 3;

/// Sends requests to a group, over connections that only this worker uses.
#[derive(Debug)]
pub struct GroupClient {
    group: Arc<TargetGroup>,
    connections: Rc<WorkerConnections>,
    members: RefCell<Rc<WorkerMembers>>,
    balancer: Balancer,
    budget: RetryBudget,
    /// `None` if the group has no stickiness.
    sticky: Option<Sticky>,
    /// Whether the status of answers changes how targets are chosen.
    judges_answers: bool,
    metrics: Metrics,
    spawner: Spawner,
}

/// The targets that the group has now, as this worker uses them.
#[derive(Debug)]
struct WorkerMembers {
    shared: Arc<Members>,
    /// In the order of the members.
    targets: Box<[Rc<WorkerTarget>]>,
    /// `Some` if the group has stickiness.
    sticky: Option<StickyTargets>,
}

/// The target that was chosen for a request.
#[derive(Debug)]
struct Chosen {
    index: usize,
    in_flight: InFlight,
    /// Whether a cookie binds the browser to the target. Then no other address of its name may take its place.
    is_bound: bool,
}

/// The response of a target.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Box<Response>,
    /// Both connections if the target responded with 101 (Switching Protocols).
    pub(crate) switched: Option<Box<Switched>>,
    /// `host:port` of the target that answered.
    pub(crate) target: Rc<str>,
    /// `Set-Cookie` lines that bind the browser to this target.
    pub(crate) cookies: Option<Rc<[HeaderValue]>>,
    /// When the request was offered to this target.
    pub(crate) sent: Instant,
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
    pub fn new(
        group: Arc<TargetGroup>,
        connections: &Rc<WorkerConnections>,
        worker: usize,
        metrics: Metrics,
        spawner: Spawner,
    ) -> Self {
        let Settings { algorithm, slow_start, retries, ejection, .. } = &group.settings;
        Self {
            members: RefCell::new(Rc::new(WorkerMembers::new(&group, connections))),
            connections: Rc::clone(connections),
            balancer: Balancer::new(*algorithm, *slow_start, worker),
            budget: RetryBudget::new(*retries, connections.now()),
            sticky: group.settings.stickiness.as_ref().map(|settings| Sticky::new(settings, &group.settings.name)),
            judges_answers: ejection.after_server_errors.is_some() || algorithm.mitigates_anomalies(),
            group,
            metrics,
            spawner,
        }
    }

    /// The group's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.group.settings.name
    }

    /// Counts `Set-Cookie` lines that were dropped from the group's answers.
    pub(crate) fn cookies_dropped(&self) -> &Counter {
        &self.metrics.cookies_dropped
    }

    /// The protocol of the targets.
    pub(crate) fn protocol(&self) -> ProtocolVersion {
        self.group.settings.protocol
    }

    /// Maximum time to wait for a response, and between two parts of its body.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.group.settings.response_timeout
    }

    /// Sends `request` to targets in turn until one responds. Takes the body out of the client's request.
    ///
    /// Retries only in two cases: no target has received any byte of the request, or the request is idempotent, has no
    /// body, and the connection was closed. Tries at most three targets, and only as often as the budget for retries allows. That
    /// an idle connection was closed before any byte was sent is not counted as a retry.
    pub(crate) async fn send(&self, request: Request<'_>) -> Result<Answered, Box<Unanswered>> {
        let asked = self
            .sticky
            .as_ref()
            .map(|sticky| sticky.read(request.from_client.headers(), request.scheme, self.connections.time()));
        let answered = match Exchange::new(request).await {
            Ok(exchange) => match self.deadline(&exchange) {
                None => self.offer_to_each(exchange, asked).await,
                // Boxed, so that requests without a deadline do not have its size.
                Some(deadline) => Box::pin(self.offer_until(deadline, exchange, asked)).await,
            },
            Err(error) => Err(Box::new(Unanswered { error, target: None })),
        };
        if answered.is_err() {
            self.metrics.errors.increment();
        }
        answered
    }

    /// The deadline of a gRPC call. Counts the call.
    fn deadline(&self, exchange: &Exchange<'_>) -> Option<Deadline> {
        if !exchange.is_grpc() {
            return None;
        }
        self.metrics.grpc.increment();
        exchange.deadline()
    }

    /// Offers a gRPC call until its deadline.
    async fn offer_until(
        &self,
        deadline: Deadline,
        exchange: Exchange<'_>,
        asked: Option<Asked>,
    ) -> Result<Answered, Box<Unanswered>> {
        let late = |target| Err(Box::new(Unanswered { error: Error::Deadline, target }));
        match tokio::time::timeout_at(deadline.at(), self.offer_to_each(exchange, asked)).await {
            // The target has the same deadline, and resets the stream then.
            Ok(Err(unanswered)) if matches!(unanswered.error, Error::Reset(_)) && deadline.has_come() => {
                late(unanswered.target)
            }
            Ok(answered) => answered,
            Err(_) => late(None),
        }
    }

    async fn offer_to_each(
        &self,
        mut exchange: Exchange<'_>,
        asked: Option<Asked>,
    ) -> Result<Answered, Box<Unanswered>> {
        let members = self.members();
        let mut bound = asked.as_ref().and_then(|asked| members.bound(asked));
        let turn = self.balancer.next_turn();
        self.budget.count_request();
        let mut offers = 0;
        let mut last = Box::new(Unanswered { error: Error::NoTargets, target: None });
        let mut tried = [0; ATTEMPTS_MAX];
        for attempt in 0..ATTEMPTS_MAX {
            let now = self.connections.now();
            // Only the first attempt goes to the target that the browser is bound to.
            let bound = bound.take().filter(|index| Balancer::holds(&members.shared, *index, now));
            let pick = || self.balancer.pick(&members.shared, turn, now, &tried[..attempt]);
            let Some(index) = bound.or_else(pick) else { break };
            if attempt > 0 && !self.may_retry(now) {
                break;
            }
            if let Err(error) = exchange.check(self.group.settings.protocol) {
                return Err(Box::new(Unanswered { error, target: None }));
            }
            tried[attempt] = index;
            let mut chosen = Chosen { is_bound: bound.is_some(), ..members.choose(index) };
            exchange.begin_attempt(&self.group.settings, &members.targets[index].name, now);
            match self.offer(&members, &mut chosen, &mut exchange, &mut offers).await {
                Ok(begun) => {
                    let target = &members.targets[chosen.index];
                    target.answers.count(begun.status());
                    self.judge(&members, target, begun.status().is_server_error());
                    exchange.end_attempt(&target.name, Ok(begun.status()), now);
                    return match self.answered(target, begun, chosen.in_flight, now).await {
                        Ok(answered) => Ok(self.bind(answered, asked.as_ref(), &members, chosen.index)),
                        Err(error) => {
                            exchange.end_attempt(&target.name, Err(&error), self.connections.now());
                            Err(unanswered(target, error))
                        }
                    };
                }
                Err(error) => {
                    let target = &members.targets[chosen.index];
                    target.answers.count_failure();
                    exchange.end_attempt(&target.name, Err(&error), self.connections.now());
                    if error.is_of_target() {
                        self.judge(&members, target, true);
                    }
                    last = unanswered(target, error);
                }
            }
            if !exchange.is_whole() {
                break;
            }
        }
        Err(last)
    }

    /// The targets that the group has now. They stay the same for a request, also if the group changes meanwhile.
    fn members(&self) -> Rc<WorkerMembers> {
        let mut members = self.members.borrow_mut();
        if members.shared.number != self.group.number() {
            *members = Rc::new(WorkerMembers::new(&self.group, &self.connections));
        }
        Rc::clone(&members)
    }

    /// Whether the budget allows to send a request again.
    fn may_retry(&self, now: Instant) -> bool {
        let may = self.budget.take(now);
        if !may {
            self.metrics.retries_refused.increment();
        }
        may
    }

    /// Sends to one target, over an idle connection if there is one. If this fails and another target may be tried, no
    /// byte of the request is lost. If another address of the target's name accepts a connection first, that is `chosen`
    /// afterwards.
    async fn offer(
        &self,
        members: &WorkerMembers,
        chosen: &mut Chosen,
        exchange: &mut Exchange<'_>,
        offers: &mut usize,
    ) -> Result<Begun, Error> {
        let settings = &self.group.settings;
        while let Some(open) = self.open_connection(&members.targets[chosen.index]) {
            self.count(offers);
            match exchange.over(open, settings).await {
                Ok(begun) => return Ok(begun),
                // The target closes the connection, and has not processed the request. There is no room on the connection any more.
                Err(Error::Refused(error)) if exchange.is_whole() && !error.is_reset() => {}
                // The target closed the connection before any byte of the request was sent.
                Err(Error::Reset(_)) if exchange.is_whole() => {}
                // Retry over a new connection. Otherwise a request that makes the target close its connection would close every idle one.
                Err(error @ Error::Reset(_)) if exchange.rewind() => {
                    if !self.may_retry(self.connections.now()) {
                        return Err(error);
                    }
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        self.count(offers);
        let connection = self.connect(members, chosen).await?;
        let begun = exchange.over(connection, settings).await;
        let target = &members.targets[chosen.index].target;
        match &begun {
            // The target accepted the connection and closed it at once, as programs do while they start or stop. Another target may be tried.
            Err(error @ (Error::Reset(_) | Error::Refused(_))) => {
                target.refused(self.connections.now(), &settings.ejection, error);
                exchange.rewind();
            }
            _ => target.accepted(),
        }
        begun
    }

    /// A connection to `target` that is open and can carry another request.
    fn open_connection(&self, target: &WorkerTarget) -> Option<Connection> {
        let settings = &self.group.settings;
        if settings.protocol.is_http2() {
            return target.http2.take().map(Connection::Http2);
        }
        let mut idle = target.pool.take(self.connections.now())?;
        idle.limit(settings.response_timeout, settings.response_headers_max);
        Some(Connection::Http1(idle))
    }

    /// Opens a connection to the chosen target. If another request does so already and the connection will have room for this one,
    /// waits for that.
    async fn connect(&self, members: &WorkerMembers, chosen: &mut Chosen) -> Result<Connection, Error> {
        let settings = &self.group.settings;
        if !settings.protocol.is_http2() {
            let stream = self.dial(members, chosen).await?;
            let (timeout, fields_max) = (settings.response_timeout, settings.response_headers_max);
            return Ok(Connection::Http1(http1::connection::Connection::new(stream, timeout, fields_max)));
        }
        Box::pin(self.connect_http2(members, chosen)).await
    }

    async fn connect_http2(&self, members: &WorkerMembers, chosen: &mut Chosen) -> Result<Connection, Error> {
        loop {
            let target = Rc::clone(&members.targets[chosen.index]);
            let opens = match target.http2.turn().await {
                Turn::Open(opens) => opens,
                Turn::LookAgain => match target.http2.take() {
                    Some(slot) => return Ok(Connection::Http2(slot)),
                    None => continue,
                },
            };
            let opened = match self.dial(members, chosen).await {
                Ok(stream) => self.begin_http2(&members.targets[chosen.index], stream).await,
                Err(error) => Err(error),
            };
            let connection = opened.inspect_err(|_| opens.failed())?;
            let target = &members.targets[chosen.index];
            target.http2.put(connection);
            // It is new, so there is room, unless the target wants no requests.
            return target.http2.take().map(Connection::Http2).ok_or_else(|| {
                opens.failed();
                Error::Reset(io::Error::other("the target accepts no requests on a new connection"))
            });
        }
    }

    /// Begins HTTP/2 with `target`.
    async fn begin_http2(
        &self,
        target: &WorkerTarget,
        stream: TargetStream,
    ) -> Result<Rc<http2::connection::Connection>, Error> {
        let (settings, clock) = (&self.group.settings, self.connections.clock());
        let opening = http2::connection::Connection::open(stream, clock);
        let opened = tokio::time::timeout(settings.connect_timeout, opening).await;
        let opened = opened.unwrap_or(Err(Error::ConnectTimeout(Step::Http2)));
        if let Err(error) = &opened {
            target.target.refused(self.connections.now(), &settings.ejection, error);
        }
        opened
    }

    /// Opens a stream to the chosen target, or to another address of its name that accepts first.
    async fn dial(&self, members: &WorkerMembers, chosen: &mut Chosen) -> Result<TargetStream, Error> {
        let Settings { ejection, .. } = &self.group.settings;
        let now = self.connections.now();
        let rival = members.shared.list[chosen.index].rival;
        let is_ready = |rival: &usize| {
            !chosen.is_bound
                && members.shared.is_usable(*rival)
                && members.targets[*rival].target.skipped_until(now).is_none()
        };
        let rival = rival.filter(is_ready);
        let rival_id = rival.map(|rival| &members.targets[rival].target.id);
        let target = &members.targets[chosen.index].target;
        // Boxed, so that the future of a request over an idle connection does not include the size of a handshake.
        match Box::pin(connect::connect(&self.group.settings, &target.id, rival_id)).await {
            Ok(connected) => {
                if let Some(rival) = rival.filter(|_| connected.is_to_rival) {
                    target.refused(self.connections.now(), ejection, &Error::Outrun);
                    *chosen = members.choose(rival);
                }
                members.targets[chosen.index].opened(&connected.stream);
                self.metrics.connections.increment();
                Ok(connected.stream)
            }
            Err(error) => {
                if !error.is_ours() {
                    target.refused(self.connections.now(), ejection, &error);
                }
                Err(error)
            }
        }
    }

    /// Takes note of an answer, or of a failure to answer.
    fn judge(&self, members: &WorkerMembers, from: &WorkerTarget, is_fault: bool) {
        if !self.judges_answers {
            return;
        }
        let (Settings { ejection, algorithm, .. }, now) = (&self.group.settings, self.connections.now());
        if !is_fault {
            from.target.answered_well();
        } else if from.target.has_failed_too_often(ejection) && members.shared.can_spare_one(now) {
            from.target.skip_for_answers(now, ejection);
        }
        if algorithm.mitigates_anomalies() {
            Anomalies::count(&from.target, is_fault);
            self.group.anomalies.compare(&members.shared, now);
        }
    }

    /// Counts an attempt. Every attempt after the first counts as a retry.
    fn count(&self, offers: &mut usize) {
        if *offers > 0 {
            self.metrics.retries.increment();
        }
        *offers += 1;
    }

    /// The response of a target that has begun to respond.
    async fn answered(
        &self,
        from: &WorkerTarget,
        begun: Begun,
        in_flight: InFlight,
        sent: Instant,
    ) -> Result<Answered, Error> {
        let (response, switched) = begun.answer(in_flight, &self.group.settings, &self.spawner).await?;
        Ok(Answered { response, switched, target: Rc::clone(&from.name), cookies: None, sent })
    }

    /// Adds the cookies that bind the browser to the member `index`, which has answered.
    fn bind(&self, mut answered: Answered, asked: Option<&Asked>, members: &WorkerMembers, index: usize) -> Answered {
        if let (Some(sticky), Some(asked), Some(targets)) = (&self.sticky, asked, &members.sticky) {
            if let Some(counters) = &self.metrics.stickiness {
                let counter = match asked.bound_to {
                    None => &counters.unbound,
                    bound_to if bound_to == targets.tag(index) => &counters.kept,
                    Some(_) => &counters.moved,
                };
                counter.increment();
            }
            let headers: &HeaderMap = answered.response.headers();
            answered.cookies = sticky.lines(asked, (targets, index), headers, self.connections.time());
        }
        answered
    }
}

impl WorkerMembers {
    fn new(group: &TargetGroup, connections: &WorkerConnections) -> Self {
        let shared = group.members();
        let targets = shared.list.iter().map(|member| connections.to(&member.target, &group.settings)).collect();
        let sticky = group.settings.stickiness.as_ref().map(|_| StickyTargets::new(&shared));
        Self { shared, targets, sticky }
    }

    fn choose(&self, index: usize) -> Chosen {
        Chosen { index, in_flight: InFlight::begin(&self.targets[index]), is_bound: false }
    }

    /// The index of the target that the browser is bound to.
    fn bound(&self, asked: &Asked) -> Option<usize> {
        self.sticky.as_ref()?.find(asked.bound_to?)
    }
}

impl Algorithm {
    const fn mitigates_anomalies(self) -> bool {
        matches!(self, Self::WeightedRandom { anomaly_mitigation: true })
    }
}

fn unanswered(target: &WorkerTarget, error: Error) -> Box<Unanswered> {
    Box::new(Unanswered { error, target: Some(Rc::clone(&target.name)) })
}

#[cfg(test)]
mod tests;
