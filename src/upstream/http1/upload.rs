//! What is left of a request when its answer has begun.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::io::AsyncWrite as _;

use crate::drain::Spawner;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::line::Line;
use crate::upstream::http1::request_writer::RequestWriter;

/// Writes the rest of `request`, whether or not the client reads the answer, and also after the end of it: an application
/// may say "accepted" and go on to read, also while the process stops. It ends when nothing moves for `timeout`.
///
/// A body that the client breaks off must not look whole: the target is told by the end of the stream.
pub(crate) fn finish(mut request: Box<RequestWriter>, connection: &Connection, timeout: Duration, spawner: &Spawner) {
    let mut line = connection.line.clone();
    spawner.spawn_local(|_| async move {
        let is_whole = is_written(&mut request, &mut line, timeout).await;
        if !is_whole {
            let closing = poll_fn(|cx| Pin::new(&mut line).poll_shutdown(cx));
            let _ = tokio::time::timeout(timeout, closing).await;
        }
    });
}

async fn is_written(request: &mut RequestWriter, line: &mut Line, timeout: Duration) -> bool {
    loop {
        let seen = request.moves();
        let mut writing = pin!(poll_fn(|cx| request.poll_write(line, cx)));
        if let Ok(written) = tokio::time::timeout(timeout, writing.as_mut()).await {
            return written.is_ok();
        }
        if request.moves() == seen {
            return false;
        }
    }
}
