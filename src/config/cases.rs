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
use crate::config::document::{parse, secrets, shape};
use crate::config::raw::value::List;

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
    /// What is expected. What is not named here may be anything.
    pub(crate) expect: Expect,
}

/// What is expected to become of a request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
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
    /// The code of the reason, see docs/REASONS.md. Only with `refuse`.
    pub(crate) reason: Option<String>,
    /// The address that the client is sent to. Only with `redirect`.
    pub(crate) location: Option<String>,
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
}

/// The cases of a file.
#[derive(Debug)]
pub(crate) struct Cases {
    /// The configuration that the file names.
    pub(crate) config: Option<String>,
    pub(crate) list: Vec<Case>,
}

static SCHEMA: LazyLock<Value> = LazyLock::new(|| schemars::schema_for!(File).to_value());

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
            Ok(Cases { config: file.config, list })
        }
        _ => {
            let shown = secrets::hide(&source.text, &parsed, &SCHEMA);
            Err(Diagnostics::new(source.name.clone(), shown, found.located(Some(&parsed.root))))
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
    use Ending::{Allow, Answer, Forward, Redirect, Refuse, SignIn};
    let given = [
        ("target_group", expect.target_group.is_some(), &[Forward][..]),
        ("provider", expect.provider.is_some(), &[SignIn]),
        ("status", expect.status.is_some(), &[Refuse, Redirect, Answer]),
        ("reason", expect.reason.is_some(), &[Refuse]),
        ("location", expect.location.is_some(), &[Redirect]),
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
