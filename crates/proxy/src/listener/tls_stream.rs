//! The TLS stream of a connection. It passes plaintext to TLS in pieces of a size that is copied fast.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server;

use crate::listener::plain_http::PlainHttpDetector;
use crate::listener::transport::Readable;

/// Maximum size of a piece. TLS copies plaintext into its records piece by piece. Above some length (2 to 8 KB,
/// depending on the processor) the C library copies with one instruction, `rep movsb`. On several processors that runs
/// at a quarter of the speed of a loop if source and destination are unfavourably aligned, as they are behind the head
/// of a record.
const PIECE_BYTES_MAX: usize = 2048;

/// Maximum number of pieces per write: as much as TLS accepts before it has sent something (64 KB), and the head of a
/// response.
const PIECES_MAX: usize = 34;

/// The stream after the handshake. Boxed, because it is large, and the task of a connection reserves room for its
/// largest state.
#[derive(Debug)]
pub(crate) struct TlsStream(pub(crate) Box<server::TlsStream<PlainHttpDetector>>);

impl Readable for TlsStream {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let (socket, session) = self.0.get_mut();
        // Do not wait for the socket if TLS has decrypted bytes that are not read yet, or has seen the end of the
        // stream.
        if session.wants_read() { socket.poll_readable(cx) } else { Poll::Ready(()) }
    }

    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.0.get_mut().0.poll_discard(cx)
    }
}

impl AsyncRead for TlsStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for TlsStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if slices.iter().all(|slice| slice.len() <= PIECE_BYTES_MAX) {
            return Pin::new(&mut self.0).poll_write_vectored(cx, slices);
        }
        let mut room = [IoSlice::new(&[]); PIECES_MAX];
        let pieces = in_pieces(slices, &mut room);
        Pin::new(&mut self.0).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

/// Cuts the beginning of `slices` into pieces, as many as there is room for.
fn in_pieces<'r, 's>(slices: &'s [IoSlice<'s>], room: &'r mut [IoSlice<'s>; PIECES_MAX]) -> &'r [IoSlice<'s>] {
    let pieces = slices.iter().flat_map(|slice| slice.chunks(PIECE_BYTES_MAX));
    let mut count = 0;
    for (place, piece) in room.iter_mut().zip(pieces) {
        *place = IoSlice::new(piece);
        count += 1;
    }
    &room[..count]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_the_beginning_of_what_was_given() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        for lengths in [&[1][..], &[300, 5000, 0, 1], &[PIECE_BYTES_MAX; 3], &[200_000], &[2049; 60]] {
            let mut rest = &bytes[..];
            let slices: Vec<IoSlice<'_>> =
                lengths.iter().map(|length| IoSlice::new(rest.split_off(..*length).expect("long enough"))).collect();
            let mut room = [IoSlice::new(&[]); PIECES_MAX];
            let pieces = in_pieces(&slices, &mut room);
            assert!(pieces.iter().all(|piece| (1..=PIECE_BYTES_MAX).contains(&piece.len())), "{lengths:?}");
            let joined: Vec<u8> = pieces.iter().flat_map(|piece| piece.iter().copied()).collect();
            let given: usize = lengths.iter().sum();
            assert_eq!(joined, bytes[..joined.len()]);
            assert!(joined.len() == given || pieces.len() == PIECES_MAX, "{lengths:?}");
        }
    }
}
