//! The content of an answer, read while it is sent.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::message::BoxError;
use crate::static_files::disk::Disk;
use crate::static_files::places::Place;

/// How much of a file is in memory for one answer, in bytes. The next part is read when the client has taken this one.
const CHUNK_BYTES: u64 = 64 * 1024;

/// So much of a file may be in memory for an answer without a place of its own (attacks D-30). It counts as a part of the request.
const SMALL_BYTES: u64 = 16 * 1024;

/// What is sent, in order.
#[derive(Debug, Default)]
pub(crate) struct Content {
    pieces: VecDeque<Piece>,
    /// The first bytes, read together with the head of the answer.
    first: Option<Bytes>,
    /// How many bytes there are.
    length: u64,
}

/// A piece of the content.
#[derive(Debug)]
enum Piece {
    Text(Bytes),
    /// A part of a file.
    Span {
        file: Arc<File>,
        at: u64,
        length: u64,
    },
}

/// The answer cannot be finished as its head says, so the connection or the stream is closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Cut {
    #[error("the file became shorter while it was sent")]
    Shorter,
    #[error("the file cannot be read")]
    Unreadable(#[source] io::Error),
    #[error(transparent)]
    GivenUp(#[from] crate::static_files::disk::GivenUp),
}

impl Content {
    pub(super) fn text(&mut self, text: impl Into<Bytes>) {
        let text = text.into();
        self.length += text.len() as u64;
        self.pieces.push_back(Piece::Text(text));
    }

    pub(super) fn span(&mut self, file: &Arc<File>, at: u64, length: u64) {
        if length > 0 {
            self.length += length;
            self.pieces.push_back(Piece::Span { file: Arc::clone(file), at, length });
        }
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// Whether much is kept until the client takes it: a file that stays open, or the first part of one.
    pub(super) fn is_large(&self) -> bool {
        let spans = self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(_) => None,
            Piece::Span { length, .. } => Some(*length),
        });
        let first = self.first.iter().map(|first| first.len() as u64);
        let (count, bytes) = first.chain(spans).fold((0, 0), |(count, bytes), more| (count + 1, bytes + more));
        // One small piece is read together with the head, and the file is closed.
        count > 1 || bytes > SMALL_BYTES
    }

    /// Reads the first bytes. A small file needs no other read.
    ///
    /// # Errors
    ///
    /// [`Cut`].
    pub(super) fn read_first(&mut self) -> Result<(), Cut> {
        self.first = match self.next() {
            Some(Next::Ready(bytes)) => Some(bytes),
            Some(Next::Read(read)) => Some(read.run()?),
            None => None,
        };
        Ok(())
    }

    /// The next bytes, or how to read them.
    fn next(&mut self) -> Option<Next> {
        if let Some(first) = self.first.take() {
            return Some(Next::Ready(first));
        }
        match self.pieces.front_mut()? {
            Piece::Text(text) => {
                let text = std::mem::take(text);
                self.pieces.pop_front();
                Some(Next::Ready(text))
            }
            Piece::Span { file, at, length } => {
                let now = (*length).min(CHUNK_BYTES);
                let read = Read { file: Arc::clone(file), at: *at, length: now };
                *at += now;
                *length -= now;
                if *length == 0 {
                    self.pieces.pop_front();
                }
                Some(Next::Read(read))
            }
        }
    }
}

enum Next {
    Ready(Bytes),
    Read(Read),
}

/// A read that is not done yet. It can be sent to another thread.
struct Read {
    file: Arc<File>,
    at: u64,
    /// At most [`CHUNK_BYTES`].
    length: u64,
}

impl Read {
    fn run(self) -> Result<Bytes, Cut> {
        let mut bytes = vec![0; self.length.try_into().unwrap_or(0)];
        match self.file.read_exact_at(&mut bytes, self.at) {
            Ok(()) => Ok(bytes.into()),
            // Never filled up: the client would take it for the file.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Cut::Shorter),
            Err(error) => Err(Cut::Unreadable(error)),
        }
    }
}

/// A read on another thread.
type Reading = Pin<Box<dyn Future<Output = Result<Bytes, Cut>>>>;

