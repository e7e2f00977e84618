//! Validated settings of all actions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use crate::action::demand::Demand;
use crate::action::requirement::Requirement;
use crate::action::transform;
use crate::message::cookie::SameSite;
use crate::oidc::access_token::Wanted;
use crate::page::logo::Logo;
use crate::static_files;
use crate::upstream::stickiness::settings::Format;

/// The actions of a rule: gates in order, then exactly one terminal (ALB §1.3).
#[derive(Clone, Debug)]
pub struct ChainSettings {
    /// The gates. Each may stop the request.
    pub gates: Vec<GateSettings>,
    /// The terminal. It always answers.
    pub terminal: TerminalSettings,
}

impl ChainSettings {
    /// What a sign-in has to meet, so that every `authorize` lets the user in. Validation allows one `authorize` with a demand.
    pub fn demand(&self) -> Demand {
        let demand = self.gates.iter().filter_map(GateSettings::authorize).find_map(AuthorizeSettings::enforced_demand);
        demand.cloned().unwrap_or_default()
    }
}

/// A gate.
#[derive(Clone, Debug)]
pub enum GateSettings {
    /// `authenticate-oidc` or `authenticate-user-pool`. They differ only in the issuer (DESIGN §8).
    Authenticate(AuthenticateSettings),
    /// `jwt-validation`.
    Bearer(BearerSettings),
    /// `session-or-bearer`.
    SessionOrBearer(AuthenticateSettings, BearerSettings),
    /// `authorize`. An action that authenticates comes before it.
    Authorize(AuthorizeSettings),
}

impl GateSettings {
    /// The settings of an action that signs users in.
    pub fn authenticate(&self) -> Option<&AuthenticateSettings> {
        match self {
            Self::Authenticate(settings) | Self::SessionOrBearer(settings, _) => Some(settings),
            Self::Bearer(_) | Self::Authorize(_) => None,
        }
    }

    /// The settings of an action that takes bearer tokens.
    pub fn bearer(&self) -> Option<&BearerSettings> {
        match self {
            Self::Bearer(settings) | Self::SessionOrBearer(_, settings) => Some(settings),
            Self::Authenticate(_) | Self::Authorize(_) => None,
        }
    }

    /// The settings of an `authorize`.
    pub fn authorize(&self) -> Option<&AuthorizeSettings> {
        match self {
            Self::Authorize(settings) => Some(settings),
            Self::Authenticate(_) | Self::Bearer(_) | Self::SessionOrBearer(..) => None,
        }
    }
}

/// `authorize`.
#[derive(Clone, Debug)]
pub struct AuthorizeSettings {
    /// What the claims must be. `None`: the action only demands something of the sign-in.
    pub requirement: Option<Requirement>,
    /// What the sign-in must be.
    pub demand: Demand,
    /// What happens to a user whose claims do not meet it.
    pub mode: AuthorizeMode,
    /// Whether the page says what is required.
    pub reveal: bool,
    /// Whom to ask for access, for the page.
    pub contact: Option<String>,
}

impl AuthorizeSettings {
    /// Whether a user whose claims do not meet the requirement is refused.
    pub fn is_enforced(&self) -> bool {
        self.mode == AuthorizeMode::Enforce
    }
}

impl fmt::Display for AuthorizeSettings {
    /// What is required, in one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let requirement = self.requirement.as_ref().map(|requirement| match requirement {
            Requirement::Any(parts) if parts.len() > 1 && !self.demand.is_empty() => format!("({requirement})"),
            _ => requirement.to_string(),
        });
        let demand = (!self.demand.is_empty()).then(|| self.demand.to_string());
        f.write_str(&requirement.into_iter().chain(demand).collect::<Vec<_>>().join(" and "))
    }
}

/// `mode` of `authorize`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthorizeMode {
    /// 403.
    #[default]
    Enforce,
    /// The request goes on; a line in the log and a metric tell of it.
    Report,
}

