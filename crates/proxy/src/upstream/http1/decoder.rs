//! Removes the framing from the body of a response (RFC 9112 §6.3, §7.1).

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;

use crate::message::header as names;
use crate::upstream::http1::head::{self, Length};
use crate::upstream::http1::malformed::{ASIDE_BYTES_MAX, Malformed};

/// Maximum number of spaces and tabs after the size of a chunk.
const BLANKS_MAX: u8 = 64;

/// The position in the body of a response.
#[derive(Debug)]
pub(super) enum Decoder {
    /// This many bytes are still to come.
    Exact(u64),
    Chunked(Chunked),
    UntilClose,
}

/// The result of decoding the next bytes.
#[derive(Debug)]
pub(super) enum Decoded {
    Data(Bytes),
    Trailers(HeaderMap),
    /// More bytes are needed.
    Short,
    /// The body has ended. Bytes after it belong to no response.
    End,
}

/// The position in a chunked body. `aside` counts the bytes of chunk extensions and trailers.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    aside: usize,
}

#[derive(Debug)]
enum State {
    /// In the size of a chunk, after `digits` hexadecimal digits.
    Size {
        size: u64,
        digits: u32,
    },
    /// In the spaces and tabs after the size. Some targets pad the size to a fixed width.
    Blanks {
        size: u64,
        seen: u8,
    },
    /// In a chunk extension, up to the end of the line.
    Extension {
        size: u64,
    },
    /// Before the line feed after the size.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// Before the carriage return after the data of a chunk; then before the line feed.
    DataEnd {
        has_return: bool,
    },
    /// After the last chunk, up to the empty line.
    Trailers(BytesMut),
    Over,
}

impl Decoder {
    pub(super) fn new(length: Length) -> Self {
        match length {
            Length::Exact(length) => Self::Exact(length),
            Length::Chunked => Self::Chunked(Chunked { state: State::Size { size: 0, digits: 0 }, aside: 0 }),
            Length::UntilClose => Self::UntilClose,
        }
    }

    /// How many bytes are still to come. `None` if unknown.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Exact(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Whether the body is complete if the target closes the connection now.
    pub(super) fn may_end(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    /// Decodes the next part of the body and removes it from `bytes`.
    ///
    /// # Errors
    ///
    /// [`Malformed::Chunk`], [`Malformed::AsideTooLarge`], [`Malformed::Trailers`].
    pub(super) fn decode(&mut self, bytes: &mut Bytes) -> Result<Decoded, Malformed> {
        match self {
            Self::Exact(0) => Ok(Decoded::End),
            Self::Exact(left) => Ok(take(bytes, left)),
            Self::Chunked(chunked) => chunked.decode(bytes),
            Self::UntilClose if bytes.is_empty() => Ok(Decoded::Short),
            Self::UntilClose => Ok(Decoded::Data(std::mem::take(bytes))),
        }
    }
}

/// Takes at most `left` bytes out of `bytes`.
fn take(bytes: &mut Bytes, left: &mut u64) -> Decoded {
    let length = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
    if length == 0 {
        return Decoded::Short;
    }
    *left -= length as u64;
    Decoded::Data(bytes.split_to(length))
}

impl Chunked {
    fn decode(&mut self, bytes: &mut Bytes) -> Result<Decoded, Malformed> {
        loop {
            match &mut self.state {
                State::Data { left: 0 } => self.state = State::DataEnd { has_return: false },
                State::Data { left } => return Ok(take(bytes, left)),
                State::Trailers(read) => {
                    if bytes.is_empty() {
                        return Ok(Decoded::Short);
                    }
                    // Take one line at a time, including its line feed: bytes after the empty line do not belong to
                    // this response.
                    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                    let line = bytes.split_to(end);
                    count(&mut self.aside, line.len())?;
                    read.extend_from_slice(&line);
                    // A bare line feed in a trailer value could be parsed as two fields. hyper refuses it, too.
                    if read.ends_with(b"\n") && !read.ends_with(b"\r\n") {
                        return Err(Malformed::Trailers);
                    }
                    if &read[..] == b"\r\n" {
                        self.state = State::Over;
                    } else if read.ends_with(b"\n\r\n") {
                        let mut trailers = head::parse_trailers(&std::mem::take(read).freeze())?;
                        names::remove_hop_by_hop(&mut trailers);
                        self.state = State::Over;
                        return Ok(Decoded::Trailers(trailers));
                    }
                }
                State::Over => return Ok(Decoded::End),
                _ => {
                    if bytes.is_empty() {
                        return Ok(Decoded::Short);
                    }
                    let byte = bytes.get_u8();
                    self.pass(byte)?;
                }
            }
        }
    }

    /// Reads one byte of the chunk framing.
    fn pass(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (&self.state, byte) {
            (State::Size { digits: 1.., size }, b'\r') => State::SizeEnd { size: *size },
            (State::Size { digits: 1.., size }, b' ' | b'\t') => State::Blanks { size: *size, seen: 1 },
            (State::Size { digits: 1.., size } | State::Blanks { size, .. }, b';') => State::Extension { size: *size },
            // A `u64` has at most sixteen hexadecimal digits.
            (State::Size { digits: digits @ ..16, size }, _) => {
                let digit = char::from(byte).to_digit(16).ok_or(Malformed::Chunk)?;
                State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (State::Blanks { size, .. } | State::Extension { size }, b'\r') => State::SizeEnd { size: *size },
            (State::Blanks { size, seen: seen @ ..BLANKS_MAX }, b' ' | b'\t') => {
                State::Blanks { size: *size, seen: seen + 1 }
            }
            (State::Extension { size }, 0x20.. | b'\t') => {
                count(&mut self.aside, 1)?;
                State::Extension { size: *size }
            }
            (State::SizeEnd { size: 0 }, b'\n') => State::Trailers(BytesMut::new()),
            (State::SizeEnd { size }, b'\n') => State::Data { left: *size },
            (State::DataEnd { has_return: false }, b'\r') => State::DataEnd { has_return: true },
            (State::DataEnd { has_return: true }, b'\n') => State::Size { size: 0, digits: 0 },
            _ => return Err(Malformed::Chunk),
        };
        Ok(())
    }
}

fn count(aside: &mut usize, bytes: usize) -> Result<(), Malformed> {
    *aside += bytes;
    if *aside > ASIDE_BYTES_MAX { Err(Malformed::AsideTooLarge) } else { Ok(()) }
}

#[cfg(test)]
mod tests;
