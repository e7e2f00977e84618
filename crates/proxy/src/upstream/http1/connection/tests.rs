use std::sync::Arc;
use std::task::Wake;

use http::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::coop;

use super::*;
use crate::clock::Clock;
use crate::message::Request;
use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::upstream::http1::testing;
use crate::upstream::pool::Pool;
use crate::upstream::settings::Settings;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A connection, and the target's end of it.
async fn pair() -> (Connection, TcpStream) {
    let (stream, target) = testing::pair().await;
    (Connection::new(stream, TIMEOUT, 100), target)
}

async fn request(method: Method, body: Body) -> RequestWriter {
    let mut request = Request::new(body);
    *request.method_mut() = method;
    testing::writer(request, &OwnFields::default()).await
}

/// The status of a response that must arrive.
async fn status(connection: &mut Connection, request: &mut RequestWriter) -> u16 {
    connection.exchange(request).await.expect("an answer").response.status().as_u16()
}

async fn read_head(target: &mut TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(target.read_u8().await.expect("a head"));
    }
}

/// Responds with 204 when `wait` has passed since the request arrived.
async fn answer_after(target: &mut TcpStream, wait: Duration) {
    read_head(target).await;
    tokio::time::sleep(wait).await;
    target.write_all(b"HTTP/1.1 204 x\r\n\r\n").await.expect("the proxy reads");
}

