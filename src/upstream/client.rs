//! One worker's way to one target group.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;

use crate::clock::Clock;
use crate::drain::LocalExecutor;
use crate::message::body::{Body, Ending, Watch};
use crate::message::{Request, Response};
use crate::upstream::connect;
use crate::upstream::error::Error;
use crate::upstream::group::TargetGroup;
use crate::upstream::metrics::Metrics;
use crate::upstream::pool::Pool;

/// Targets that one request is offered to: more would only make the client wait.
const ATTEMPTS_MAX: usize = 3;

/// Sends requests to a group, over connections that only this worker uses.
#[derive(Debug)]
pub(crate) struct Client {
    group: Arc<TargetGroup>,
    pools: Vec<Rc<Pool>>,
    /// The targets' names, counted by this worker only.
    names: Vec<Rc<str>>,
    turn: Cell<usize>,
    clock: Clock,
    metrics: Metrics,
}

/// A target's answer.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) response: Response,
    /// `host:port` of who answered.
    pub(crate) target: Rc<str>,
}

/// No answer, and who failed last.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) error: Error,
    pub(crate) target: Option<Rc<str>>,
}

impl Client {
    /// A worker's client of `group`. `worker` spreads the first turns, so that workers do not march in step.
    pub(crate) fn new(group: Arc<TargetGroup>, worker: usize, clock: Clock, metrics: Metrics) -> Self {
        let pools: Vec<_> = group.targets.iter().map(|_| Rc::new(Pool::default())).collect();
        start_pruning(&pools, &group, &clock);
        let names = group.targets.iter().map(|target| Rc::from(&*target.name)).collect();
        Self { group, pools, names, turn: Cell::new(worker), clock, metrics }
    }

    /// The group's name.
    pub(crate) fn name(&self) -> &Arc<str> {
        &self.group.settings.name
    }

    /// The longest wait for an answer, and between two pieces of it.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.group.settings.response_timeout
    }

    /// Offers `request` to targets in turn until one answers; again only when nothing of it was sent (then we have it back),
    /// or when it is idempotent, has no body, and the connection closed under it; never to more than three targets.
    pub(crate) async fn send(&self, request: Request) -> Result<Answered, Unanswered> {
        let mut request = Some(request);
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        let mut last = Unanswered { error: Error::NoTargets, target: None };
        for target in self.group.order::<ATTEMPTS_MAX>(turn, self.clock.instant()) {
            let name = Rc::clone(&self.names[target]);
            match self.offer(target, &mut request).await {
                Ok(response) => return Ok(Answered { response, target: name }),
                Err(error) if request.is_some() => {
                    self.metrics.retries.increment();
                    last = Unanswered { error, target: Some(name) };
                }
                Err(error) => {
                    self.metrics.errors.increment();
                    return Err(Unanswered { error, target: Some(name) });
                }
            }
        }
        self.metrics.errors.increment();
        Err(last)
    }

    /// Sends to one target, over an idle connection where there is one. Where it fails and another target may be asked, the
    /// request is left in its place.
    async fn offer(&self, target: usize, request: &mut Option<Request>) -> Result<Response, Error> {
        let mut was_sent = false;
        while let Some(sender) = self.pools[target].take(self.clock.instant(), self.group.settings.idle_timeout) {
            let spare = request.as_ref().and_then(Spare::of);
            match self.exchange(target, sender, request).await {
                Ok(response) => return Ok(response),
                // The target closed the connection before it had the request.
                Err(_) if request.is_some() => {}
                Err(Error::Reset(error)) => {
                    let Some(spare) = spare else { return Err(Error::Reset(error)) };
                    *request = Some(spare.into_request());
                    was_sent = true;
                    self.metrics.retries.increment();
                    // Over a new connection, so that a request which kills its connection does not kill every idle one.
                    break;
                }
                Err(other) => return Err(other),
            }
            self.metrics.retries.increment();
        }
        // Boxed: a request over an idle connection does not carry the room of a handshake along.
        let connecting = connect::connect(&self.group.settings, &self.group.targets[target].settings);
        let sender = match Box::pin(connecting).await {
            Ok(sender) => sender,
            Err(error) => {
                if !error.is_ours() {
                    self.group.skip(target, self.clock.instant());
                }
                return Err(error);
            }
        };
        self.metrics.connections.increment();
        let spare = if was_sent { None } else { request.as_ref().and_then(Spare::of) };
        match self.exchange(target, sender, request).await {
            // It accepts and closes at once, as a program does that is starting or stopping. Another target may be asked:
            // by the request itself, which has not been sent, or by a copy of it.
            Err(error @ Error::Reset(_)) => {
                self.group.skip(target, self.clock.instant());
                if request.is_none() {
                    *request = spare.map(Spare::into_request);
                }
                Err(error)
            }
            other => {
                self.group.accepted(target);
                other
            }
        }
    }

    /// One request and the head of its answer over one connection. Takes the request; puts it back where nothing was sent.
    async fn exchange(
        &self,
        target: usize,
        mut sender: SendRequest<Body>,
        request: &mut Option<Request>,
    ) -> Result<Response, Error> {
        let timeout = self.group.settings.response_timeout;
        let upload = request.as_mut().and_then(watch_upload);
        let Some(sent) = request.take() else { return Err(Error::NoTargets) };
        let response = match answer_within(timeout, upload, sender.try_send_request(sent)).await {
            Some(Ok(response)) => response,
            Some(Err(mut failed)) => {
                *request = failed.take_message();
                return Err(Error::of(failed.into_error()));
            }
            None => return Err(Error::ResponseTimeout),
        };
        let lease = Lease {
            pool: Rc::clone(&self.pools[target]),
            sender: Some(sender),
            idle_max: self.group.settings.idle_max,
            clock: self.clock.clone(),
        };
        Ok(response.map(|body| {
            let mut body = Body::incoming(body);
            body.limit_idle(timeout);
            body.watch(Box::new(lease));
            body
        }))
    }
}

