//! The file of `vestibule test`: requests, and what is expected to become of them.
//!
//! It is parsed and checked as the configuration is, with the same kind of diagnostics. Start at [`load`].

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::document::findings::Findings;
use crate::config::document::path::Path;
use crate::config::document::report::Diagnostics;
use crate::config::document::source::Source;
use crate::config::document::{parse, secrets, shape, suggest};
use crate::config::raw::value::List;
use crate::config::schemas::stored;

/// A file of cases for `vestibule test`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    /// The configuration, relative to the folder of this file. The option `--config` takes its place.
    config: Option<String>,
    /// The cases.
    cases: List<Case>,
}

/// A request, and what is expected to become of it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("x-hints" = { "source_ip": "use `client`", "user": "use `claims`", "token": "use `token_claims`" }))]
pub(crate) struct Case {
    /// What must hold, in a sentence.
    pub(crate) name: String,
    /// Method and address: `GET https://app.example.com/admin/`. The method may be left out.
    pub(crate) request: String,
    /// The listener that gets the request. Needed if several listeners can.
    pub(crate) listener: Option<String>,
    /// Headers of the request, by name. Without `accept`, the request is one of a browser that opens a page.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// The address of the client. Without it, `127.0.0.1`.
    pub(crate) client: Option<String>,
    /// The claims of the user who is signed in, as in an ID token. Without them, nobody is signed in.
    pub(crate) claims: Option<BTreeMap<String, Value>>,
    /// The claims of the bearer token that the request carries. Without `iss` and `exp`, the token is of the issuer and has not expired.
    pub(crate) token_claims: Option<BTreeMap<String, Value>>,
    /// A PEM file with the certificate that the client shows in the TLS handshake, followed by those of authorities between it and the trust
    /// store. Relative to the folder of this file. Without it, the client shows none.
    pub(crate) client_certificate: Option<String>,
    /// What is expected. What is not named here may be anything.
    pub(crate) expect: Expect,
}

/// What is expected to become of a request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-hints" = {
    "name": "`name` is a key of the case: write it beside `expect`",
    "request": "`request` is a key of the case: write it beside `expect`",
    "listener": "`listener` is a key of the case: write it beside `expect`",
    "client": "`client` is a key of the case: write it beside `expect`",
    "claims": "`claims` is a key of the case: write it beside `expect`",
    "token_claims": "`token_claims` is a key of the case: write it beside `expect`",
    "client_certificate": "`client_certificate` is a key of the case: write it beside `expect`",
}))]
pub(crate) struct Expect {
    /// The name of the rule that matches; `default` for the default actions.
    pub(crate) rule: Option<String>,
    /// How the request ends.
    pub(crate) outcome: Option<Ending>,
    /// The target group that gets the request. Only with `forward`.
    pub(crate) target_group: Option<String>,
    /// The provider that the browser is sent to. Only with `sign-in`.
    pub(crate) provider: Option<String>,
    /// The status. Only with `refuse`, `redirect` and `answer`.
    #[schemars(range(min = 200, max = 599))]
    pub(crate) status: Option<u16>,
    /// With `refuse`: the code of the reason, see docs/REASONS.md. With `no-connection`: the cause, see docs/TLS.md.
    pub(crate) reason: Option<String>,
    /// The address that the client is sent to. Only with `redirect`.
    pub(crate) location: Option<String>,
    /// The path and the query that the target receives, after `transforms`. Only with `forward`.
    pub(crate) path: Option<String>,
    /// The host that the target receives, after `transforms`. Only with `forward`.
    pub(crate) host: Option<String>,
    /// Headers that the target gets, by name. Only with `forward` and `allow`.
    pub(crate) headers: BTreeMap<String, String>,
    /// Names of headers that the target does not get. Only with `forward` and `allow`.
    pub(crate) without_headers: List<String>,
}

/// How a request ends.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Ending {
    /// It is sent to a target.
    Forward,
    /// The proxy that asked lets it pass (`forward_auth`).
    Allow,
    /// The browser is sent to sign in.
    SignIn,
    /// It is refused.
    Refuse,
    /// `redirect`.
    Redirect,
    /// `fixed-response`, `static`, or a CORS preflight.
    Answer,
    /// Vestibule answers: the callback, sign-out, keys, or the host of a user pool.
    Own,
    /// The TLS handshake fails, because of the certificate of the client.
    NoConnection,
}

