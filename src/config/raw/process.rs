//! `admin`, `access_log`, `log`, `shutdown`: settings of the process.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period};

/// The admin endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Address and port. The protocol is plain HTTP: do not expose it on public networks. Default: `127.0.0.1:9440`.
    pub(crate) address: Option<String>,
    /// Host names, without port, that requests to `/metrics` may use in `Host`. IP addresses and `localhost` are
    /// always allowed. `/livez` and `/readyz` accept any host. Other hosts are answered 421, which protects the
    /// metrics against DNS rebinding. Example: `[vestibule.monitoring.svc]`. Default: none.
    #[serde(default)]
    pub(crate) hosts: List<String>,
}

/// The access log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// `stdout`, or the path of a file to append to. A new file gets mode 0640. Default: `stdout`.
    pub(crate) destination: Option<String>,
}

/// The log of the process.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// The log level. Default: `info`.
    #[serde(default)]
    pub(crate) level: Level,
    /// The log format. Default: `text`.
    #[serde(default)]
    pub(crate) format: LogFormat,
}

/// The log level.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// Somebody must act.
    Error,
    /// Handled, but unexpected.
    Warn,
    /// Changes of the state of the process.
    #[default]
    Info,
    /// Individual exchanges.
    Debug,
    /// Everything.
    Trace,
}

/// The log format.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// One JSON object per line.
    Json,
    /// Text for people.
    #[default]
    Text,
}

/// Shutdown.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long to keep accepting requests after a stop signal. `/readyz` already answers 503 during this time, so
    /// that a load balancer stops sending requests. Use `0s` if nothing polls `/readyz`. Default: `5s`.
    pub(crate) delay: Option<Period>,
    /// How long to wait, after `delay`, for exchanges in progress. Default: `30s`.
    pub(crate) drain_timeout: Option<Period>,
}