/// What a request without a body is made of, to send it again. Nearly never needed, so it is kept in the cheapest form.
struct Spare {
    method: Method,
    uri: Uri,
    /// `name`, `:`, `value`, line feed, for each field: a name has no colon and a value no line feed.
    fields: Vec<u8>,
}

impl Spare {
    /// A copy, where sending again is safe (RFC 9110 §9.2.2) and there is no body.
    fn of(request: &Request) -> Option<Self> {
        let method = request.method();
        let is_idempotent =
            matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE);
        if !is_idempotent || !request.body().is_empty() {
            return None;
        }
        let mut fields = Vec::with_capacity(2048);
        for (name, value) in request.headers() {
            fields.extend_from_slice(name.as_ref());
            fields.push(b':');
            fields.extend_from_slice(value.as_bytes());
            fields.push(b'\n');
        }
        Some(Self { method: method.clone(), uri: request.uri().clone(), fields })
    }

    /// The request again.
    fn into_request(self) -> Request {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        for field in self.fields.split(|byte| *byte == b'\n').filter(|field| !field.is_empty()) {
            let colon = memchr::memchr(b':', field).expect("written with one");
            let name = HeaderName::from_bytes(&field[..colon]).expect("it was one");
            request.headers_mut().append(name, HeaderValue::from_bytes(&field[colon + 1..]).expect("it was one"));
        }
        request
    }
}

/// How far a request's body is.
#[derive(Debug, Default)]
struct Upload {
    bytes: Cell<u64>,
    is_over: Cell<bool>,
}

struct WatchUpload(Rc<Upload>);

impl Watch for WatchUpload {
    fn data(&mut self, bytes: usize) {
        self.0.bytes.set(self.0.bytes.get() + bytes as u64);
    }

    fn ended(&mut self, _: Ending) {
        self.0.is_over.set(true);
    }
}

fn watch_upload(request: &mut Request) -> Option<Rc<Upload>> {
    if request.body().is_empty() {
        return None;
    }
    let upload = Rc::new(Upload::default());
    request.body_mut().watch(Box::new(WatchUpload(Rc::clone(&upload))));
    Some(upload)
}

/// Waits for the answer's head. The deadline counts from the end of the request: an upload may take as long as it moves.
async fn answer_within<E>(
    timeout: Duration,
    upload: Option<Rc<Upload>>,
    answer: impl Future<Output = Result<http::Response<Incoming>, E>>,
) -> Option<Result<http::Response<Incoming>, E>> {
    let mut answer = pin!(answer);
    let mut seen = (0, false);
    loop {
        if let Ok(answered) = tokio::time::timeout(timeout, answer.as_mut()).await {
            return Some(answered);
        }
        let now = upload.as_ref().map(|upload| (upload.bytes.get(), upload.is_over.get()))?;
        if now == seen {
            return None;
        }
        seen = now;
    }
}

/// Gives a connection back when its answer has been read to the end. One that was cut short is closed.
struct Lease {
    pool: Rc<Pool>,
    sender: Option<SendRequest<Body>>,
    idle_max: usize,
    clock: Clock,
}

impl Watch for Lease {
    fn data(&mut self, _: usize) {}

    fn ended(&mut self, ending: Ending) {
        if let (Ending::Complete, Some(sender)) = (ending, self.sender.take()) {
            self.pool.put(sender, self.clock.instant(), self.idle_max);
        }
    }
}

/// Closes idle connections also when no request comes by. Ends with the client.
fn start_pruning(pools: &[Rc<Pool>], group: &TargetGroup, clock: &Clock) {
    let pools: Vec<_> = pools.iter().map(Rc::downgrade).collect();
    let idle_timeout = group.settings.idle_timeout;
    let clock = clock.clone();
    hyper::rt::Executor::execute(&LocalExecutor, async move {
        loop {
            tokio::time::sleep(idle_timeout).await;
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