#[tokio::test(start_paused = true)]
async fn each_exchange_has_the_whole_timeout_for_itself() {
    let (mut connection, mut target) = pair().await;
    let begin = Instant::now();
    for wait in [10, 59, 0, 59, 30] {
        let mut request = request(Method::GET, Body::empty()).await;
        let wait = Duration::from_secs(wait);
        let (status, ()) = tokio::join!(status(&mut connection, &mut request), answer_after(&mut target, wait));
        assert_eq!(status, 204);
    }
    assert_eq!(begin.elapsed().as_secs(), 158, "longer than one timeout");
    // Stay idle until after the deadline of the timer.
    tokio::time::sleep(2 * TIMEOUT).await;
    let begin = Instant::now();
    let mut last = request(Method::GET, Body::empty()).await;
    let error = connection.exchange(&mut last).await.expect_err("nobody answers");
    assert!(matches!(error, Error::ResponseTimeout), "{error:?}");
    assert_eq!(begin.elapsed().as_secs(), 60);
    assert!(!last.is_whole(), "it was sent");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_drips_in_is_bounded_by_the_same_timeout() {
    let (mut connection, mut target) = pair().await;
    let begin = Instant::now();
    let mut request = request(Method::GET, Body::empty()).await;
    let drip = async {
        read_head(&mut target).await;
        for text in ["HTTP/1.1 100 x\r\n\r\n", "HTTP/1.1 200 OK\r\n"].into_iter().chain(std::iter::repeat("a")) {
            tokio::time::sleep(Duration::from_secs(7)).await;
            if target.write_all(text.as_bytes()).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        answered = connection.exchange(&mut request) => {
            assert!(matches!(answered, Err(Error::ResponseTimeout)), "{answered:?}");
        }
        () = drip => panic!("it waits no longer"),
    }
    assert_eq!(begin.elapsed().as_secs(), 60);
}

#[tokio::test(start_paused = true)]
async fn interim_answers_without_an_end_are_no_answer() {
    let (mut connection, mut target) = pair().await;
    let mut request = request(Method::GET, Body::empty()).await;
    let flood = async { while target.write_all(b"HTTP/1.1 103 x\r\nlink: a\r\n\r\n").await.is_ok() {} };
    tokio::select! {
        answered = connection.exchange(&mut request) => {
            assert!(matches!(answered, Err(Error::Malformed(Malformed::HeadTooLarge))), "{answered:?}");
        }
        () = flood => panic!("it reads no longer"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_upload_may_take_as_long_as_it_moves() {
    let (mut connection, mut target) = pair().await;
    let begin = Instant::now();
    // More than the sockets can buffer. The reads are slow, but each comes within the timeout.
    let size = 64 << 20;
    let mut request = request(Method::POST, Body::full(vec![b'x'; size])).await;
    let read = async {
        read_head(&mut target).await;
        let mut left = size;
        let mut buffer = vec![0; 8 << 20];
        while left > 0 {
            tokio::time::sleep(Duration::from_secs(50)).await;
            let want = left.min(buffer.len());
            target.read_exact(&mut buffer[..want]).await.expect("more");
            left -= want;
        }
        tokio::time::sleep(Duration::from_secs(59)).await;
        target.write_all(b"HTTP/1.1 204 x\r\n\r\n").await.expect("the proxy reads");
    };
    let (status, ()) = tokio::join!(status(&mut connection, &mut request), read);
    assert_eq!(status, 204);
    assert!(begin.elapsed() > 5 * TIMEOUT);
    assert!(request.is_written());
}

#[tokio::test(start_paused = true)]
async fn an_upload_that_does_not_move_is_waited_for_once() {
    let (mut connection, _target) = pair().await;
    let begin = Instant::now();
    let mut request = request(Method::POST, Body::full(vec![b'x'; 64 << 20])).await;
    let error = connection.exchange(&mut request).await.expect_err("nobody reads");
    assert!(matches!(error, Error::ResponseTimeout), "{error:?}");
    assert_eq!(begin.elapsed().as_secs(), 60);
}

#[tokio::test]
async fn only_a_quiet_connection_is_open() {
    let (connection, target) = pair().await;
    assert!(connection.is_open());
    drop(target);
    // The close may not have arrived yet, so check until it has.
    while connection.is_open() {
        tokio::task::yield_now().await;
    }
    let (connection, mut target) = pair().await;
    target.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.expect("it writes");
    while connection.is_open() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_that_the_target_closed_is_not_open_to_a_task_whose_turn_is_used_up() {
    let (stream, target) = testing::secured_pair().await;
    let connection = Connection::new(stream, TIMEOUT, 100);
    assert!(connection.is_open());
    drop(target);
    while connection.is_open() {
        tokio::task::yield_now().await;
    }
    let (stream, target) = testing::secured_pair().await;
    let connection = Connection::new(stream, TIMEOUT, 100);
    drop(target);
    // Nobody has polled `connection` since its target closed. `other` was closed later, so when its close has arrived,
    // that of `connection` has, too.
    let (other, target) = pair().await;
    drop(target);
    while other.is_open() {
        tokio::task::yield_now().await;
    }
    let is_open = poll_fn(|cx| {
        while let Poll::Ready(turn) = coop::poll_proceed(cx) {
            turn.made_progress();
        }
        Poll::Ready(connection.is_open())
    });
    assert!(!is_open.await);
}

#[tokio::test(start_paused = true)]
async fn every_idle_connection_lets_go_of_the_task_that_waited_however_many_there_are() {
    struct Task;
    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    const MANY: usize = 200;
    let mut limits = Settings::new("app".into(), Vec::new());
    (limits.idle_max, limits.idle_timeout) = (MANY + 1, TIMEOUT);
    let (pool, task, now) = (Pool::new(&limits), Arc::new(Task), Clock::system().instant());
    let mut targets = Vec::new();
    let waker = Waker::from(Arc::clone(&task));
    let mut keep = Vec::new();
    for index in 0..=MANY {
        let (mut connection, target) = pair().await;
        // The last connection has waited for a response a moment ago. The timers of the others have expired long ago.
        let wait = if index == MANY { 100 } else { 1 };
        let deadline = Instant::now() + Duration::from_secs(wait);
        assert!(connection.poll_deadline(&mut Context::from_waker(&waker), deadline).is_pending());
        keep.push(connection);
        targets.push(target);
    }
    drop(waker);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(Arc::strong_count(&task), 2, "one timer is left");
    for connection in keep {
        pool.put(connection, now);
    }
    tokio::task::yield_now().await;
    pool.prune(now);
    assert_eq!(Arc::strong_count(&task), 1, "an idle connection keeps the task");
}
