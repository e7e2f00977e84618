//! Where the frames of a WebSocket begin and end (RFC 6455 §5.2), and the frame that closes one (§5.5.1).
//!
//! Frames are not validated: their content concerns only the client and the target. The boundaries are needed because
//! our own closing frame can only be sent between two frames.

use crate::crypto::octets;

/// Maximum size of a frame's head: two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;
/// The opcode of a closing frame.
const CLOSE: u8 = 0x8;

/// Tracks the frame boundaries in one direction.
#[derive(Clone, Debug, Default)]
pub(super) struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    /// Number of bytes read of the current head. Zero between two frames.
    head_length: usize,
    /// Number of payload bytes of the current frame that are still to come.
    payload_left: u64,
    has_closed: bool,
}

impl Frames {
    /// Whether the next byte begins a frame.
    pub(super) fn is_between(&self) -> bool {
        self.head_length == 0 && self.payload_left == 0
    }

    /// Whether a complete closing frame was seen.
    pub(super) fn has_closed(&self) -> bool {
        self.has_closed
    }

    /// Updates the state with `bytes` that are forwarded.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let taken = self.pass_part(bytes);
            bytes = &bytes[taken..];
        }
    }

    /// Updates the state with the bytes up to the end of the current frame. Returns the number of these bytes.
    pub(super) fn pass_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let mut passed = 0;
        while passed < bytes.len() && !self.is_between() {
            passed += self.pass_part(&bytes[passed..]);
        }
        passed
    }

    /// Updates the state with one byte of a head, or with the available payload. Returns the number of bytes used.
    fn pass_part(&mut self, bytes: &[u8]) -> usize {
        if self.payload_left > 0 {
            let taken = bytes.len().min(usize::try_from(self.payload_left).unwrap_or(usize::MAX));
            self.payload_left -= taken as u64;
            self.end_where_whole();
            return taken;
        }
        self.head[self.head_length] = bytes[0];
        self.head_length += 1;
        if let Some(payload) = self.payload() {
            self.payload_left = payload;
            self.end_where_whole();
        }
        1
    }

    /// The length of the payload, if the head is complete.
    fn payload(&self) -> Option<u64> {
        let head = &self.head[..self.head_length];
        let [_, second, rest @ ..] = head else { return None };
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        if rest.len() < length_bytes + mask_bytes {
            return None;
        }
        let long = rest[..length_bytes].iter().fold(0, |length, byte| length << 8 | u64::from(*byte));
        Some(if length_bytes == 0 { u64::from(second & 0x7f) } else { long })
    }

    fn end_where_whole(&mut self) {
        if self.payload_left == 0 && self.payload().is_some() {
            self.has_closed |= self.head[0] & 0xf == CLOSE;
            self.head_length = 0;
        }
    }
}

/// Why we close a WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The process stops.
    Stopping,
    /// No byte was forwarded for too long.
    Idle,
    /// The session of the user has expired or was signed out.
    SessionOver,
    /// The target has left its group.
    Deregistered,
}

impl Cause {
    /// RFC 6455 §7.4.1: 1001 is "going away", 1008 is a violated policy.
    fn status(self) -> (u16, &'static str) {
        match self {
            Self::Stopping => (1001, "the server is restarting"),
            Self::Idle => (1001, "nothing was sent for too long"),
            Self::SessionOver => (1008, "the session has ended"),
            Self::Deregistered => (1001, "the server is being removed"),
        }
    }

    /// The closing frame, as a server sends it.
    pub(super) fn to_client(self) -> Vec<u8> {
        let payload = self.payload();
        let mut frame = vec![0x80 | CLOSE, u8::try_from(payload.len()).unwrap_or_default()];
        frame.extend_from_slice(&payload);
        frame
    }

    /// The closing frame, as a client sends it: masked (§5.3).
    pub(super) fn to_target(self) -> Vec<u8> {
        let (payload, mask) = (self.payload(), octets::random::<4>());
        let mut frame = vec![0x80 | CLOSE, 0x80 | u8::try_from(payload.len()).unwrap_or_default()];
        frame.extend_from_slice(&mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn payload(self) -> Vec<u8> {
        let (code, reason) = self.status();
        [&code.to_be_bytes()[..], reason.as_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(opcode: u8, is_masked: bool, length: usize) -> Vec<u8> {
        let mask = if is_masked { 0x80 } else { 0 };
        let mut frame = vec![0x80 | opcode];
        match length {
            0..126 => frame.push(mask | length as u8),
            126..65_536 => {
                frame.push(mask | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend(std::iter::repeat_n(0x88, length + if is_masked { 4 } else { 0 }));
        frame
    }

    #[test]
    fn frames_are_followed_however_they_are_cut() {
        for is_masked in [false, true] {
            for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
                let one = frame(1, is_masked, length);
                for cut in (1..one.len().min(20)).chain([one.len()]) {
                    let mut frames = Frames::default();
                    frames.pass(&one[..cut]);
                    assert_eq!(frames.is_between(), cut == one.len(), "{length} cut at {cut}");
                    let rest = [&one[cut..], &frame(2, is_masked, 3)].concat();
                    assert_eq!(frames.pass_to_boundary(&rest), one.len() - cut, "{length} cut at {cut}");
                    assert!(frames.is_between() && !frames.has_closed());
                }
            }
        }
    }

    #[test]
    fn a_closing_frame_is_seen_when_it_is_whole() {
        for close in
            [frame(CLOSE, false, 0), frame(CLOSE, true, 0), Cause::Stopping.to_client(), Cause::Idle.to_target()]
        {
            let mut frames = Frames::default();
            frames.pass(&frame(1, false, 5));
            frames.pass(&close[..close.len() - 1]);
            assert!(!frames.has_closed());
            frames.pass(&close[close.len() - 1..]);
            assert!(frames.has_closed() && frames.is_between());
        }
    }
}
