//! The access log: one record for each exchange, as one line of JSON.
//!
//! A worker writes records into a buffer of its own; a thread writes buffers to where they go. The request path never
//! waits for a disk. `docs/ACCESS_LOG.md` describes the fields, which are an interface.

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::drain::LocalExecutor;
use crate::telemetry::metrics::{Counter, Registry};

/// A buffer goes out when it has this many bytes …
const BUFFER_BYTES: usize = 32 * 1024;
/// … or at this beat.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);
/// Buffers that may wait for the writer; beyond, records are dropped and counted. A log that is stuck must not stop the
/// doors from opening, and must not take all memory.
const BUFFERS_MAX: usize = 512;

/// One exchange. Never a query, a cookie, a token or an address of a person.
#[derive(Debug, Serialize)]
pub(crate) struct AccessRecord<'e> {
    /// When the head had been read, in UTC with milliseconds.
    #[serde(serialize_with = "rfc3339")]
    pub(crate) time: Timestamp,
    pub(crate) request_id: String,
    pub(crate) listener: &'e str,
    #[serde(rename = "client.address")]
    pub(crate) client_address: std::net::IpAddr,
    #[serde(rename = "client.port")]
    pub(crate) client_port: u16,
    #[serde(rename = "http.request.method", skip_serializing_if = "Option::is_none")]
    pub(crate) method: Option<&'e str>,
    #[serde(rename = "url.scheme")]
    pub(crate) scheme: &'static str,
    #[serde(rename = "server.address", skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<&'e str>,
    #[serde(rename = "url.path", skip_serializing_if = "Option::is_none")]
    pub(crate) path: Option<&'e str>,
    #[serde(rename = "network.protocol.version", skip_serializing_if = "Option::is_none")]
    pub(crate) http_version: Option<&'static str>,
    #[serde(rename = "tls.protocol.version", skip_serializing_if = "Option::is_none")]
    pub(crate) tls_version: Option<&'static str>,
    #[serde(rename = "tls.cipher", skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cipher: Option<&'static str>,
    #[serde(rename = "tls.client.server_name", skip_serializing_if = "Option::is_none")]
    pub(crate) tls_server_name: Option<&'e str>,
    #[serde(rename = "user_agent.original", skip_serializing_if = "Option::is_none")]
    pub(crate) user_agent: Option<&'e str>,
    #[serde(rename = "rule.name", skip_serializing_if = "Option::is_none")]
    pub(crate) rule: Option<&'e str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) actions: &'e [&'static str],
    #[serde(rename = "user.id", skip_serializing_if = "Option::is_none")]
    pub(crate) subject: Option<&'e str>,
    #[serde(rename = "target.address", skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<&'e str>,
    #[serde(rename = "http.response.status_code")]
    pub(crate) status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<&'static str>,
    #[serde(rename = "http.response.body.size")]
    pub(crate) response_bytes: u64,
    /// Until the head of the answer.
    pub(crate) first_byte_ms: f64,
    /// Until its last byte.
    pub(crate) duration_ms: f64,
}

fn rfc3339<S: serde::Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Rfc3339(*time))
}

/// A timestamp as `2026-11-24T08:00:00.000Z` (RFC 3339).
pub(crate) struct Rfc3339(pub(crate) Timestamp);

impl std::fmt::Display for Rfc3339 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let seconds = self.0.seconds();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        // Days to a civil date in the proleptic Gregorian calendar, counting years from March so that the leap day is
        // last.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        let millis = self.0.millis() % 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }
}

/// Where records go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    /// Appended to; opened once.
    File(PathBuf),
}

