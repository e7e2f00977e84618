//! The tracers of the process, and the tasks that send what they take.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;

use crate::app::error::Error;
use crate::app::kept::Kept;
use crate::clock::Clock;
use crate::crypto::uuid;
use crate::drain::Control;
use crate::otlp::exporter::{self, Flusher};
use crate::otlp::settings::Settings;
use crate::telemetry::metrics::Registry;
use crate::telemetry::traces::tracer::Tracer;

/// One for each collector that a configuration has or had. A tracer whose configuration is no longer used ends, and its task sends what it
/// has taken.
#[derive(Debug)]
pub(crate) struct Traces {
    tracers: Kept<Settings, Tracer>,
    flushers: Mutex<Vec<Flusher>>,
    /// `service.instance.id` of this process.
    instance: String,
}

impl Traces {
    pub(crate) fn new() -> Self {
        Self { tracers: Kept::default(), flushers: Mutex::default(), instance: uuid::random() }
    }

    /// The tracer of a configuration: the same as before if its settings are the same.
    ///
    /// # Errors
    ///
    /// Returns an error if the client of the collector cannot be made.
    pub(crate) fn tracer(
        &self,
        settings: Option<Settings>,
        (clock, registry, control): (&Clock, &Registry, &Control),
    ) -> Result<Option<Arc<Tracer>>, Error> {
        let Some(settings) = settings else { return Ok(None) };
        let made = self.tracers.take_over(settings, |settings| {
            let prepared = exporter::prepare(&settings, &self.instance, clock, registry);
            let (tracer, exporter, flusher) = prepared.map_err(|error| Error::Traces(error.into()))?;
            let mut flushers = self.flushers.lock().unwrap_or_else(PoisonError::into_inner);
            flushers.retain(|flusher| !flusher.has_ended());
            flushers.push(flusher);
            // It ends after the tracer.
            control.start_detached(exporter.run());
            Ok(tracer)
        });
        made.map(Some)
    }

    /// Whether no exporter runs.
    pub(crate) fn is_empty(&self) -> bool {
        let flushers = self.flushers.lock().unwrap_or_else(PoisonError::into_inner);
        flushers.iter().all(Flusher::has_ended)
    }

    /// Sends what has been taken so far, also by tracers of earlier configurations. Gives up after `max`.
    pub(crate) async fn flush(&self, max: Duration) {
        let flushers = self.flushers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let flushed = join_all(flushers.iter().map(Flusher::flush));
        if tokio::time::timeout(max, flushed).await.is_err() {
            tracing::warn!("the collector of traces did not take the last spans in time");
        }
    }
}