/// The body of an answer. At most one read is under way, and it begins when the body is polled.
pub(crate) struct FileBody {
    content: Content,
    /// How many bytes have not been given out.
    left: u64,
    disk: Disk,
    reading: Option<Reading>,
    /// For what is kept while the client takes nothing.
    _place: Option<Place>,
}

impl FileBody {
    /// `place` is given back at once if little is kept.
    pub(crate) fn new(content: Content, disk: Disk, place: Option<Place>) -> Self {
        let place = place.filter(|_| content.is_large());
        Self { left: content.length, content, disk, reading: None, _place: place }
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        loop {
            let bytes = if let Some(reading) = &mut this.reading {
                let read = ready!(reading.as_mut().poll(cx));
                this.reading = None;
                read
            } else {
                match this.content.next() {
                    None => return Poll::Ready(None),
                    Some(Next::Ready(bytes)) => Ok(bytes),
                    Some(Next::Read(read)) => {
                        let done = this.disk.run(move || read.run());
                        this.reading = Some(Box::pin(async move { done.await? }));
                        continue;
                    }
                }
            };
            return Poll::Ready(Some(match bytes {
                Ok(bytes) => {
                    this.left = this.left.saturating_sub(bytes.len() as u64);
                    Ok(Frame::data(bytes))
                }
                Err(cut) => {
                    this.content = Content::default();
                    Err(cut.into())
                }
            }));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;
    use crate::testing::temporary_directory;

    fn content(file: &Arc<File>, spans: &[(u64, u64)]) -> Content {
        let mut content = Content::default();
        for (at, length) in spans {
            content.span(file, *at, *length);
        }
        content
    }

    #[tokio::test]
    async fn a_file_comes_in_chunks_and_one_that_gets_shorter_is_cut() {
        let directory = temporary_directory("chunks");
        let bytes: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        std::fs::write(directory.join("f"), &bytes).unwrap();
        let file = Arc::new(File::open(directory.join("f")).unwrap());
        let mut whole = content(&file, &[(0, 200_000)]);
        whole.read_first().unwrap();
        let mut body = FileBody::new(whole, Disk::new(), None);
        let mut sizes = Vec::new();
        let mut read = Vec::new();
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            sizes.push(data.len());
            read.extend_from_slice(&data);
        }
        assert_eq!((sizes, read == bytes), (vec![65_536, 65_536, 65_536, 3_392], true));
        assert!(http_body::Body::is_end_stream(&body));

        let mut body = FileBody::new(content(&file, &[(0, 200_000)]), Disk::new(), None);
        body.frame().await.unwrap().unwrap();
        File::options().write(true).open(directory.join("f")).unwrap().set_len(100_000).unwrap();
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the file became shorter while it was sent");
        assert!(body.frame().await.is_none());
    }

    #[test]
    fn d_30_only_what_keeps_a_file_open_or_much_of_it_needs_a_place() {
        let directory = temporary_directory("places");
        std::fs::write(directory.join("f"), vec![b'a'; 200_000]).unwrap();
        let file = Arc::new(File::open(directory.join("f")).unwrap());
        let is_large = |spans: &[(u64, u64)]| {
            let mut content = content(&file, spans);
            let before = content.is_large();
            content.read_first().unwrap();
            assert_eq!(content.is_large(), before, "{spans:?}: it does not matter when one asks");
            before
        };
        assert!(!is_large(&[]) && !is_large(&[(0, 1)]) && !is_large(&[(100_000, 16 * 1024)]));
        assert!(is_large(&[(0, 16 * 1024 + 1)]) && is_large(&[(0, 64 * 1024)]) && is_large(&[(0, 64 * 1024 + 1)]));
        assert!(is_large(&[(0, 1), (2, 1)]), "the file is still open for the second part");
    }

    #[tokio::test]
    async fn parts_and_texts_come_in_order() {
        let directory = temporary_directory("parts");
        std::fs::write(directory.join("f"), "0123456789").unwrap();
        let file = Arc::new(File::open(directory.join("f")).unwrap());
        let mut content = Content::default();
        content.text("<");
        content.span(&file, 8, 2);
        content.text("|");
        content.span(&file, 0, 3);
        content.text(">");
        assert_eq!(content.length(), 8);
        let whole = FileBody::new(content, Disk::new(), None).collect().await.unwrap().to_bytes();
        assert_eq!(whole, "<89|012>");
    }
}