/// The writing end: one for the process, from which each worker gets its own [`AccessLog`].
#[derive(Debug)]
pub(crate) struct Writer {
    buffers: SyncSender<Vec<u8>>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Opens the destination and starts the thread that writes to it.
    ///
    /// # Errors
    ///
    /// Where the file cannot be opened.
    pub(crate) fn start(destination: &Destination) -> io::Result<Self> {
        let output: Box<dyn Write + Send> = match destination {
            Destination::Stdout => Box::new(io::stdout()),
            Destination::File(path) => Box::new(std::fs::OpenOptions::new().create(true).append(true).open(path)?),
        };
        let (buffers, waiting) = sync_channel(BUFFERS_MAX);
        let thread =
            std::thread::Builder::new().name("access-log".into()).spawn(move || write_all(&waiting, output))?;
        Ok(Self { buffers, thread })
    }

    /// Makes a worker's log, on the worker's thread: the log itself never leaves it.
    pub(crate) fn for_worker(&self, registry: &Registry) -> Box<dyn FnOnce() -> Rc<AccessLog> + Send> {
        let dropped = registry.counter(
            "vestibule_access_log_dropped_total",
            "Access records dropped because the log was not read fast enough.",
            vec![],
        );
        let buffers = self.buffers.clone();
        Box::new(move || {
            let (buffer, records) = (RefCell::default(), Cell::default());
            let log = Rc::new(AccessLog { buffer, records, buffers, dropped });
            flush_at_a_beat(&log);
            log
        })
    }

    /// Waits until everything that the workers handed over is written. Call it when the workers have ended.
    pub(crate) fn finish(self) {
        drop(self.buffers);
        let _ = self.thread.join();
    }
}

fn write_all(waiting: &Receiver<Vec<u8>>, mut output: Box<dyn Write + Send>) {
    let mut is_failing = false;
    while let Ok(buffer) = waiting.recv() {
        match output.write_all(&buffer).and_then(|()| output.flush()) {
            Ok(()) => is_failing = false,
            Err(error) if !is_failing => {
                is_failing = true;
                tracing::error!(error = %error, "the access log cannot be written");
            }
            Err(_) => {}
        }
    }
}

/// One worker's end of the access log.
#[derive(Debug)]
pub(crate) struct AccessLog {
    buffer: RefCell<Vec<u8>>,
    records: Cell<u64>,
    buffers: SyncSender<Vec<u8>>,
    dropped: Counter,
}

impl AccessLog {
    /// Writes one record.
    pub(crate) fn write(&self, record: &AccessRecord<'_>) {
        let mut buffer = self.buffer.borrow_mut();
        let start = buffer.len();
        if serde_json::to_writer(&mut *buffer, record).is_err() {
            buffer.truncate(start);
            self.dropped.increment();
            return;
        }
        buffer.push(b'\n');
        self.records.set(self.records.get() + 1);
        let is_full = buffer.len() >= BUFFER_BYTES;
        drop(buffer);
        if is_full {
            self.flush();
        }
    }

    /// Hands the buffer over.
    pub(crate) fn flush(&self) {
        let records = self.records.replace(0);
        if records == 0 {
            return;
        }
        let full = self.buffer.replace(Vec::with_capacity(BUFFER_BYTES + 1024));
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.buffers.try_send(full) {
            self.dropped.add(records);
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
    }
}

fn flush_at_a_beat(log: &Rc<AccessLog>) {
    let log = Rc::downgrade(log);
    hyper::rt::Executor::execute(&LocalExecutor, async move {
        loop {
            tokio::time::sleep(FLUSH_INTERVAL).await;
            match log.upgrade() {
                Some(log) => log.flush(),
                None => break,
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let date = |seconds: u64| Rfc3339(Timestamp::from_seconds(seconds)).to_string();
        assert_eq!(date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(date(951_782_400), "2000-02-29T00:00:00.000Z");
        assert_eq!(date(1_709_251_199), "2024-02-29T23:59:59.000Z");
        assert_eq!(date(1_795_507_199), "2026-11-24T07:59:59.000Z");
        assert_eq!(date(4_102_444_800), "2100-01-01T00:00:00.000Z");
    }
}
