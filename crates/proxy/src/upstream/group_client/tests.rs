mod unhealthy;

use std::pin::pin;

use http::header;
use http::uri::PathAndQuery;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::*;
use crate::clock::Clock;
use crate::crypto::aead::Key;
use crate::crypto::sealed::Sealer;
use crate::drain::{self, Draining};
use crate::message;
use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::message::uri::Scheme;
use crate::secret::Secret;
use crate::telemetry::metrics::Registry;
use crate::upstream::health::checker::Checker;
use crate::upstream::name::Resolver;
use crate::upstream::place::Place;
use crate::upstream::settings::{Settings, TargetSettings};
use crate::upstream::stickiness;
use crate::upstream::target_table::TargetTable;

mod attempts;
mod http2;
mod http2_limits;
mod retries;

/// A process with one group and one target, which the test plays.
struct Played {
    table: Arc<TargetTable>,
    listener: TcpListener,
    draining: Draining,
}

impl Played {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let resolver = Resolver::played(|name| panic!("{name} is looked up"));
        let draining = drain::channel().1;
        let table = Arc::new(TargetTable::new(Clock::system(), resolver, Checker::unused()));
        Self { table, listener, draining }
    }

    fn settings(&self) -> Settings {
        let address = self.listener.local_addr().expect("bound");
        Settings::new("app".into(), vec![at(Place::Address { address, name: None })])
    }

    fn client(&self, settings: Settings, connections: &Rc<WorkerConnections>) -> GroupClient {
        let metrics = Metrics::new(&Registry::default(), &settings);
        let group = TargetGroup::new(settings, &self.table);
        GroupClient::new(group, connections, 0, metrics, self.draining.spawner())
    }

    /// Sends a request while the target answers it over its next connection, which is returned.
    async fn first(&self, client: &GroupClient, answer: &str) -> (Answered, TcpStream) {
        let serving = async {
            let (mut stream, _) = self.listener.accept().await.expect("a connection");
            serve(&mut stream, answer).await;
            stream
        };
        let (answered, stream) = tokio::join!(get(client), serving);
        (answered.expect("an answer"), stream)
    }
}

fn at(place: Place) -> TargetSettings {
    TargetSettings { place, weight: 1 }
}

impl GroupClient {
    /// This worker's part of a target.
    fn target(&self, index: usize) -> Rc<WorkerTarget> {
        Rc::clone(&self.members().targets[index])
    }
}

fn connections() -> Rc<WorkerConnections> {
    WorkerConnections::new(Clock::system(), Registry::default())
}

async fn get(client: &GroupClient) -> Result<Answered, Box<Unanswered>> {
    get_with(client, &HeaderMap::new()).await
}

async fn get_with(client: &GroupClient, headers: &HeaderMap) -> Result<Answered, Box<Unanswered>> {
    let mut from_client = message::Request::new(Body::empty());
    from_client.headers_mut().clone_from(headers);
    let upgrade = Some(message::upgrade::Upgrade::Connection(hyper::upgrade::on(&mut from_client)));
    let (target, fields) = (PathAndQuery::from_static("/"), OwnFields::default());
    client
        .send(Request {
            from_client: &mut from_client,
            scheme: Scheme::Https,
            target: &target,
            fields: &fields,
            upgrade,
            accepts_trailers: false,
            attempts: None,
        })
        .await
}

