//! Sends the rest of a request whose response has already begun.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::io::AsyncWrite as _;

use crate::drain::Spawner;
use crate::upstream::http1::connection::Connection;
use crate::upstream::http1::request_writer::RequestWriter;
use crate::upstream::target_stream::TargetStream;

/// Writes the rest of `request` in a task of its own. The task goes on if the client stops reading the response, after
/// the response has ended, and while the process shuts down, because an application may respond "accepted" and then
/// read on. The task ends when nothing was read or written for `timeout`.
///
/// If the client's body is incomplete, the target must not take it for complete. So the stream to the target is closed.
pub(crate) fn finish(mut request: Box<RequestWriter>, connection: &Connection, timeout: Duration, spawner: &Spawner) {
    let mut stream = connection.stream.clone();
    spawner.spawn_local(|_| async move {
        let is_whole = is_written(&mut request, &mut stream, timeout).await;
        if !is_whole {
            let closing = poll_fn(|cx| Pin::new(&mut stream).poll_shutdown(cx));
            let _ = tokio::time::timeout(timeout, closing).await;
        }
    });
}

async fn is_written(request: &mut RequestWriter, stream: &mut TargetStream, timeout: Duration) -> bool {
    loop {
        let seen = request.moves();
        let mut writing = pin!(poll_fn(|cx| request.poll_write(stream, cx)));
        if let Ok(written) = tokio::time::timeout(timeout, writing.as_mut()).await {
            return written.is_ok();
        }
        if request.moves() == seen {
            return false;
        }
    }
}