/// The cases of a file.
#[derive(Debug)]
pub(crate) struct Cases {
    /// The configuration that the file names.
    pub(crate) config: Option<String>,
    pub(crate) list: Vec<Case>,
    /// Where they are in the text.
    parsed: parse::Parsed,
}

/// What the names in a file of cases can be.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Each listener with its rules.
    pub(crate) listeners: Vec<(String, Vec<String>)>,
    pub(crate) target_groups: Vec<String>,
    /// Providers and user pools at which rules sign users in.
    pub(crate) providers: Vec<String>,
    /// Codes of refusals.
    pub(crate) reasons: Vec<&'static str>,
    /// Causes for which a handshake fails.
    pub(crate) causes: Vec<&'static str>,
}

/// The name of the default actions.
const DEFAULT: &str = "default";
/// Between names of which each can be meant.
const OR: &str = " or ";
/// Names in a hint.
const NAMES_SHOWN_MAX: usize = 20;

pub(crate) static SCHEMA: LazyLock<Value> = LazyLock::new(|| stored!(File, "schemas/cases.json"));

impl Ending {
    /// As in the file.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Allow => "allow",
            Self::SignIn => "sign-in",
            Self::Refuse => "refuse",
            Self::Redirect => "redirect",
            Self::Answer => "answer",
            Self::Own => "own",
            Self::NoConnection => "no-connection",
        }
    }
}

impl Case {
    /// The claims of a set as a JSON object.
    pub(crate) fn object(claims: Option<&BTreeMap<String, Value>>) -> Option<Map<String, Value>> {
        claims.map(|claims| claims.clone().into_iter().collect())
    }
}

