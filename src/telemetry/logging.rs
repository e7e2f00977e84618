//! The process's own log, to standard error: state changes and what a person must act on, never a request each.

use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// For people.
    Text,
}

/// What to log, and how.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub(crate) filter: &'static str,
    pub(crate) format: Format,
}

impl Default for Settings {
    fn default() -> Self {
        Self { filter: "info", format: Format::Json }
    }
}

/// Starts logging for the process. A second call changes nothing, so that several instances can live in one test process.
pub(crate) fn start(settings: &Settings) {
    let filter = EnvFilter::new(format!("warn,vestibule={}", settings.filter));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let _ = match settings.format {
        Format::Json => builder.json().flatten_event(true).try_init(),
        Format::Text => builder.with_target(false).try_init(),
    };
}