/// `authenticate-oidc` (ALB §1.1), and `authenticate-user-pool`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthenticateSettings {
    /// Where users sign in: at least one provider. With several, the user chooses.
    pub providers: Vec<ProviderChoice>,
    /// Base name of the session cookie. The shards have the suffixes `-0` to `-3`.
    pub session_cookie_name: Arc<str>,
    /// The scopes to request, separated by spaces. Default: `openid`.
    pub scope: String,
    /// Maximum duration of a session, counted from the sign-in. Default: 7 days.
    pub session_timeout: Duration,
    /// Extra parameters of the authorization request. At most 10; none may be a parameter of the protocol.
    pub extra_params: BTreeMap<String, String>,
    /// What to do with a request without a session.
    pub on_unauthenticated: OnUnauthenticated,
    /// What `deny` does with an expired session.
    pub on_expired: OnExpired,
    /// Whether responses to signed-in users are always `Cache-Control: private` (pitfalls 67).
    pub private_responses: bool,
    /// The `SameSite` attribute of the session cookies.
    pub same_site: SameSite,
    /// Other origins whose pages may open WebSockets as the user, in the form of the `Origin` header.
    pub allowed_origins: Arc<[String]>,
}

/// `jwt-validation` (ALB §8.1), and `bearer` of `session-or-bearer`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BearerSettings {
    /// Who issues the tokens: at least one.
    pub issuers: Vec<AuthenticateKind>,
    pub wanted: Wanted,
    pub validation: Validation,
    /// The token must have all of these scopes.
    pub scopes: Vec<String>,
    /// The path of the resource that tokens are for, for clients that look for the issuer (RFC 9728 §1.2). Empty: the whole host.
    pub resource_path: String,
    /// Whether the resource has metadata. Otherwise another rule has other issuers there, and a client could be led to the wrong one.
    pub is_announced: bool,
    /// The client that command-line programs sign in with. Published.
    pub public_client_id: Option<String>,
    /// Scopes that clients should ask for. Published.
    pub suggested_scopes: Vec<String>,
    /// All of these must hold.
    pub additional_claims: Vec<AdditionalClaim>,
}

/// `validation`: who says whether a token is valid.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Validation {
    /// The keys of the issuer: tokens are JWTs.
    #[default]
    Keys,
    /// The issuer, which is asked about each token (RFC 7662).
    Introspection,
    /// The keys for a token that has the form of a JWT, the issuer for any other.
    ByForm,
}

impl Validation {
    /// Whether the issuer is asked about this token. Only the form of the token decides, never how its verification ends: a JWT that does not verify
    /// is refused.
    pub(crate) fn introspects(self, token: &str) -> bool {
        match self {
            Self::Keys => false,
            Self::Introspection => true,
            Self::ByForm => token.bytes().filter(|byte| *byte == b'.').count() != 2,
        }
    }
}

/// `additional_claims`: one claim, which must have one of the values (ALB §8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdditionalClaim {
    pub name: String,
    pub format: ClaimFormat,
    pub values: Vec<String>,
}

/// How a claim is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimFormat {
    /// A text, which is one of the values.
    SingleString,
    /// A list of texts, one of which is one of the values.
    StringArray,
    /// A text of words, one of which is one of the values.
    SpaceSeparatedValues,
}

impl AuthenticateSettings {
    /// Whether users sign in at this provider.
    pub fn is_with(&self, kind: &AuthenticateKind) -> bool {
        self.providers.iter().any(|provider| provider.kind == *kind)
    }

    /// Whether a session of `other` can be of a provider of this action.
    pub fn shares_provider_with(&self, other: &Self) -> bool {
        other.providers.iter().any(|provider| self.is_with(&provider.kind))
    }
}

/// A provider of an action, and how it is shown on the page on which users choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderChoice {
    pub kind: AuthenticateKind,
    /// What users read. Default: the name.
    pub title: Arc<str>,
    pub logo: Option<Logo>,
    /// Domains of e-mail addresses whose users sign in there, in lower case and ASCII. A hint for the choice only.
    pub email_domains: Vec<String>,
}

