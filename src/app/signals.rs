//! SIGTERM and SIGINT mean: drain and stop.

use tokio::signal::unix::{SignalKind, signal};

/// Waits for either.
pub(crate) async fn stop() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without signals the process can only be killed, which needs no help.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
