//! Whether another proxy asked oauth2-proxy about each request (`auth_request`, `forwardAuth`), and who asks.

use crate::import::ledger::Ledger;
use crate::import::oauth2_proxy::options::Options;
use crate::import::yaml::{Map, Yaml};

/// What the command line asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// Who asks, if another proxy does.
    pub(crate) asked_by: Option<Asking>,
    /// Users choose among all providers of the alpha file.
    pub(crate) every_provider: bool,
}

/// The proxy that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asking {
    Nginx,
    Traefik,
    Caddy,
    Envoy,
}

/// The application, in the signed claims.
const AUDIENCE: &str = "app";
/// Restrictions of oauth2-proxy that stand in the file of the other proxy.
pub(super) const IN_THE_ADDRESS: &str = "If the other proxy asks with allowed_groups, allowed_emails or allowed_email_domains in the address, write rules with \
     authorize: they are not in the files of oauth2-proxy";

impl Asking {
    pub(crate) const NAMES: [&'static str; 4] = ["nginx", "traefik", "caddy", "envoy"];

    /// As in `asked_by`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Traefik => "traefik",
            Self::Caddy => "caddy",
            Self::Envoy => "envoy",
        }
    }

    /// The proxy of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Nginx, Self::Traefik, Self::Caddy, Self::Envoy].into_iter().find(|one| one.name() == name)
    }

    /// The part of docs/FORWARD_AUTH.md with the file of this proxy.
    fn file(self) -> &'static str {
        match self {
            Self::Nginx => "the nginx.conf of docs/FORWARD_AUTH.md",
            Self::Traefik => "the traefik.yaml and dynamic.yaml of docs/FORWARD_AUTH.md",
            Self::Caddy => "the Caddyfile of docs/FORWARD_AUTH.md",
            Self::Envoy => "the envoy-http.yaml of docs/FORWARD_AUTH.md",
        }
    }

    /// Whether routes and networks without a sign-in had an effect for this method, which is `None` if they have none.
    ///
    /// # Errors
    ///
    /// Why they had none, or why it is not known.
    pub(super) fn lets_pass(self, method: Option<&str>, options: &Options) -> Result<(), String> {
        match (self, method) {
            (Self::Traefik | Self::Caddy, _) if !options.is_on("reverse_proxy") => {
                Err("without reverse_proxy, oauth2-proxy was not told the path".to_owned())
            }
            (Self::Nginx, _) => {
                Err("whether oauth2-proxy was told the path (X-Forwarded-Uri) is in the file of nginx: write a rule with allow"
                    .to_owned())
            }
            (Self::Traefik | Self::Caddy, Some(method)) if method != "GET" => {
                Err("each question has the method GET, so it never let anything pass".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The terminal of each rule.
    pub(super) fn terminal(self) -> Map {
        Map::default().with("type", "allow").with("audience", AUDIENCE)
    }

    /// `forward_auth` of the listener.
    pub(super) fn settings(self, peers: &[String]) -> Map {
        let mut settings = Map::default().with("asked_by", self.name()).with("peers", Yaml::from(peers));
        let file = self.file();
        settings.comment(
            "asked_by",
            format!("The proxy that asks. It needs {file}, in place of its file for oauth2-proxy."),
        );
        settings.comment("asked_by", format!("{IN_THE_ADDRESS}."));
        settings.comment("peers", "The networks of that proxy. Replace them by its address.");
        settings
    }
}

/// Who asks. `None` if oauth2-proxy passes requests on to upstreams.
///
/// # Errors
///
/// The command line says that another proxy asks, and there are upstreams.
pub(super) fn asking(options: &Options, wanted: Wanted) -> Result<Option<Asking>, String> {
    let upstreams = options.values("upstreams");
    let is_told = options.is_on("reverse_proxy") || options.is_on("set_xauthrequest");
    // A static answer alone may also be a test.
    let is_asked = upstreams.iter().all(|upstream| is_nothing(upstream))
        && (is_told || wanted.asked_by.is_some() || !upstreams.iter().any(|upstream| upstream.starts_with("static:")));
    match (is_asked, wanted.asked_by) {
        (true, asked_by) => Ok(Some(asked_by.unwrap_or(Asking::Nginx))),
        (false, None) => Ok(None),
        (false, Some(_)) => Err("--asked-by: this oauth2-proxy passes requests on to upstreams".to_owned()),
    }
}

/// Whether an upstream only says that a user may pass: a status of success at every path, or no file.
fn is_nothing(upstream: &str) -> bool {
    let code = upstream.strip_prefix("static://").map(|rest| rest.split_once('#').unwrap_or((rest, "/")));
    match code {
        Some((code, path)) => {
            let code = code.trim_end_matches('/');
            code.len() == 3 && code.starts_with('2') && code.bytes().all(|byte| byte.is_ascii_digit()) && path == "/"
        }
        None => upstream == "file:///dev/null",
    }
}

/// Says what became of the options that are about it.
pub(super) fn rows(options: &Options, asking: Option<Asking>, is_told: bool, ledger: &mut Ledger) {
    let xauth = options.get("set_xauthrequest");
    let Some(asking) = asking else {
        if let Some(setting) = xauth {
            ledger.dropped(&setting.path, "a listener with upstreams answers no questions: write another one with forward_auth (docs/FORWARD_AUTH.md)");
        }
        return;
    };
    let guess = if is_told { "" } else { "; if it is not nginx that asks, say so with --asked-by" };
    if let Some(setting) = options.get("upstreams") {
        let (name, file) = (asking.name(), asking.file());
        ledger.changed(
            &setting.path,
            &format!("forward_auth with asked_by: {name}, and allow: {name} needs {file}{guess}. {IN_THE_ADDRESS}"),
        );
    }
    if let Some(setting) = xauth {
        let why = if options.is_on("set_xauthrequest") {
            "claims.headers: let the other proxy take X-Auth-Request-User, -Email, -Groups and -Preferred-Username from the answer. Its file in \
             docs/FORWARD_AUTH.md takes X-Amzn-Oidc-Identity and X-Amzn-Oidc-Data, and removes the others"
        } else {
            "the headers are X-Amzn-Oidc-Identity and X-Amzn-Oidc-Data"
        };
        ledger.changed(&setting.path, why);
    }
    for name in [
        "pass_user_headers",
        "skip_auth_preflight",
        "upstream_timeout",
        "pass_host_header",
        "ssl_upstream_insecure_skip_verify",
    ] {
        if let Some(setting) = options.get(name) {
            ledger.dropped(&setting.path, "without an effect where another proxy asks");
        }
    }
}
