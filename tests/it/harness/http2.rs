//! HTTP/2 as frames on a TLS connection, for requests that no client library would write (RFC 9113, RFC 7541).

use std::net::SocketAddr;

use super::raw::Raw;

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// An HTTP/2 connection, as frames.
pub struct Http2 {
    raw: Raw,
    stream: u32,
}

/// A frame that the proxy sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: u8,
    pub flags: u8,
    pub stream: u32,
    pub payload: Vec<u8>,
}

impl Frame {
    /// The status in an answer's HEADERS.
    pub fn status(&self) -> Option<u16> {
        (self.kind == HEADERS).then(|| status(&self.payload))
    }

    /// The error code of a reset, or of the end of the connection.
    pub fn code(&self) -> Option<u32> {
        let at = match self.kind {
            RST_STREAM => 0,
            GOAWAY => 4,
            _ => return None,
        };
        Some(u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes")))
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Status(u16),
    /// The stream was reset, with this error code.
    Reset(u32),
    /// The connection was closed.
    Closed,
}

/// Whether more frames of the stream follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Open,
    Ended,
}

impl Http2 {
    pub fn connect(address: SocketAddr, server_name: &str) -> Self {
        let mut raw = Raw::speaking(b"h2", address, server_name);
        raw.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let mut this = Self { raw, stream: 1 };
        // SETTINGS_HEADER_TABLE_SIZE is 0, so that no answer refers to an earlier one.
        this.frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
        this.frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes());
        this
    }

    /// How many bytes of each body the proxy may send unasked.
    pub fn initial_window(&mut self, size: u32) {
        let mut setting = vec![0, 4];
        setting.extend_from_slice(&size.to_be_bytes());
        self.frame(SETTINGS, 0, 0, &setting);
    }

    /// Whether the proxy may still be there: a ping could be sent.
    pub fn ping(&mut self) -> bool {
        self.frame(PING, 0, 0, &[0; 8])
    }

    /// Whether the next frame answers a ping.
    pub fn has_pong(&mut self) -> bool {
        let frame = self.next_frame().expect("a frame");
        frame.kind == PING && frame.flags == 1
    }

    /// A header section on the current stream, fields in this order and exactly as they are here.
    pub fn headers(&mut self, fields: &[(&str, &str)], stream: Stream) {
        let mut block = Vec::new();
        for (name, value) in fields {
            // Literal without indexing, new name (RFC 7541 §6.2.2), no Huffman coding.
            block.push(0);
            string(&mut block, name);
            string(&mut block, value);
        }
        self.frame(HEADERS, END_HEADERS | end(stream), self.stream, &block);
    }

    /// Opens a stream, and leaves it to itself. Answers its number.
    pub fn open(&mut self, fields: &[(&str, &str)], stream: Stream) -> u32 {
        self.headers(fields, stream);
        self.stream += 2;
        self.stream - 2
    }

    /// The next frame; `None` where the proxy has closed.
    pub fn next_frame(&mut self) -> Option<Frame> {
        let head = self.raw.read_exactly(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(Frame { kind: head[3], flags: head[4], stream, payload: self.raw.read_exactly(length)? })
    }

    /// The next frame for which `is_it` holds; `None` where the proxy closes before.
    pub fn frame_that(&mut self, is_it: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next_frame()?;
            if is_it(&frame) {
                return Some(frame);
            }
        }
    }

    pub fn data(&mut self, bytes: &[u8], stream: Stream) {
        self.frame(DATA, end(stream), self.stream, bytes);
    }

    /// Sends the first data on the current stream, in frames of zeros, until the proxy opens no window for more. Answers how
    /// much, and the statuses that came meanwhile.
    pub fn data_until_the_window_is_shut(&mut self) -> (usize, Vec<u16>) {
        const PIECE: usize = 16 * 1024;
        const LOOKS_MAX: usize = 200;
        let (mut sent, mut statuses, mut read) = (0, Vec::new(), Vec::new());
        let (mut of_stream, mut of_connection) = (65_535, 65_535);
        for _ in 0..LOOKS_MAX {
            while usize::min(of_stream, of_connection) > 0 {
                let length = PIECE.min(of_stream).min(of_connection);
                self.data(&[0; PIECE][..length], Stream::Open);
                sent += length;
                of_stream -= length;
                of_connection -= length;
            }
            let more = self.raw.read_soon();
            // On a busy machine the answer may take longer than a moment.
            if more.is_empty() && !statuses.is_empty() {
                break;
            }
            read.extend(more);
            while read.len() >= 9 {
                let length = u32::from_be_bytes([0, read[0], read[1], read[2]]) as usize;
                if read.len() < 9 + length {
                    break;
                }
                let frame: Vec<u8> = read.drain(..9 + length).collect();
                let payload = &frame[9..];
                let number =
                    |at: usize| u32::from_be_bytes(payload[at..at + 4].try_into().expect("four bytes")) as usize;
                match (frame[3], frame[8]) {
                    (WINDOW_UPDATE, 0) => of_connection += number(0),
                    (WINDOW_UPDATE, _) => of_stream += number(0),
                    (HEADERS, _) => statuses.push(status(payload)),
                    (SETTINGS, _) if frame[4] == 0 => {
                        self.frame(SETTINGS, 1, 0, &[]);
                        for setting in payload.chunks(6).filter(|setting| setting[1] == 4) {
                            of_stream +=
                                u32::from_be_bytes(setting[2..].try_into().expect("four bytes")) as usize - 65_535;
                        }
                    }
                    _ => {}
                }
            }
        }
        (sent, statuses)
    }

