use std::pin::pin;

use http::uri::PathAndQuery;
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::*;
use crate::clock::Clock;
use crate::drain;
use crate::message;
use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::telemetry::metrics::Registry;
use crate::upstream::settings::{Settings, TargetSettings};
use crate::upstream::target_table::TargetTable;

/// A process with one group and one target, which the test plays.
struct Played {
    table: TargetTable,
    listener: TcpListener,
}

impl Played {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self { table: TargetTable::new(Clock::system().instant()), listener }
    }

    fn settings(&self) -> Settings {
        let address = self.listener.local_addr().expect("bound");
        let target = TargetSettings { host: address.ip().to_string(), port: address.port() };
        Settings::new("app".into(), vec![target])
    }

    fn client(&self, settings: Settings, connections: &Rc<WorkerConnections>) -> GroupClient {
        let group = Arc::new(TargetGroup::new(settings, &self.table));
        let metrics = Metrics::new(&Registry::default(), "app");
        GroupClient::new(group, connections, 0, metrics, drain::channel().1.spawner())
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

fn connections() -> Rc<WorkerConnections> {
    WorkerConnections::new(Clock::system())
}

async fn get(client: &GroupClient) -> Result<Answered, Box<Unanswered>> {
    let mut from_client = message::Request::new(Body::empty());
    let upgrade = Some(hyper::upgrade::on(&mut from_client));
    let (target, fields) = (PathAndQuery::from_static("/"), OwnFields::default());
    client.send(Request { from_client: &mut from_client, target: &target, fields: &fields, upgrade }).await
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
    LocalSet::new().run_until(test).await;
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
    LocalSet::new().run_until(test).await;
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
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn fewer_idle_connections_are_kept_once_a_configuration_says_so() {
    let test = async {
        let (played, connections) = (Played::start().await, connections());
        let first = played.client(played.settings(), &connections);
        let pool = Rc::clone(&first.targets[0]);
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
    LocalSet::new().run_until(test).await;
}

#[tokio::test]
async fn a_target_counts_the_requests_of_all_workers_until_their_bodies_end() {
    let test = async {
        let (played, workers) = (Played::start().await, [connections(), connections()]);
        let clients = workers.each_ref().map(|worker| played.client(played.settings(), worker));
        let target = Arc::clone(&clients[0].targets[0].target);
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
    LocalSet::new().run_until(test).await;
}
