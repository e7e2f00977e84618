//! What becomes of a request, for `check --request` and `test`: as text, as JSON, and to compare with what is expected.

use std::fmt::{self, Write as _};

use http::{HeaderMap, header};
use serde::Serialize;

use crate::app::explain::suppose::End;
use crate::exchange::rejection::Rejection;
use crate::message::Response;
use crate::message::causes::with_causes;

/// What one listener does with a request.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    pub(crate) listener: String,
    /// The name of the rule; `default` for the default actions. `None` where no rule is asked.
    pub(crate) rule: Option<String>,
    pub(crate) outcome: Outcome,
    /// The same for people, with the conditions and the gates.
    pub(crate) text: String,
}

/// How a request ends.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(crate) enum Outcome {
    /// It is sent to a target group, with this path and query, and with these headers by name.
    Forward {
        target_group: String,
        path: String,
        headers: Vec<Header>,
        removed: Vec<String>,
    },
    /// The proxy that asked lets it pass, with these headers by name.
    Allow {
        headers: Vec<Header>,
        removed: Vec<String>,
    },
    /// The browser is sent to sign in.
    SignIn {
        provider: String,
    },
    Refuse {
        status: u16,
        reason: &'static str,
        cause: Option<String>,
    },
    Redirect {
        status: u16,
        location: String,
    },
    /// A response that the configuration has, or a CORS preflight.
    Answer {
        status: u16,
    },
    /// Vestibule answers: a reserved path, or the host of a user pool.
    Own,
    /// The TLS handshake fails, so there is no request.
    NoConnection {
        cause: &'static str,
        why: String,
    },
    /// Nobody can have the claims.
    Impossible {
        why: String,
    },
}

/// A header field. A name that is sent twice is there twice.
#[derive(Debug, Serialize)]
pub(crate) struct Header {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl Outcome {
    /// The name in files of cases and in JSON.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Forward { .. } => "forward",
            Self::Allow { .. } => "allow",
            Self::SignIn { .. } => "sign-in",
            Self::Refuse { .. } => "refuse",
            Self::Redirect { .. } => "redirect",
            Self::Answer { .. } => "answer",
            Self::Own => "own",
            Self::NoConnection { .. } => "no-connection",
            Self::Impossible { .. } => "impossible",
        }
    }

    /// The headers that the target gets, if the request reaches one.
    pub(crate) fn headers(&self) -> Option<&[Header]> {
        match self {
            Self::Forward { headers, .. } | Self::Allow { headers, .. } => Some(headers),
            _ => None,
        }
    }

    /// The host that the target gets, if the request reaches one.
    pub(crate) fn host(&self) -> Option<&str> {
        let headers = self.headers()?;
        headers.iter().find(|header| header.name == header::HOST.as_str()).map(|header| header.value.as_str())
    }

    pub(super) fn refused(rejection: &Rejection) -> Self {
        Self::Refuse {
            status: rejection.reason.status().as_u16(),
            reason: rejection.reason.code(),
            cause: rejection.source.as_deref().map(|error| with_causes(error)),
        }
    }

    /// The outcome of a chain. `sent` are the headers of the client.
    pub(super) fn of(end: End, sent: &HeaderMap) -> Self {
        let removed = |kept: &HeaderMap| {
            let mut names: Vec<_> =
                sent.keys().filter(|name| !kept.contains_key(*name)).map(ToString::to_string).collect();
            names.sort();
            names
        };
        match end {
            End::SignIn(provider) => Self::SignIn { provider },
            End::Refused(rejection) => Self::refused(&rejection),
            End::Answered(response) => answered(&response),
            End::Forward { group, target, headers } => {
                let (target_group, removed) = (group.to_string(), removed(&headers));
                Self::Forward { target_group, path: target.to_string(), headers: listed(&headers), removed }
            }
            End::Allow(headers) => Self::Allow { headers: listed(&headers), removed: removed(&headers) },
            End::NobodyHas(why) => Self::Impossible { why: why.to_owned() },
        }
    }

    /// The lines of the explanation.
    pub(super) fn describe(&self, text: &mut String) {
        let _ = writeln!(text, "  outcome: {self}");
        let (Self::Forward { headers, removed, .. } | Self::Allow { headers, removed }) = self else { return };
        for Header { name, value } in headers {
            let _ = writeln!(text, "    {name}: {value}");
        }
        if !removed.is_empty() {
            let _ = writeln!(text, "    removed: {}", removed.join(", "));
        }
    }
}

impl fmt::Display for Outcome {
    /// In one line, without the headers.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forward { target_group, .. } => write!(f, "forwarded to `{target_group}` with these headers"),
            Self::Allow { .. } => f.write_str("the other proxy lets it pass with these headers"),
            Self::SignIn { provider } => write!(f, "the browser is sent to sign in with `{provider}`"),
            Self::Refuse { status, reason, cause } => {
                write!(f, "refused with {status} `{reason}`")?;
                cause.as_ref().map_or(Ok(()), |cause| write!(f, ": {cause}"))
            }
            Self::Redirect { status, location } => write!(f, "redirected ({status}) to {location}"),
            Self::Answer { status } => write!(f, "answered with {status}"),
            Self::Own => f.write_str("answered by the proxy itself"),
            Self::NoConnection { cause, why } => {
                write!(f, "no connection, because the TLS handshake fails with `{cause}`: {why}")
            }
            Self::Impossible { why } => write!(f, "none, because no sign-in gives these claims: {why}"),
        }
    }
}

fn answered(response: &Response) -> Outcome {
    let status = response.status().as_u16();
    match response.headers().get(header::LOCATION) {
        Some(location) if response.status().is_redirection() => {
            Outcome::Redirect { status, location: String::from_utf8_lossy(location.as_bytes()).into_owned() }
        }
        _ => Outcome::Answer { status },
    }
}

fn listed(headers: &HeaderMap) -> Vec<Header> {
    let mut list: Vec<_> = headers
        .iter()
        .map(|(name, value)| Header {
            name: name.to_string(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        })
        .collect();
    // Fields of one name keep their order, which has a meaning (RFC 9110 §5.3).
    list.sort_by(|one, other| one.name.cmp(&other.name));
    list
}