    /// Takes the current stream back, with this error code.
    pub fn reset(&mut self, code: u32) {
        self.frame(RST_STREAM, 0, self.stream, &code.to_be_bytes());
    }

    /// Reads until the current stream is answered or over; the next request is on the next stream.
    pub fn outcome(&mut self) -> Outcome {
        let current = self.stream;
        self.stream += 2;
        let ends = |frame: &Frame| {
            frame.kind == GOAWAY || frame.stream == current && [HEADERS, RST_STREAM].contains(&frame.kind)
        };
        match self.frame_that(ends) {
            Some(frame) if frame.kind == HEADERS => Outcome::Status(status(&frame.payload)),
            Some(frame) if frame.kind == RST_STREAM => Outcome::Reset(frame.code().expect("a reset has one")),
            _ => Outcome::Closed,
        }
    }

    /// A request without a body.
    pub fn request(&mut self, fields: &[(&str, &str)]) -> Outcome {
        self.headers(fields, Stream::Ended);
        self.outcome()
    }

    /// The proxy may send that many bytes more on a stream.
    pub fn window(&mut self, stream: u32, bytes: u32) {
        self.frame(WINDOW_UPDATE, 0, stream, &bytes.to_be_bytes());
    }

    /// Any frame. Answers whether the proxy may still be there.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        // The proxy may have closed already; reading will say so.
        self.raw.try_send(Self::framed(kind, flags, stream, payload))
    }

    /// Several frames of [`framed`](Self::framed) at once.
    pub fn send_raw(&mut self, frames: Vec<u8>) {
        self.raw.try_send(frames);
    }

    /// The bytes of a frame.
    pub fn framed(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }
}

fn end(stream: Stream) -> u8 {
    if stream == Stream::Ended { END_STREAM } else { 0 }
}

/// RFC 7541 §5.1 and §5.2, with a prefix of seven bits.
fn string(block: &mut Vec<u8>, text: &str) {
    let mut rest = text.len();
    if rest < 127 {
        block.push(rest as u8);
    } else {
        block.push(127);
        rest -= 127;
        while rest >= 128 {
            block.push((rest % 128) as u8 | 128);
            rest /= 128;
        }
        block.push(rest as u8);
    }
    block.extend_from_slice(text.as_bytes());
}

/// `:status`, which is the first field of a response.
fn status(block: &[u8]) -> u16 {
    // Sizes of the dynamic table come first (RFC 7541 §6.3).
    let field = &block[block.iter().take_while(|byte| **byte >> 5 == 1).count()..];
    match field {
        [indexed @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)],
        // A literal whose name is entry 8 of the static table.
        [0x48 | 0x08 | 0x18, length, text @ ..] if length & 0x80 == 0 => {
            let digits = std::str::from_utf8(&text[..usize::from(*length)]).expect("digits");
            digits.parse().expect("a status")
        }
        [0x48 | 0x08 | 0x18, length, text @ ..] => huffman_digits(&text[..usize::from(length & 0x7f)]),
        _ => panic!("a status first: {block:02x?}"),
    }
}

/// RFC 7541 appendix B, digits only: `0` to `2` have five bits, the others six.
fn huffman_digits(bytes: &[u8]) -> u16 {
    let bits: Vec<u16> =
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1))).collect();
    let number = |from: usize, length: usize| bits[from..from + length].iter().fold(0, |number, bit| number * 2 + bit);
    let (mut at, mut status) = (0, 0);
    for _ in 0..3 {
        let short = number(at, 5);
        let (digit, length) = if short < 3 { (short, 5) } else { (number(at, 6) - 0b01_1001 + 3, 6) };
        status = status * 10 + digit;
        at += length;
    }
    status
}
