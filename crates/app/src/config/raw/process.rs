//! `admin`, `access_log`, `log`, `shutdown`: settings of the process.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::DEFAULT_ADDRESS;
use crate::config::raw::value::{List, Period, SecretText};

/// The admin endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// Address and port. The protocol is plain HTTP: do not expose it on public networks.
    pub(crate) address: String,
    /// Host names, without port, that requests to `/metrics` may use in `Host`. IP addresses and `localhost` are always allowed.
    /// `/livez` and `/readyz` accept any host. Other hosts are answered 421, which protects the metrics against DNS rebinding.
    /// Example: `[vestibule.monitoring.svc]`.
    pub(crate) hosts: List<String>,
    /// Pages at `/console` for the person on call: the users of the pools that have a `store`, their state and sessions, and the sign-in log. `address`
    /// must be a loopback address, because the protocol is plain HTTP. Without it, there are none.
    pub(crate) console: Option<Console>,
}

/// The console of the admin endpoint.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Console {
    /// The password that browsers ask for, with any user name: at least 32 random characters. Prefer `${NAME}` or `password_file`.
    pub(crate) password: Option<SecretText>,
    /// File with the password. `vestibule keys store` writes one that will do.
    pub(crate) password_file: Option<String>,
}

/// The access log.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AccessLog {
    /// `stdout`, `syslog`, or the path of a file to append to. A new file gets mode 0640.
    pub(crate) destination: String,
    /// Where `destination: syslog` sends the lines.
    pub(crate) syslog: Option<Syslog>,
    /// The format of the lines.
    pub(crate) format: AccessLogFormat,
    /// The names in the lines of `format: alb`.
    pub(crate) alb: Option<AlbNames>,
}

/// A syslog server. The lines are messages of RFC 5424; on a Unix socket they have the form of local programs, which is expected there.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Syslog {
    /// `unix:///dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`. Over TCP, each message has its length first (RFC 6587). Messages are not
    /// encrypted: send them to this host, or through a network that you trust.
    pub(crate) address: String,
    /// The facility.
    pub(crate) facility: SyslogFacility,
    /// The name of the program in the messages: at most 48 visible ASCII characters.
    pub(crate) app_name: String,
}

/// A facility of syslog (RFC 5424 §6.2.1).
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SyslogFacility {
    /// Messages of users' programs.
    User = 1,
    /// Messages of daemons.
    Daemon = 3,
    /// For local use.
    #[default]
    Local0 = 16,
    /// For local use.
    Local1,
    /// For local use.
    Local2,
    /// For local use.
    Local3,
    /// For local use.
    Local4,
    /// For local use.
    Local5,
    /// For local use.
    Local6,
    /// For local use.
    Local7,
}

impl Default for Syslog {
    fn default() -> Self {
        Self {
            address: "unix:///dev/log".to_owned(),
            facility: SyslogFacility::default(),
            app_name: "vestibule".to_owned(),
        }
    }
}

/// The format of the access log.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AccessLogFormat {
    /// One JSON object per line.
    #[default]
    Json,
    /// The 34 fields of the AWS Application Load Balancer, for tools that read its logs. It has no user and fewer reasons.
    Alb,
}

/// What the access log has in place of the identifiers of AWS.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AlbNames {
    /// The field `elb`.
    pub(crate) load_balancer: String,
    /// The field `target_group_arn` of target groups, by their names. The others have their name in it.
    pub(crate) target_group_arns: BTreeMap<String, String>,
}

impl Default for AlbNames {
    fn default() -> Self {
        Self { load_balancer: "app/vestibule/0000000000000000".to_owned(), target_group_arns: BTreeMap::new() }
    }
}

/// The log of the process.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// The log level.
    pub(crate) level: Level,
    /// The log format.
    pub(crate) format: LogFormat,
}

/// The log level.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Serialize)]
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
#[serde(default, deny_unknown_fields)]
pub(crate) struct Shutdown {
    /// How long to keep accepting requests after a stop signal. `/readyz` already answers 503 during this time, so that a load
    /// balancer stops sending requests. Use `0s` if nothing polls `/readyz`.
    pub(crate) delay: Period,
    /// How long to wait, after `delay`, for exchanges in progress. Those that are left are closed (`proxy.drain_timeout` in the access log). The
    /// same time holds for a listener that a reload removes.
    pub(crate) drain_timeout: Period,
}

impl Default for Admin {
    fn default() -> Self {
        Self { address: DEFAULT_ADDRESS.to_string(), hosts: List::default(), console: None }
    }
}

impl Default for AccessLog {
    fn default() -> Self {
        Self { destination: STDOUT.to_owned(), syslog: None, format: AccessLogFormat::Json, alb: None }
    }
}

/// The destinations that are no files.
pub(crate) const STDOUT: &str = "stdout";
pub(crate) const SYSLOG: &str = "syslog";

impl Default for Shutdown {
    fn default() -> Self {
        Self { delay: Duration::from_secs(5).into(), drain_timeout: Duration::from_secs(30).into() }
    }
}
