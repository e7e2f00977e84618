//! Takes an answer's body out of its framing (RFC 9112 §6.3, §7.1).

use bytes::{Buf as _, Bytes, BytesMut};
use http::HeaderMap;

use crate::message::header as names;
use crate::upstream::http1::head::{self, Length, Malformed};

/// What chunk extensions and trailers of one answer may take: neither has a length of its own.
pub(super) const ASIDE_BYTES_MAX: usize = 16 * 1024;

/// Blanks behind one chunk's size.
const BLANKS_MAX: u8 = 64;

/// Where in the body we are.
#[derive(Debug)]
pub(super) enum Decoder {
    /// This many bytes are missing.
    Exact(u64),
    Chunked(Chunked),
    UntilClose,
}

/// What the next bytes are.
#[derive(Debug)]
pub(super) enum Decoded {
    Data(Bytes),
    Trailers(HeaderMap),
    /// It takes more bytes to say.
    Short,
    /// The body is over; what is left belongs to nobody.
    End,
}

/// Between chunks, or in one.
#[derive(Debug)]
pub(super) struct Chunked {
    state: State,
    aside: usize,
}

#[derive(Debug)]
enum State {
    /// In a chunk's size, of which `digits` have been read.
    Size {
        size: u64,
        digits: u32,
    },
    /// Blanks behind the size, with which some fill a field of fixed width.
    Blanks {
        size: u64,
        seen: u8,
    },
    /// An extension, up to the end of the line.
    Extension {
        size: u64,
    },
    /// The line feed after a size.
    SizeEnd {
        size: u64,
    },
    Data {
        left: u64,
    },
    /// The carriage return after a chunk, then the line feed.
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

    /// How many bytes are to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Exact(left) => Some(*left),
            Self::Chunked(_) | Self::UntilClose => None,
        }
    }

    /// Whether the body is whole if the target closes now.
    pub(super) fn may_end(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    /// Takes the next part of the body out of `bytes`.
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

/// As many of `left` bytes as there are.
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
                    // Up to and with the next line feed, for what follows the empty line is not ours.
                    let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
                    let line = bytes.split_to(end);
                    count(&mut self.aside, line.len())?;
                    read.extend_from_slice(&line);
                    // hyper refuses this, too. A target that lets a bare line feed into a value would have it read as two fields.
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

    /// Reads one byte of what stands around the data.
    fn pass(&mut self, byte: u8) -> Result<(), Malformed> {
        self.state = match (&self.state, byte) {
            (State::Size { digits: 1.., size }, b'\r') => State::SizeEnd { size: *size },
            (State::Size { digits: 1.., size }, b' ' | b'\t') => State::Blanks { size: *size, seen: 1 },
            (State::Size { digits: 1.., size } | State::Blanks { size, .. }, b';') => State::Extension { size: *size },
            // Sixteen digits are all that a `u64` holds.
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