/// Loads a file of cases. `as_request` says what is wrong with the request of a case: the key, and why.
///
/// # Errors
///
/// Returns all problems, each with its place and a hint.
pub(crate) fn load(
    source: &Source,
    as_request: impl Fn(&Case) -> Result<(), (&'static str, String)>,
) -> Result<Cases, Diagnostics> {
    let mut found = Findings::default();
    let Ok(parsed) = parse::parse(&source.text, &source.environment, &mut found) else {
        let shown = secrets::hide_unparsed(&source.text, &SCHEMA);
        return Err(Diagnostics::new(source.name.clone(), shown, found.located(None)));
    };
    let file = shape::check(&parsed.root, &SCHEMA, &mut found).ok().and_then(|sound| {
        let read = File::deserialize(sound);
        read.map_err(|error| found.problem(&Path::default(), format!("the file cannot be read: {error}")).reported())
            .ok()
    });
    if let Some(file) = &file {
        check(file, &mut found, as_request);
    }
    match file {
        Some(file) if found.verdict().is_ok() => {
            let list = file.cases.into_items();
            Ok(Cases { config: file.config, list, parsed })
        }
        _ => {
            let shown = secrets::hide(&source.text, &parsed, &SCHEMA);
            Err(Diagnostics::new(source.name.clone(), shown, found.located(Some(&parsed.root))))
        }
    }
}

impl Cases {
    /// Holds the names in the file against those of the configuration. A case with a name that there is not can never hold, so it is a mistake
    /// of the file, and not one of the configuration.
    ///
    /// # Errors
    ///
    /// Returns all problems, each with its place and a hint.
    pub(crate) fn check_names(&self, source: &Source, known: &Known) -> Result<(), Diagnostics> {
        let mut found = Findings::default();
        let cases = Path::default().key("cases");
        for (index, case) in self.list.iter().enumerate() {
            known.check(case, &cases.index(index), &mut found);
        }
        found.verdict().map_err(|_| {
            let shown = secrets::hide(&source.text, &self.parsed, &SCHEMA);
            Diagnostics::new(source.name.clone(), shown, found.located(Some(&self.parsed.root)))
        })
    }
}

impl Known {
    fn check(&self, case: &Case, at: &Path, found: &mut Findings) {
        let mut check = |at: &Path, what: &str, name: Option<&str>, known: &[&str]| {
            if let Some(name) = name.filter(|name| !known.contains(name)) {
                let _ = found.problem(at, format!("there is no {what} `{name}`")).maybe_hint(hint(name, known));
            }
        };
        let expect = at.key("expect");
        let names: Vec<&str> = self.listeners.iter().map(|(name, _)| name.as_str()).collect();
        check(&at.key("listener"), "listener", case.listener.as_deref(), &names);
        let listeners = self.listeners.iter().filter(|(name, _)| case.listener.as_ref().is_none_or(|of| of == name));
        let mut rules: Vec<&str> = listeners.flat_map(|(_, rules)| texts(rules)).collect();
        if case.listener.as_deref().is_none_or(|of| names.contains(&of)) {
            rules.push(DEFAULT);
            check(&expect.key("rule"), "rule", case.expect.rule.as_deref(), &rules);
        }
        let groups = texts(&self.target_groups);
        for name in case.expect.target_group.iter().flat_map(|names| names.split(OR)) {
            check(&expect.key("target_group"), "target group", Some(name), &groups);
        }
        let providers = texts(&self.providers);
        for name in case.expect.provider.iter().flat_map(|names| names.split(OR)) {
            check(&expect.key("provider"), "provider", Some(name), &providers);
        }
        let (what, reasons) = match case.expect.outcome {
            Some(Ending::NoConnection) => ("cause", &self.causes),
            _ => ("reason", &self.reasons),
        };
        check(&expect.key("reason"), what, case.expect.reason.as_deref(), reasons);
    }
}

fn texts(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// Names that may be meant. Codes of refusals are too many for a line.
fn hint(name: &str, known: &[&str]) -> Option<String> {
    match suggest::nearest(name, known.iter().copied()) {
        Some(near) if known.len() > NAMES_SHOWN_MAX => Some(format!("did you mean `{near}`?")),
        None if known.len() > NAMES_SHOWN_MAX => None,
        near => {
            let all: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            Some(format!("{near}there are {}", all.join(", ")))
        }
    }
}

fn check(file: &File, found: &mut Findings, as_request: impl Fn(&Case) -> Result<(), (&'static str, String)>) {
    let cases = Path::default().key("cases");
    if file.cases.is_empty() {
        // A file that tests nothing must not look like one whose tests pass.
        found.problem(&cases, "there is no case");
    }
    let mut names = BTreeMap::new();
    for (index, case) in file.cases.iter() {
        let at = cases.index(index);
        if let Some(first) = names.insert(case.name.as_str(), index) {
            let problem = found.problem(&at.key("name"), "two cases have the same name");
            let _ = problem.label(&cases.index(first).key("name"), "the first");
        }
        if let Some(client) = &case.client
            && client.parse::<IpAddr>().is_err()
        {
            let _ = found.problem(&at.key("client"), "not an IP address").hint("write an address such as `10.0.0.1`");
        } else if let Err((key, why)) = as_request(case) {
            found.problem(&at.key(key), why);
        }
        check_expectation(&case.expect, &at.key("expect"), found);
    }
}

fn check_expectation(expect: &Expect, at: &Path, found: &mut Findings) {
    use Ending::{Allow, Answer, Forward, NoConnection, Redirect, Refuse, SignIn};
    let given = [
        ("target_group", expect.target_group.is_some(), &[Forward][..]),
        ("provider", expect.provider.is_some(), &[SignIn]),
        ("status", expect.status.is_some(), &[Refuse, Redirect, Answer]),
        ("reason", expect.reason.is_some(), &[Refuse, NoConnection]),
        ("location", expect.location.is_some(), &[Redirect]),
        ("path", expect.path.is_some(), &[Forward]),
        ("host", expect.host.is_some(), &[Forward]),
        ("headers", !expect.headers.is_empty(), &[Forward, Allow]),
        ("without_headers", !expect.without_headers.is_empty(), &[Forward, Allow]),
    ];
    if expect.rule.is_none() && expect.outcome.is_none() && found.concern(at).is_none() {
        let problem = found.problem(at, "neither `rule` nor `outcome` is expected");
        let _ = problem.hint("write `outcome: forward`, or what else must become of the request");
    }
    for (key, _, endings) in given.into_iter().filter(|(_, is_given, _)| *is_given) {
        if expect.outcome.is_none_or(|outcome| !endings.contains(&outcome)) {
            let names: Vec<_> = endings.iter().map(|ending| format!("`outcome: {}`", ending.name())).collect();
            found.problem_at_key(&at.key(key), format!("`{key}` needs {}", names.join(" or ")));
        }
    }
}
