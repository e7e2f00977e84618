//! What one request does to the others on the same connection. The test plays the target with frames of its own, because no library sends
//! what these targets send.

use std::collections::HashSet;

use super::*;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` (RFC 7541 appendix A, entry 8).
const STATUS_200: [u8; 1] = [0x88];

/// A connection of the target, as frames.
pub(super) struct Frames(TcpStream);

impl Frames {
    async fn accept(listener: &TcpListener) -> Self {
        Self::with(listener, &[]).await
    }

    /// Accepts a connection, with these settings.
    pub(super) async fn with(listener: &TcpListener, settings: &[u8]) -> Self {
        let mut stream = listener.accept().await.expect("a connection").0;
        let mut preface = [0; 24];
        stream.read_exact(&mut preface).await.expect("a preface");
        let mut this = Self(stream);
        this.send(&frame(SETTINGS, 0, 0, settings)).await;
        this
    }

    /// Refuses a stream: nothing of it was processed.
    pub(super) async fn refuse(&mut self, stream: u32) {
        self.send(&frame(RST_STREAM, 0, stream, &u32::from(Reason::REFUSED_STREAM).to_be_bytes())).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("it is read");
    }

    /// The kind and the stream of the next frame.
    async fn next(&mut self) -> (u8, u32) {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.0.read_exact(&mut payload).await.expect("a payload");
        (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]]))
    }

    /// The stream of the next request.
    pub(super) async fn request(&mut self) -> u32 {
        loop {
            if let (HEADERS, stream) = self.next().await {
                return stream;
            }
        }
    }

    /// Reads what comes, until the proxy closes the connection.
    pub(super) async fn rest(&mut self) {
        loop {
            self.next().await;
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

fn whole_answer(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &STATUS_200)
}

#[tokio::test]
async fn an_upload_that_outlasts_its_answer_keeps_its_room_on_the_connection() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut peer = Peer::with(&played.listener, 1).await;
                let mut asked = peer.next().await;
                asked.begin().send_data(Bytes::from_static(b"early"), true).expect("sent");
                let mut other = Peer::accept(&played.listener).await;
                other.next().await.answer("ok");
                assert_eq!(asked.body().await.expect("whole").0, b"firstlast");
                peer.streams.recv().await;
            };
            let user = async {
                let (sends, upload) = body();
                sends.send(data("first")).expect("read");
                let answered = send(&client, request(Method::POST, upload)).await.expect("an answer");
                assert_eq!(read(answered).await, "early");
                assert!(client.target(0).http2.take().is_none(), "the target still counts the stream");
                assert_eq!(read(get(&client).await.expect("an answer")).await, "ok");
                sends.send(data("last")).expect("read");
                drop(sends);
                while client.target(0).http2.take().is_none() {
                    tokio::task::yield_now().await;
                }
            };
            tokio::select! { () = target => panic!("it goes on"), () = user => {} }
        },
    )
    .await;
}

#[tokio::test]
async fn answers_to_requests_that_clients_have_cancelled_do_not_end_the_connection() {
    const ROUNDS: usize = 25;
    const CANCELLED: usize = 99;
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let (all_asked, all_cancelled) = (Notify::new(), Notify::new());
            let target = async {
                let mut frames = Frames::accept(&played.listener).await;
                let first = frames.request().await;
                let (mut asked, mut cancelled, mut answers) = (0, HashSet::new(), Vec::new());
                while cancelled.len() < ROUNDS * CANCELLED {
                    match frames.next().await {
                        (HEADERS, _) => {
                            asked += 1;
                            if asked % CANCELLED == 0 {
                                all_asked.notify_one();
                            }
                        }
                        // The answer is on its way already when the cancellation arrives.
                        (RST_STREAM, stream) if cancelled.insert(stream) => {
                            answers.extend(whole_answer(stream));
                            if cancelled.len() % CANCELLED == 0 {
                                frames.send(&std::mem::take(&mut answers)).await;
                                all_cancelled.notify_one();
                            }
                        }
                        _ => {}
                    }
                }
                frames.send(&whole_answer(first)).await;
                frames.rest().await;
            };
            let cancelling = async {
                for _ in 0..ROUNDS {
                    let asking = join_all((0..CANCELLED).map(|_| get(&client)));
                    tokio::select! {
                        _ = asking => panic!("no answer comes in time"),
                        () = all_asked.notified() => {}
                    }
                    // Until then they take their room.
                    all_cancelled.notified().await;
                }
                std::future::pending::<Infallible>().await
            };
            let patient = async { get(&client).await.expect("an answer of its own") };
            tokio::select! {
                biased;
                _ = target => panic!("it goes on"),
                _ = patient => {}
                _ = cancelling => {}
            }
        },
    )
    .await;
}

#[tokio::test]
async fn small_frames_that_a_client_does_not_read_do_not_end_the_connection() {
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut frames = Frames::accept(&played.listener).await;
                let first = frames.request().await;
                frames.send(&frame(HEADERS, END_HEADERS, first, &STATUS_200)).await;
                let second = frames.request().await;
                // As many as the window of the stream lets through.
                frames.send(&frame(DATA, 0, first, b".").repeat(128 * 1024)).await;
                frames.send(&whole_answer(second)).await;
                frames.rest().await;
            };
            let user = async {
                let _unread = get(&client).await.expect("a head");
                get(&client).await.expect("an answer of its own");
            };
            tokio::select! { _ = target => panic!("it goes on"), () = user => {} }
        },
    )
    .await;
}

#[tokio::test]
async fn answers_in_small_frames_that_clients_do_not_read_end_nothing() {
    const ANSWERS: usize = 60;
    const FRAMES: usize = 3276;
    with_client(
        |_| {},
        async |played: Played, client: GroupClient, _| {
            let target = async {
                let mut frames = Frames::accept(&played.listener).await;
                for _ in 0..ANSWERS {
                    let stream = frames.request().await;
                    frames.send(&frame(HEADERS, END_HEADERS, stream, &STATUS_200)).await;
                    // As many as the window of a stream has room for that has heard of no other.
                    frames.send(&frame(DATA, 0, stream, &[b'.'; 20]).repeat(FRAMES)).await;
                }
                let last = frames.request().await;
                frames.send(&whole_answer(last)).await;
                frames.rest().await;
            };
            let user = async {
                let mut unread = Vec::new();
                for _ in 0..ANSWERS {
                    unread.push(get(&client).await.expect("a head"));
                }
                get(&client).await.expect("an answer of its own");
                let mut body = unread.swap_remove(7).response.into_body();
                let mut length = 0;
                while length < 20 * FRAMES {
                    length += body.frame().await.expect("a frame").expect("data").into_data().expect("data").len();
                }
                assert_eq!((length, client.target(0).http2.len()), (20 * FRAMES, 1));
            };
            tokio::select! { biased; () = user => {}, _ = target => panic!("it goes on") }
        },
    )
    .await;
}