impl ProviderChoice {
    /// A provider that is shown by its name.
    pub fn plain(kind: AuthenticateKind) -> Self {
        Self { title: Arc::clone(kind.name()), kind, logo: None, email_domains: Vec::new() }
    }
}

/// A provider, by its name in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AuthenticateKind {
    /// The name of an entry in `identity_providers`.
    Oidc(Arc<str>),
    /// The name of an entry in `user_pools`.
    UserPool(Arc<str>),
}

impl AuthenticateKind {
    /// The name in the configuration.
    pub const fn name(&self) -> &Arc<str> {
        match self {
            Self::Oidc(name) | Self::UserPool(name) => name,
        }
    }
}

/// `on_unauthenticated_request` (ALB §1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnUnauthenticated {
    /// A navigation is redirected to the provider. Any other request is answered 401.
    #[default]
    Authenticate,
    /// 401.
    Deny,
    /// The request continues without a user.
    Allow,
}

/// `on_expired_session`, only with `deny`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExpired {
    /// 401, as for a request without a session.
    #[default]
    Deny,
    /// Redirects to the provider, as the ALB does (ALB §2.1).
    Authenticate,
}

/// A terminal.
#[derive(Clone, Debug)]
pub enum TerminalSettings {
    /// `forward` to a target group, by name.
    Forward(ForwardSettings),
    /// `redirect`.
    Redirect(RedirectSettings),
    /// `fixed-response`.
    FixedResponse(FixedResponseSettings),
    /// `static`.
    Static(Box<static_files::settings::Settings>),
    /// `allow`, with the audience of the signed claims. Empty where no gate identifies a user.
    Allow(Arc<str>),
}

impl TerminalSettings {
    /// The settings of a `forward`.
    pub fn forward(&self) -> Option<&ForwardSettings> {
        if let Self::Forward(settings) = self { Some(settings) } else { None }
    }
}

/// `forward`.
#[derive(Clone, Debug)]
pub struct ForwardSettings {
    /// The names of entries in `target_groups`, with their weights: one to five. At least one weight is more than zero.
    pub groups: Vec<(Arc<str>, u16)>,
    /// Whether a browser stays at its group. Only with several groups.
    pub stickiness: Option<GroupStickiness>,
    /// `transforms` of the rule.
    pub transforms: Option<transform::Settings>,
    /// Whether `Host` is forwarded unchanged (ALB §10.4 `preserve_host_header`). Otherwise a default port is removed.
    pub preserve_host: bool,
}

/// `stickiness` of a `forward` (ALB §7.3). The keys are those of sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupStickiness {
    /// How long a cookie binds a browser, counted from the answer that set it.
    pub duration: Duration,
    pub format: Format,
}

/// `redirect` (ALB §7.3), with its placeholders parsed.
#[derive(Clone, Debug)]
pub struct RedirectSettings {
    /// 301 or 302.
    pub status: StatusCode,
    /// `None` keeps the protocol of the request.
    pub protocol: Option<Protocol>,
    /// Default: `#{host}`.
    pub host: Template,
    /// Default: `#{port}`.
    pub port: Template,
    /// Default: `/#{path}`.
    pub path: Template,
    /// Default: `#{query}`.
    pub query: Template,
}

/// A scheme to redirect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http,
    Https,
}

/// Text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(pub Vec<Piece>);

/// A part of a [`Template`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Literal(String),
    Protocol,
    Host,
    Port,
    /// The path without its leading slash.
    Path,
    Query,
}

/// A placeholder that does not exist.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown placeholder `#{{{0}}}`")]
pub struct UnknownPlaceholder(pub String);

impl Template {
    /// Parses a text with placeholders such as `#{host}`.
    ///
    /// # Errors
    ///
    /// [`UnknownPlaceholder`].
    pub fn parse(text: &str) -> Result<Self, UnknownPlaceholder> {
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
pub struct FixedResponseSettings {
    /// 2xx, 4xx or 5xx.
    pub status: StatusCode,
    /// One of the five content types that the ALB allows.
    pub content_type: http::HeaderValue,
    /// At most 1024 bytes.
    pub body: bytes::Bytes,
}