/// Reads a request and answers it.
async fn serve(stream: &mut TcpStream, answer: &str) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        assert_ne!(stream.read_buf(&mut request).await.expect("a request"), 0, "closed before a request");
    }
    stream.write_all(answer.as_bytes()).await.expect("it is read");
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_connection_outlives_the_configuration_it_was_made_for() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let first = played.client(played.settings(), &connections);
        let (_, mut stream) = played.first(&first, OK).await;
        let second = played.client(played.settings(), &connections);
        drop(first);
        let (answered, ()) = tokio::join!(get(&second), serve(&mut stream, OK));
        answered.expect("an answer over the connection that was there");
        // Without a configuration that has the target, its idle connection is closed.
        drop(second);
        tokio::time::pause();
        assert_eq!(stream.read(&mut [0]).await.expect("an end"), 0);
        assert!(connections.targets().is_empty());
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn a_target_that_is_used_keeps_its_connection_when_the_others_are_swept() {
    let test = async {
        let (played, gone, connections) = (Played::start().await, Played::start().await, connections());
        let kept = played.client(played.settings(), &connections);
        let (_, mut stream) = played.first(&kept, OK).await;
        let other = gone.client(gone.settings(), &connections);
        let (_, mut closed) = gone.first(&other, OK).await;
        drop(other);
        tokio::time::pause();
        assert_eq!(closed.read(&mut [0]).await.expect("an end"), 0);
        tokio::time::resume();
        let (answered, ()) = tokio::join!(get(&kept), serve(&mut stream, OK));
        answered.expect("an answer over the connection that was there");
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn a_connection_takes_over_the_limits_of_a_new_configuration() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let first = played.client(played.settings(), &connections);
        let (_, mut stream) = played.first(&first, OK).await;
        let mut shorter = played.settings();
        shorter.response_timeout = Duration::from_secs(1);
        shorter.response_headers_max = 1;
        let second = played.client(shorter, &connections);
        let two_fields = "HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 0\r\n\r\n";
        let (refused, ()) = tokio::join!(get(&second), serve(&mut stream, two_fields));
        assert!(matches!(refused.expect_err("too many fields").error, Error::Malformed(_)));

        let (_, _stream) = played.first(&first, OK).await;
        tokio::time::pause();
        let start = Instant::now();
        let late = get(&second).await.expect_err("no answer");
        assert!(matches!(late.error, Error::ResponseTimeout), "{late:?}");
        assert_eq!(start.elapsed().as_secs(), 1);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn fewer_idle_connections_are_kept_once_a_configuration_says_so() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let first = played.client(played.settings(), &connections);
        let pool = first.target(0);
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let (one, mut older) = played.first(&first, chunked).await;
        let (two, mut newer) = played.first(&first, chunked).await;
        for (answered, stream) in [(one, &mut older), (two, &mut newer)] {
            let (body, written) = tokio::join!(answered.response.into_body().collect(), stream.write_all(b"0\r\n\r\n"));
            body.expect("a body");
            written.expect("it is read");
        }
        assert_eq!(pool.pool.len(), 2);
        let mut settings = played.settings();
        settings.idle_max = 1;
        let second = played.client(settings, &connections);
        assert_eq!(pool.pool.len(), 1);
        assert_eq!(older.read(&mut [0]).await.expect("an end"), 0, "the one that was used last is kept");
        drop(second);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn a_target_counts_the_requests_of_all_workers_until_their_bodies_end() {
    let test = async {
        let (played, workers) = (Played::start().await, [connections(), connections()]);
        let clients = workers.each_ref().map(|worker| played.client(played.settings(), worker));
        let target = Arc::clone(&clients[0].target(0).target);
        assert_eq!(target.in_flight(), 0);
        let mut pending = pin!(get(&clients[0]));
        tokio::select! {
            biased;
            _ = &mut pending => unreachable!("the target does not answer yet"),
            accepted = played.listener.accept() => drop(accepted.expect("a connection").0.set_nodelay(true)),
        }
        // Its connection was closed at once, and that of the second attempt is answered.
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let (two, _stream) = played.first(&clients[1], chunked).await;
        assert_eq!(target.in_flight(), 2);
        let failed = pending.await.expect_err("closed");
        assert!(matches!(failed.error, Error::Reset(_)), "{failed:?}");
        assert_eq!(target.in_flight(), 1, "the body of the other has not ended");
        drop(two);
        assert_eq!(target.in_flight(), 0);

        let (small, _stream) = played.first(&clients[0], OK).await;
        assert_eq!(target.in_flight(), 0, "all of it has arrived");
        drop(small);
        let upgrade = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let (switched, _stream) = played.first(&clients[1], upgrade).await;
        assert_eq!(target.in_flight(), 1, "a WebSocket is open");
        drop(switched);
        assert_eq!(target.in_flight(), 0);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

/// A place where nobody listens.
fn nowhere() -> TargetSettings {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    at(Place::Address { address: listener.local_addr().expect("bound"), name: None })
}

#[tokio::test]
async fn at_most_three_targets_are_tried_and_only_as_often_as_the_budget_allows() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let mut settings = Settings::new("app".into(), (0..5).map(|_| nowhere()).collect());
        (settings.retries.percent, settings.retries.per_second_min) = (0, 3);
        let client = played.client(settings, &connections);
        for (retries, refused) in [(2, 0), (3, 1)] {
            let error = get(&client).await.expect_err("nobody listens").error;
            assert!(matches!(error, Error::Connect(_)), "{error:?}");
            assert_eq!((client.metrics.retries.value(), client.metrics.retries_refused.value()), (retries, refused));
        }
        assert_eq!(client.group.members().list.iter().map(|member| member.target.in_flight()).sum::<usize>(), 0);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn idle_connections_that_were_closed_cost_no_retry_of_the_budget() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let mut settings = played.settings();
        (settings.retries.percent, settings.retries.per_second_min) = (0, 0);
        let client = played.client(settings, &connections);
        let (_, stream) = played.first(&client, OK).await;
        drop(stream);
        while client.target(0).pool.has_open(connections.now()) {
            tokio::task::yield_now().await;
        }
        assert_eq!(client.target(0).pool.len(), 1);
        played.first(&client, OK).await;
        assert_eq!(client.metrics.retries_refused.value(), 0);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn a_target_that_answers_with_errors_is_skipped_if_the_others_can_do_without_it() {
    let test = async {
        let (played, other, connections) = (Played::start().await, Played::start().await, connections());
        let mut settings = played.settings();
        settings.targets.extend(other.settings().targets);
        settings.ejection.after_server_errors = Some(2);
        let client = played.client(settings, &connections);
        let failing = "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n";
        let is_skipped = |index: usize| client.target(index).target.skipped_until(connections.now()).is_some();
        let (_, mut one) = played.first(&client, failing).await;
        let (_, mut two) = other.first(&client, failing).await;
        assert!(!is_skipped(0) && !is_skipped(1));
        tokio::join!(get(&client), serve(&mut one, failing)).0.expect("an answer");
        assert!(is_skipped(0));
        // Round robin: it is the turn of the second, and then of the first, which is skipped.
        for answer in [failing, failing, failing] {
            tokio::join!(get(&client), serve(&mut two, answer)).0.expect("an answer");
        }
        assert!(!is_skipped(1), "not more than half of the targets");
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn the_address_of_a_name_that_accepts_first_gets_the_request_and_keeps_the_connection() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let port = played.listener.local_addr().expect("bound").port();
        let ips = ["127.0.0.1", "::1"].map(|ip| ip.parse().expect("an address"));
        let resolver = Resolver::played(move |_| Ok(ips.into()));
        let played =
            Played { table: Arc::new(TargetTable::new(Clock::system(), resolver, Checker::unused())), ..played };
        let mut settings = Settings::new("app".into(), vec![at(Place::new("app.test", port))]);
        settings.retries.percent = 0;
        let client = played.client(settings, &connections);
        while client.members().targets.len() != 2 {
            tokio::task::yield_now().await;
        }
        // Nobody listens at ::1, which is the second.
        client.balancer.next_turn();
        let (answered, mut stream) = played.first(&client, OK).await;
        assert_eq!(*answered.target, *format!("127.0.0.1:{port}"));
        assert!(client.target(1).target.skipped_until(connections.now()).is_some());
        assert_eq!(client.metrics.retries.value(), 0);
        assert_eq!([0, 1].map(|index| client.target(index).pool.len()), [1, 0]);
        assert_eq!([0, 1].map(|index| client.target(index).target.in_flight()), [0, 0]);
        tokio::join!(get(&client), serve(&mut stream, OK)).0.expect("an answer over the same connection");
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

/// The cookie of a browser that is bound to a member.
fn bound_to(client: &GroupClient, index: usize) -> HeaderMap {
    let (sticky, members) = (client.sticky.as_ref().expect("sticky"), client.members());
    let targets = members.sticky.as_ref().expect("sticky");
    let (none, now) = (HeaderMap::new(), client.connections.time());
    let asked = sticky.read(&none, Scheme::Https, now);
    let lines = sticky.lines(&asked, (targets, index), &none, now).expect("a cookie");
    let pair = lines[0].to_str().expect("ASCII").split(';').next().expect("a pair").parse().expect("a value");
    [(header::COOKIE, pair)].into_iter().collect()
}

#[tokio::test]
async fn no_other_address_of_a_name_gets_the_request_of_a_bound_browser_while_its_own_may() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let port = played.listener.local_addr().expect("bound").port();
        let ips = ["127.0.0.1", "::1"].map(|ip| ip.parse().expect("an address"));
        let resolver = Resolver::played(move |_| Ok(ips.into()));
        let played =
            Played { table: Arc::new(TargetTable::new(Clock::system(), resolver, Checker::unused())), ..played };
        let settings = Settings::new("app".into(), vec![at(Place::new("app.test", port))]);
        let client = played.client(Settings { stickiness: Some(lb_cookie()), ..settings }, &connections);
        while client.members().targets.len() != 2 {
            tokio::task::yield_now().await;
        }
        // Nobody listens at ::1. The two addresses are not raced, so this is an attempt of its own.
        let cookie = bound_to(&client, 1);
        let serving = async {
            let (mut stream, _) = played.listener.accept().await.expect("a connection");
            serve(&mut stream, OK).await;
            stream
        };
        let (answered, mut stream) = tokio::join!(get_with(&client, &cookie), serving);
        let answered = answered.expect("an answer");
        assert_eq!((&*answered.target, client.metrics.retries.value()), (&*format!("127.0.0.1:{port}"), 1));
        assert!(answered.cookies.is_some(), "the browser stays at the other");
        drop(answered);
        // The other way round, the target that it is bound to answers, although it is not its turn.
        client.balancer.next_turn();
        let cookie = bound_to(&client, 0);
        let (answered, ()) = tokio::join!(get_with(&client, &cookie), serve(&mut stream, OK));
        assert_eq!(*answered.expect("an answer").target, *format!("127.0.0.1:{port}"));
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

fn lb_cookie() -> stickiness::settings::Settings {
    stickiness::settings::Settings {
        kind: stickiness::settings::Kind::LbCookie,
        duration: Duration::from_secs(3600),
        format: stickiness::settings::Format::Vestibule,
        sealer: Sealer::new(Arc::from([Key::new(&Secret::new([1; 32]))])),
    }
}

#[tokio::test]
async fn a_target_can_listen_at_a_unix_socket() {
    let test = async {
        let path = std::env::temp_dir().join(format!("vestibule-{}.sock", crate::crypto::octets::token()));
        let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        let (played, connections) = (Played::start().await, connections());
        let settings = Settings::new("app".into(), vec![at(Place::Unix(path.as_path().into()))]);
        let client = played.client(Settings { stickiness: Some(lb_cookie()), ..settings }, &connections);
        let serving = async {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            for _ in 0..2 {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") {
                    assert_ne!(stream.read_buf(&mut request).await.expect("a request"), 0);
                }
                stream.write_all(OK.as_bytes()).await.expect("it is read");
            }
            stream
        };
        let asking = async {
            for _ in 0..2 {
                let answered = get(&client).await.expect("an answer");
                assert_eq!(*answered.target, *format!("unix:{}", path.display()));
                assert!(answered.cookies.is_some(), "it has a tag");
            }
        };
        let ((), stream) = tokio::join!(asking, serving);
        // An idle connection that the target closed is not used.
        drop((stream, listener));
        std::fs::remove_file(&path).expect("it is there");
        let error = get(&client).await.expect_err("nobody listens").error;
        assert!(matches!(error, Error::Connect(_)), "{error:?}");
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

/// A request over a group whose targets have left, with no time for what is under way.
fn leave(client: &GroupClient, played: &Played) {
    let members = client.members();
    let targets = members.targets.iter().map(|target| &target.target);
    played.table.deregister(targets, Duration::ZERO);
    tokio::time::pause();
}

#[tokio::test]
async fn what_is_under_way_is_cut_when_the_time_of_its_target_is_over() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let client = played.client(played.settings(), &connections);
        let until_close = "HTTP/1.1 200 OK\r\n\r\nfirst";
        let (streaming, _stream) = played.first(&client, until_close).await;
        let mut waiting = pin!(get(&client));
        let accepted = tokio::select! {
            biased;
            _ = &mut waiting => unreachable!("the target does not answer"),
            accepted = played.listener.accept() => accepted.expect("a connection").0,
        };
        leave(&client, &played);
        let error = waiting.await.expect_err("cut").error;
        assert!(matches!(error, Error::Deregistered(_)), "{error:?}");
        let error = streaming.response.into_body().collect().await.expect_err("cut");
        assert!(error.is::<crate::upstream::error::Deregistered>(), "{error:?}");
        drop(accepted);
        assert_eq!(client.target(0).target.in_flight(), 0);
        assert!(client.target(0).target.skipped_until(connections.now()).is_none(), "the target did nothing wrong");
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}

#[tokio::test]
async fn a_websocket_is_told_when_the_time_of_its_target_is_over() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let client = played.client(played.settings(), &connections);
        let upgrade = "HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
        let (switched, mut stream) = played.first(&client, upgrade).await;
        let in_flight = InFlight::begin(&client.target(0));
        leave(&client, &played);
        in_flight.cut().await;
        tokio::time::resume();
        // The tunnel closes the connection itself.
        stream.write_all(b"frame").await.expect("it is open");
        drop(switched);
        assert_eq!(stream.read(&mut [0]).await.unwrap_or(0), 0);
    };
    Box::pin(LocalSet::new().run_until(test)).await;
}
