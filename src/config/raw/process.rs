//! `admin`, `access_log`, `log`, `shutdown`: what concerns the process.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::config::raw::value::{List, Period};

/// The operator's endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Admin {
    /// Address and port. Plain HTTP: keep it off public networks. Default: `127.0.0.1:9440`.
    pub(crate) address: Option<String>,
    /// Host names by which the endpoint may be asked, without a port. IP addresses and `localhost` always may, and
    /// `/livez` and `/readyz` answer by any name. A web page that points its own name at this address (DNS rebinding)
    /// gets 421 instead of the metrics. Example: `[vestibule.monitoring.svc]`. Default: none.
    #[serde(default)]
    pub(crate) hosts: List<String>,
}

/// The access log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// `stdout`, or the path of a file to append to. Default: `stdout`.
    pub(crate) destination: Option<String>,
}

/// What the process says about itself.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Log {
    /// How much. Default: `info`.
    #[serde(default)]
    pub(crate) level: Level,
    /// In which form. Default: `text`.
    #[serde(default)]
    pub(crate) format: LogFormat,
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// A person must act.
    Error,
    /// We coped, watch it.
    Warn,
    /// Changes of the process, never of one request.
    #[default]
    Info,
    /// Single exchanges.
    Debug,
    /// Everything.
    Trace,
}

/// In which form it is said.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// A JSON object for each line.
    Json,
    /// For people.
    #[default]
    Text,
}

/// How the process stops.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long requests are still accepted after a signal to stop, while `/readyz` already answers 503: a load balancer
    /// needs this time to notice. Default: `5s`; `0s` where nothing asks `/readyz`.
    pub(crate) delay: Option<Period>,
    /// How long, after the delay, exchanges that have begun may go on. Default: `30s`.
    pub(crate) drain_timeout: Option<Period>,
}
