//! No order of gates and of what they do lets a request reach the terminal that one of them did not let pass.

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode, Uri, header};

use super::*;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::authorize::Owner;
use crate::action::bearer::worker_state::BearerState;
use crate::action::settings::{AuthorizeSettings, FixedResponseSettings};
use crate::clock::{Clock, Timestamp};
use crate::drain;
use crate::exchange::connection::Connection;
use crate::exchange::rejection::Reason;
use crate::message::body::Body;
use crate::message::uri::Scheme;
use crate::static_files::worker_files::WorkerFiles;
use crate::telemetry::line_budget::LineBudget;
use crate::telemetry::metrics::Registry;

/// A gate that does what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripted {
    /// Passes on what the gates before it know.
    Pass,
    /// Says that the rule lets everybody pass without a user.
    Anonymous,
    /// Identifies a user with these claims by evidence of another kind than a session.
    Identify(&'static str),
    Answer,
    Refuse,
}

impl Scripted {
    const ALL: [Self; 5] = [Self::Pass, Self::Anonymous, Self::Identify("{}"), Self::Answer, Self::Refuse];

    pub(super) fn admit(self, passage: Passage) -> Result<Admitted, Rejection> {
        match self {
            Self::Pass => Ok(Admitted::On(passage)),
            Self::Anonymous => Ok(Admitted::On(Passage::Anonymous(authenticate::Anonymous::in_a_test()))),
            Self::Identify(claims) => Ok(Admitted::On(Passage::Identified(visitor::tests::visitor(claims).0))),
            Self::Answer => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::FOUND;
                Ok(Admitted::Answered(Box::new(response)))
            }
            Self::Refuse => Err(Reason::AuthNotAllowed.into()),
        }
    }
}

fn worker() -> Worker {
    let (_, draining) = drain::channel();
    Worker {
        authenticate: WorkerState::new(&Registry::default()),
        bearer: BearerState::new(&Registry::default()),
        groups: Vec::new(),
        extras: Vec::new(),
        disks: Vec::new(),
        places: WorkerFiles::new(1).places,
        reported: Rc::new(LineBudget::default()),
        clock: Clock::manual(Timestamp::from_seconds(1_795_507_200)).0,
        spawner: draining.spawner(),
    }
}

/// What a chain answers to the page of a browser, and the actions that ran.
async fn run(worker: &Worker, gates: Box<[Gate]>) -> (Result<StatusCode, Rejection>, Vec<&'static str>) {
    let chain = ActionChain {
        gates,
        terminal: Terminal::FixedResponse(FixedResponse::new(FixedResponseSettings {
            status: StatusCode::OK,
            content_type: HeaderValue::from_static("text/plain"),
            body: "the target".into(),
        })),
        demand: Demand::default(),
    };
    let peer = "192.0.2.66:4711".parse().expect("an address");
    let connection = Rc::new(Connection::new(peer, "public".into(), Arc::default(), None));
    let mut exchange = Exchange::begin(connection, worker.clock.instant(), worker.clock.now());
    let mut request = Request::new(Body::empty());
    request.headers_mut().insert(header::HOST, HeaderValue::from_static("app.test"));
    request.headers_mut().insert(header::ACCEPT, HeaderValue::from_static("text/html"));
    let uri = Uri::from_static("/page");
    let canonical = CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, request.headers()).expect("plain");
    let answered = chain.run(worker, &mut exchange, &canonical, &mut request).await;
    (answered.map(|response| response.status()), exchange.actions)
}

/// What an `authorize` action with these settings answers to a user of another kind of evidence than a session.
pub(in crate::action) async fn authorized(
    claims: &'static str,
    settings: AuthorizeSettings,
) -> Result<StatusCode, Rejection> {
    let authorize = Authorize::new(settings, &Owner { listener: "public", rule: "app" }, &Registry::default());
    let gates = [Gate::Scripted(Scripted::Identify(claims)), Gate::Authorize(Arc::new(authorize))];
    run(&worker(), Box::new(gates)).await.0
}

/// Every list of at most four gates.
fn lists() -> Vec<Vec<Scripted>> {
    let mut lists = vec![Vec::new()];
    let mut last = lists.clone();
    for _ in 0..4 {
        last = last
            .iter()
            .flat_map(|list: &Vec<Scripted>| {
                Scripted::ALL.map(|gate| list.iter().copied().chain([gate]).collect::<Vec<_>>())
            })
            .collect();
        lists.extend(last.iter().cloned());
    }
    lists
}

#[tokio::test]
async fn the_first_gate_that_does_not_let_pass_decides_in_every_order() {
    let worker = worker();
    let lists = lists();
    assert_eq!(lists.len(), 1 + 5 + 25 + 125 + 625);
    for gates in lists {
        let ends = gates.iter().find(|gate| matches!(gate, Scripted::Answer | Scripted::Refuse));
        let expected = match ends {
            None => Ok(StatusCode::OK),
            Some(Scripted::Answer) => Ok(StatusCode::FOUND),
            Some(_) => Err(Reason::AuthNotAllowed),
        };
        let (answered, actions) = run(&worker, gates.iter().copied().map(Gate::Scripted).collect()).await;
        assert_eq!(answered.map_err(|rejection| rejection.reason), expected, "{gates:?}");
        assert_eq!(actions.contains(&"fixed-response"), ends.is_none(), "{gates:?}");
    }
}
