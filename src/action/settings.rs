//! Validated settings of every action.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::message::cookie::SameSite;

/// What a rule does: gates in order, then exactly one terminal (ALB §1.3).
#[derive(Clone, Debug)]
pub(crate) struct ChainSettings {
    /// Run first; each may stop the request.
    pub(crate) gates: Vec<GateSettings>,
    /// Always answers.
    pub(crate) terminal: TerminalSettings,
}

/// A gate.
#[derive(Clone, Debug)]
pub(crate) enum GateSettings {
    /// `authenticate-oidc` and `authenticate-user-pool`: the same login with one more kind of issuer (DESIGN §8).
    Authenticate(AuthenticateSettings),
}

/// `authenticate-oidc` (ALB §1.1), and `authenticate-user-pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuthenticateSettings {
    /// The action as it is written: `authenticate-oidc` or `authenticate-user-pool`.
    pub(crate) kind: AuthenticateKind,
    /// Base name of the session cookie; shards are `-0` to `-3`.
    pub(crate) session_cookie_name: Arc<str>,
    /// The scope to ask for, as it is sent: space-separated. `openid` by default.
    pub(crate) scope: String,
    /// Absolute life of a session, from its login. 7 days by default.
    pub(crate) session_timeout: Duration,
    /// Added to the authorization request after ours; at most 10, none of them one of ours.
    pub(crate) extra_params: BTreeMap<String, String>,
    /// What to do with a request that has no session.
    pub(crate) on_unauthenticated: OnUnauthenticated,
    /// What `deny` does with a session that is over.
    pub(crate) on_expired: OnExpired,
    /// Whether what signed-in users are answered is `Cache-Control: private`, whatever the target says (pitfalls 67).
    pub(crate) private_responses: bool,
    /// Of the session's cookies.
    pub(crate) same_site: SameSite,
    /// Origins, as browsers write them, whose pages may open WebSockets as the user.
    pub(crate) allowed_origins: Arc<[String]>,
}

/// Who signs the user in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AuthenticateKind {
    /// A provider of `identity_providers`, by name.
    Oidc(Arc<str>),
    /// A pool of `user_pools`, by name.
    UserPool(Arc<str>),
}

/// `on_unauthenticated_request` (ALB §1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnUnauthenticated {
    /// A navigation goes to the provider; anything else is answered 401.
    #[default]
    Authenticate,
    /// 401.
    Deny,
    /// Goes on as anonymous.
    Allow,
}

/// `on_expired_session`, for `deny` only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum OnExpired {
    /// 401, as for a request that never had a session.
    #[default]
    Deny,
    /// To the provider, as the ALB does (ALB §2.1).
    Authenticate,
}

/// A terminal.
#[derive(Clone, Debug)]
pub(crate) enum TerminalSettings {
    /// `forward` to a target group, by name.
    Forward(ForwardSettings),
    /// `redirect`.
    Redirect(RedirectSettings),
    /// `fixed-response`.
    FixedResponse(FixedResponseSettings),
}

/// `forward`.
#[derive(Clone, Debug)]
pub(crate) struct ForwardSettings {
    /// A group of `target_groups`.
    pub(crate) target_group: Arc<str>,
    /// Send the client's `Host` on as it came (ALB §10.4 `preserve_host_header`); else without a default port.
    pub(crate) preserve_host: bool,
}

/// `redirect` (ALB §7.3), with its placeholders parsed.
#[derive(Clone, Debug)]
pub(crate) struct RedirectSettings {
    /// 301 or 302.
    pub(crate) status: StatusCode,
    /// `None` keeps the request's.
    pub(crate) protocol: Option<Protocol>,
    /// `#{host}` by default.
    pub(crate) host: Template,
    /// `#{port}` by default.
    pub(crate) port: Template,
    /// `/#{path}` by default.
    pub(crate) path: Template,
    /// `#{query}` by default.
    pub(crate) query: Template,
}

/// A scheme to redirect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    Https,
}

/// Text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(pub(crate) Vec<Piece>);

/// A piece of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(String),
    Protocol,
    Host,
    Port,
    /// Without its leading slash.
    Path,
    Query,
}

/// A placeholder that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown placeholder `#{{{0}}}`")]
pub(crate) struct UnknownPlaceholder(pub(crate) String);

impl Template {
    /// Reads text in which `#{host}` and its like stand for parts of the request.
    ///
    /// # Errors
    ///
    /// [`UnknownPlaceholder`].
    pub(crate) fn parse(text: &str) -> Result<Self, UnknownPlaceholder> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("#{") {
            let Some((name, after)) = after.split_once('}') else { break };
            if !before.is_empty() {
                pieces.push(Piece::Literal(before.to_owned()));
            }
            pieces.push(match name {
                "protocol" => Piece::Protocol,
                "host" => Piece::Host,
                "port" => Piece::Port,
                "path" => Piece::Path,
                "query" => Piece::Query,
                other => return Err(UnknownPlaceholder(other.to_owned())),
            });
            rest = after;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self(pieces))
    }
}

/// `fixed-response` (ALB §7.3).
#[derive(Clone, Debug)]
pub(crate) struct FixedResponseSettings {
    /// 2xx, 4xx or 5xx.
    pub(crate) status: StatusCode,
    /// One of the five that the ALB allows.
    pub(crate) content_type: http::HeaderValue,
    /// At most 1024 bytes.
    pub(crate) body: bytes::Bytes,
}
