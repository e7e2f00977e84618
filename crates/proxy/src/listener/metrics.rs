//! The metrics of listeners.

use std::sync::Arc;

use crate::certificate::client::refusal::CAUSES;
use crate::telemetry::metrics::{Counter, Registry};

/// The counters of one listener for one worker.
#[derive(Clone, Debug)]
pub struct Metrics {
    listener: Arc<str>,
    /// Connections accepted.
    pub(crate) accepted: Counter,
    /// Connections closed at once because their client address had reached its limit of connections.
    pub(crate) refused: Counter,
    /// Connections closed because they did not begin with a header of the PROXY protocol from a trusted proxy.
    pub(crate) without_proxy: Counter,
    /// Connections open now.
    pub(crate) open: Counter,
    /// Connections at rest now: open, with no request in progress, and with their buffers freed.
    pub(crate) resting: Counter,
    /// TLS handshakes that failed or took too long.
    pub(crate) handshakes_failed: Counter,
    /// Connections that Vestibule closed because they were idle for too long, or because a head was incomplete for too
    /// long.
    pub(crate) timed_out: Counter,
    /// HTTP/2 connections that Vestibule closed because the client sent too many frames without effect.
    pub(crate) calmed: Counter,
    /// HTTP/2 requests that Vestibule refused because too many requests were in progress or their heads took too much
    /// memory.
    pub(crate) streams_refused: Counter,
    /// TLS handshakes refused because of the client's certificate, in the order of [`CAUSES`].
    certificates_refused: [Counter; CAUSES.len()],
}

impl Metrics {
    /// Whether these are the counters of the listener of that name.
    pub fn are_of(&self, listener: &str) -> bool {
        *self.listener == *listener
    }

    /// Counts a handshake that was refused because of the client's certificate.
    pub(crate) fn certificate_refused(&self, cause: &str) {
        if let Some((_, counter)) = CAUSES.iter().zip(&self.certificates_refused).find(|(known, _)| **known == cause) {
            counter.increment();
        }
    }

    /// The counters of `listener` for one worker.
    pub fn new(registry: &Registry, listener: &str) -> Self {
        let labels = || vec![("listener", listener.to_owned())];
        Self {
            listener: listener.into(),
            accepted: registry.counter("vestibule_connections_total", "Connections accepted.", labels()),
            refused: registry.counter(
                "vestibule_connections_refused_total",
                "Connections closed at once because their client address had connections_per_address_max open.",
                labels(),
            ),
            without_proxy: registry.counter(
                "vestibule_proxy_protocol_refused_total",
                "Connections closed because they came from no trusted proxy, or without a valid header of the PROXY protocol.",
                labels(),
            ),
            open: registry.gauge("vestibule_connections_open", "Connections open now.", labels()),
            resting: registry.gauge(
                "vestibule_connections_resting",
                "Open HTTP/1.1 connections on which nothing is under way, with their buffers given back.",
                labels(),
            ),
            handshakes_failed: registry.counter(
                "vestibule_tls_handshakes_failed_total",
                "TLS handshakes that failed or took too long.",
                labels(),
            ),
            timed_out: registry.counter(
                "vestibule_connections_timed_out_total",
                "Connections closed because nothing moved, or a request head did not end.",
                labels(),
            ),
            calmed: registry.counter(
                "vestibule_http2_calmed_total",
                "HTTP/2 connections closed with ENHANCE_YOUR_CALM: the client sent too many frames that do nothing.",
                labels(),
            ),
            certificates_refused: CAUSES.map(|cause| {
                registry.counter(
                    "vestibule_client_certificates_refused_total",
                    "TLS handshakes refused because of the client's certificate, by cause. `none`: the client has shown none.",
                    [labels(), vec![("cause", cause.to_owned())]].concat(),
                )
            }),
            streams_refused: registry.counter(
                "vestibule_http2_requests_refused_total",
                "HTTP/2 requests refused with REFUSED_STREAM: the heads of requests under way took too much memory.",
                labels(),
            ),
        }
    }
}
