use super::*;

const PING: u8 = 6;

fn head(kind: u8, flags: u8, length: u8) -> [u8; HEAD_BYTES] {
    [0, 0, length, kind, flags, 0, 0, 0, 1]
}

/// How many frames of one type a connection may send at once.
fn allowed(kind: u8, flags: u8, length: u8) -> u32 {
    let flood = FloodDetector::new();
    for count in 0..100_000 {
        flood.frame(&head(kind, flags, length));
        if flood.is_too_much() {
            return count;
        }
    }
    u32::MAX
}

#[tokio::test(start_paused = true)]
async fn frames_that_do_nothing_are_bounded_and_others_are_not() {
    const END_STREAM: u8 = 1;
    for (kind, flags, length, expected) in [
        (PING, 0, 8, 999),
        (PING, 1, 8, 999),
        (2, 0, 5, 999),
        (8, 0, 4, 999),
        (9, 0, 1, 999),
        (0, 0, 0, 999),
        (0x10, 0, 9, 999),
        (0xff, 0, 0, 999),
        (3, 0, 4, 199),
        (4, 0, 0, 99),
        (4, 1, 0, 99),
        (7, 0, 8, 99),
        (0, END_STREAM, 0, u32::MAX),
        (0, 0, 1, u32::MAX),
        (1, 4, 9, u32::MAX),
    ] {
        assert_eq!(allowed(kind, flags, length), expected, "kind {kind}, flags {flags}, length {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_its_time_may_send_as_much_as_it_likes() {
    let flood = FloodDetector::new();
    for _ in 0..20_000 {
        flood.frame(&head(PING, 0, 8));
        tokio::time::advance(Duration::from_millis(11)).await;
    }
    assert!(!flood.is_too_much());
    for _ in 0..2 * FLOOD_MAX {
        flood.frame(&head(PING, 0, 8));
    }
    assert!(flood.is_too_much());
}

#[tokio::test(start_paused = true)]
async fn requests_and_answers_earn_what_clients_say_about_them() {
    let flood = FloodDetector::new();
    for _ in 0..10_000 {
        // A PRIORITY, a request, WINDOW_UPDATE frames for two windows for each 16 KB of the response, and sometimes a
        // RST_STREAM.
        flood.frame(&head(0x10, 0, 9));
        flood.frame(&head(1, 5, 40));
        flood.sent(32 * 1024);
        for _ in 0..4 {
            flood.frame(&head(8, 0, 4));
        }
    }
    // Short events, each followed by a WINDOW_UPDATE for both windows.
    for _ in 0..10_000 {
        flood.sent(30);
        flood.frame(&head(8, 0, 4));
        flood.frame(&head(8, 0, 4));
    }
    assert!(!flood.is_too_much());
    // Each request is reset (CVE-2023-44487).
    let mut requests = 0;
    while !flood.is_too_much() && requests < 10 * FLOOD_MAX {
        flood.frame(&head(1, 5, 40));
        flood.frame(&head(3, 0, 4));
        requests += 1;
    }
    assert!((FLOOD_MAX - 10..=FLOOD_MAX).contains(&requests), "{requests}");
}

#[tokio::test(start_paused = true)]
async fn frames_are_found_however_their_bytes_are_cut() {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    for length in [0_u8, 1, 8, 9, 200] {
        bytes.extend_from_slice(&head(PING, 0, length));
        // Payload bytes that look like the head of a frame are not counted as one.
        bytes.extend(head(4, 0, 0).iter().cycle().take(usize::from(length)));
    }
    for piece in 1..=bytes.len() {
        let flood = FloodDetector::new();
        let mut place = FramePosition { skip: PREFACE_BYTES, head: [0; HEAD_BYTES], has: 0 };
        for piece in bytes.chunks(piece) {
            place.read(piece, &flood);
        }
        assert_eq!((flood.count.get(), place.skip, place.has), (5, 0, 0), "in pieces of {piece}");
    }
}

/// The bytes of a frame on a stream.
fn frame(kind: u8, flags: u8, stream: u8, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0, 0, payload as u8, kind, flags, 0, 0, 0, stream];
    bytes.resize(bytes.len() + payload, 1);
    bytes
}

#[tokio::test]
async fn a_request_is_lost_when_every_frame_was_dealt_with_and_it_was_not_handed_out() {
    const END_HEADERS: u8 = 4;
    let flood = FloodDetector::new();
    let mut place = FramePosition { skip: 0, head: [0; HEAD_BYTES], has: 0 };
    let mut read = |bytes: &[u8]| {
        place.read(bytes, &flood);
        flood.opened.is_in_frame.set(place.skip > 0);
        flood.opened.is_drained.set(true);
    };
    read(&frame(HEADERS, END_HEADERS, 1, 5));
    flood.handed_out();
    assert_eq!(flood.take_lost(), 0);
    // However the bytes are cut: the request counts as lost when its last byte has arrived, and is reported once.
    let whole = frame(HEADERS, END_HEADERS, 3, 5);
    for byte in &whole[..whole.len() - 1] {
        read(&[*byte]);
        assert_eq!(flood.take_lost(), 0);
    }
    read(&whole[whole.len() - 1..]);
    assert_eq!((flood.take_lost(), flood.take_lost()), (1, 0));
    // Trailers and other frames are not requests. A head can continue in CONTINUATION.
    read(&[frame(HEADERS, END_HEADERS, 3, 5), frame(0, 1, 1, 5), frame(PING, 0, 0, 8)].concat());
    assert_eq!(flood.take_lost(), 0);
    read(&frame(HEADERS, 0, 5, 5));
    assert_eq!(flood.take_lost(), 0);
    read(&frame(CONTINUATION, END_HEADERS, 5, 5));
    assert_eq!(flood.take_lost(), 1);
    // Nothing is reported while there may be more bytes to read, or while the connection shuts down.
    read(&frame(HEADERS, END_HEADERS, 7, 0));
    flood.opened.is_drained.set(false);
    assert_eq!(flood.take_lost(), 0);
    flood.opened.is_drained.set(true);
    flood.finish();
    assert_eq!(flood.take_lost(), 0);
}
