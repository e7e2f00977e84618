use std::future::poll_fn;
use std::time::Duration;

use h2::{client, server};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

use super::*;
use crate::budget::Budget;
use crate::listener::http2::windows::{CONNECTION_BYTES, STREAM_BYTES};

/// Asks for a WebSocket, sends `pieces` in a DATA frame each as far as windows are open, and ends the stream.
async fn ask(io: DuplexStream, pieces: Vec<Bytes>) {
    let (mut sender, connection) = client::handshake(io).await.expect("a server");
    let sending = async {
        let request = http::Request::builder().method("CONNECT").uri("https://app.test/socket");
        let request = request.extension(Protocol::from_static("websocket")).body(()).expect("a request");
        let (answer, mut stream) = sender.send_request(request, false).expect("sent");
        let _answer = answer.await.expect("an answer");
        for piece in pieces {
            while stream.capacity() < piece.len() {
                stream.reserve_capacity(piece.len());
                poll_fn(|cx| stream.poll_capacity(cx)).await.expect("an open stream").expect("a window");
            }
            stream.send_data(piece, false).expect("an open stream");
        }
        stream.send_data(Bytes::new(), true).expect("an open stream");
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = sending => {}
        ended = connection => panic!("the connection has ended: {ended:?}"),
    }
}

/// A connection with one WebSocket, which is open.
struct Served {
    connection: server::Connection<DuplexStream, Bytes>,
    websocket: WebSocket,
    window: Rc<Window>,
    _answer: h2::SendStream<Bytes>,
}

impl Served {
    async fn accept(io: DuplexStream) -> (Self, ClientStream) {
        let mut builder = server::Builder::new();
        builder.initial_window_size(STREAM_BYTES).initial_connection_window_size(CONNECTION_BYTES);
        let handshake = builder.enable_connect_protocol().handshake::<_, Bytes>(io);
        let mut connection = handshake.await.expect("a client");
        let (request, mut respond) = connection.accept().await.expect("a request").expect("a request");
        let (parts, body) = request.into_parts();
        assert!(is_asked_for(&parts));
        let answer = respond.send_response(http::Response::new(()), false).expect("sent");
        let activity = Arc::<Activity>::default();
        let window = Window::new(Budget::new(STREAM_BYTES as usize).for_connection(None));
        let (upload, _) = Upload::new(body, None, false, Arc::clone(&activity));
        let (websocket, stream) = pair(upload, &window, &activity);
        (Self { connection, websocket, window, _answer: answer }, stream)
    }

    /// Moves the connection and takes what has come, until `is_enough`.
    async fn receive_until(&mut self, is_enough: impl Fn(&Received) -> bool) {
        poll_fn(|cx| {
            if let Poll::Ready(ended) = self.connection.poll_closed(cx) {
                panic!("the connection has ended: {ended:?}");
            }
            self.websocket.receive(cx);
            if is_enough(&self.websocket.shared.received.borrow()) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Runs `test` against a client that sends `pieces`.
async fn with<T>(pieces: Vec<Bytes>, test: impl AsyncFnOnce(Served, ClientStream) -> T) -> T {
    // A short pipe: only so much can wait between two calls of `receive`.
    let (near, far) = tokio::io::duplex(1024);
    let serving = async {
        let (served, stream) = Served::accept(far).await;
        test(served, stream).await
    };
    let both = async {
        tokio::select! {
            done = serving => done,
            () = ask(near, pieces) => unreachable!("the client stays"),
        }
    };
    // The clock is paused: it moves when both only wait for each other.
    tokio::time::timeout(Duration::from_secs(60), both).await.expect("it goes on")
}

#[tokio::test(start_paused = true)]
async fn small_frames_that_nobody_reads_end_nothing() {
    const FRAMES: usize = 5000;
    let read = with(vec![Bytes::from_static(b"small;"); FRAMES], async |mut served, mut stream| {
        served.receive_until(|received| received.end.is_some()).await;
        let mut read = String::new();
        stream.read_to_string(&mut read).await.expect("the end of the stream");
        read
    })
    .await;
    assert_eq!(read, "small;".repeat(FRAMES));
}

#[tokio::test(start_paused = true)]
async fn what_is_unread_is_bounded_by_the_window_and_widens_it() {
    const PIECE: usize = 1000;
    const PIECES: usize = 100;
    let pieces = (0..PIECES).map(|number| vec![number as u8; PIECE].into()).collect();
    with(pieces, async |mut served, mut stream| {
        // Nobody reads: the client sends no more than the window, in whole pieces.
        let most = CONNECTION_BYTES as usize / PIECE * PIECE;
        served.receive_until(|received| received.unread.len() >= most).await;
        assert_eq!(served.websocket.shared.received.borrow().unread.len(), most);
        assert_eq!(served.window.bytes(), CONNECTION_BYTES + STREAM_BYTES, "others can go on");
        let mut read = vec![0; most];
        stream.read_exact(&mut read).await.expect("that much");
        assert_eq!(served.window.bytes(), CONNECTION_BYTES);
        assert_eq!(served.websocket.shared.received.borrow().unread.capacity(), 0, "it is quiet");
        served.receive_until(|received| received.end.is_some()).await;
        stream.read_to_end(&mut read).await.expect("the end of the stream");
        assert!(read.iter().enumerate().all(|(index, byte)| usize::from(*byte) == index / PIECE));
        assert_eq!(read.len(), PIECE * PIECES);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_response_is_what_the_tunnel_writes() {
    with(Vec::new(), async |served, mut stream| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::FORBIDDEN;
        served.websocket.answer(&mut response);
        assert_eq!((response.status(), served.websocket.activity.has_websocket()), (StatusCode::FORBIDDEN, false));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        served.websocket.answer(&mut response);
        assert_eq!((response.status(), served.websocket.activity.has_websocket()), (StatusCode::OK, true));
        let mut body = response.into_body();

        let more = vec![b'x'; UNSENT_BYTES_MAX + 1];
        assert_eq!(stream.write(&more).await.expect("room"), UNSENT_BYTES_MAX);
        let poll = poll_fn(|cx| Poll::Ready(Pin::new(&mut stream).poll_write(cx, &more).is_pending()));
        assert!(poll.await, "the client takes nothing");
        let frame = body.frame().await.expect("a frame").expect("no error");
        assert_eq!(frame.data_ref().map(Bytes::len), Some(UNSENT_BYTES_MAX));
        assert_eq!(stream.write(b"last").await.expect("room"), 4);
        stream.shutdown().await.expect("told");
        assert_eq!(body.collect().await.expect("whole").to_bytes(), "last");
        let activity = Arc::clone(&served.websocket.activity);
        drop(served);
        assert!(activity.has_websocket(), "the tunnel still reads");
        drop(stream);
        assert!(!activity.has_websocket());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_learns_that_its_response_is_no_longer_sent() {
    with(Vec::new(), async |served, mut stream| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        served.websocket.answer(&mut response);
        let told = async {
            // As a tunnel that has nothing to write.
            poll_fn(|cx| match Pin::new(&mut stream).poll_flush(cx) {
                Poll::Ready(Err(error)) => Poll::Ready(error.kind()),
                _ => Poll::Pending,
            })
            .await
        };
        let (told, ()) = tokio::join!(told, async { drop(response) });
        assert_eq!(told, io::ErrorKind::BrokenPipe);
        assert!(stream.write(b"x").await.is_err());
    })
    .await;
}
