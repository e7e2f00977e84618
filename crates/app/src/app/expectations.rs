//! For `vestibule test`: holds what is expected of requests against what becomes of them.

use std::io;

use serde::Serialize;

use crate::action::settings::GateSettings;
use crate::app::error::Error;
use crate::app::explain::outcome::{Explanation, Outcome};
use crate::app::explain::{Explanations, NotARequest, Probe, explain};
use crate::certificate::client::refusal;
use crate::config::cases::{Case, Ending, Expect, Known};
use crate::config::{Config, ListenerConfig};
use crate::exchange::rejection::Reason;

/// The result of a case.
#[derive(Debug, Serialize)]
pub(crate) struct Checked {
    pub(crate) name: String,
    /// What differs from what is expected. Empty: the case holds.
    pub(crate) differences: Vec<String>,
    /// What becomes of the request, for people.
    pub(crate) explanation: String,
}

/// The request of a case. `read` reads a file that the case names.
///
/// # Errors
///
/// The key that is wrong, and why.
pub(crate) fn probe(case: &Case, read: impl Fn(&str) -> io::Result<Vec<u8>>) -> Result<Probe, (&'static str, String)> {
    let headers: Vec<_> = case.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let client = case.client.as_ref().and_then(|client| client.parse().ok());
    let probe = Probe::parse(&case.request, &headers, client).map_err(|error| match error {
        NotARequest::Request(_) => ("request", error.to_string()),
        NotARequest::Header(_) => ("headers", error.to_string()),
    })?;
    let probe = probe.with_claims(Case::object(case.claims.as_ref()), Case::object(case.token_claims.as_ref()));
    let Some(file) = &case.client_certificate else { return Ok(probe) };
    let wrong = |why: String| ("client_certificate", why);
    let pem = read(file).map_err(|error| wrong(format!("the file cannot be read: {error}")))?;
    probe.with_certificates(&pem).map_err(|error| wrong(format!("the file has {error}")))
}

/// The names that cases can have with this configuration.
pub(crate) fn known(config: &Config) -> Known {
    let rules = |listener: &ListenerConfig| listener.rules.iter().map(|rule| rule.name.to_string()).collect();
    let mut known = Known {
        listeners: config.listeners.iter().map(|one| (one.settings.name.to_string(), rules(one))).collect(),
        target_groups: config.target_groups.iter().map(|group| group.name.to_string()).collect(),
        providers: Vec::new(),
        reasons: Reason::ALL.iter().map(|reason| reason.code()).collect(),
        causes: refusal::CAUSES.to_vec(),
    };
    let chains = config
        .listeners
        .iter()
        .flat_map(|listener| listener.rules.iter().map(|rule| &rule.chain).chain([&listener.default]));
    for gate in chains.flat_map(|chain| &chain.gates).filter_map(GateSettings::authenticate) {
        for name in gate.providers.iter().map(|provider| provider.kind.name().to_string()) {
            if !known.providers.contains(&name) {
                known.providers.push(name);
            }
        }
    }
    known
}

/// Checks each case.
///
/// # Errors
///
/// Returns an error if the system lacks something that the configuration needs.
pub(crate) fn check(config: Config, cases: &[Case], probes: &[Probe]) -> Result<Vec<Checked>, Error> {
    let explained = explain(config, probes)?;
    Ok(cases.iter().zip(explained).map(|(case, explanations)| check_one(case, &explanations)).collect())
}

fn check_one(case: &Case, explanations: &Explanations) -> Checked {
    let named = |explanation: &&Explanation| case.listener.as_ref().is_none_or(|name| *name == explanation.listener);
    let of: Vec<_> = explanations.of.iter().filter(named).collect();
    let (differences, explanation) = match *of {
        [only] => (differences(&case.expect, only), only.text.clone()),
        [] => (vec!["no listener can receive this request".to_owned()], explanations.to_string()),
        [first, ..] => {
            let all: Vec<_> = of.iter().map(|explanation| format!("`{}`", explanation.listener)).collect();
            let why =
                format!("several listeners can receive this request ({}): name one with `listener`", all.join(", "));
            (vec![why], first.text.clone())
        }
    };
    Checked { name: case.name.clone(), differences, explanation }
}

/// What is not as expected, in sentences.
fn differences(expect: &Expect, found: &Explanation) -> Vec<String> {
    let mut list = Vec::new();
    let mut compare = |what: &str, expected: Option<&str>, is: Option<&str>| {
        if expected.is_some_and(|expected| is != Some(expected)) {
            let is = is.map_or_else(|| "there is none".to_owned(), |is| format!("it is `{is}`"));
            list.push(format!("{what}: expected `{}`, but {is}", expected.unwrap_or_default()));
        }
    };
    compare("rule", expect.rule.as_deref(), found.rule.as_deref());
    let outcome = &found.outcome;
    compare("outcome", expect.outcome.map(Ending::name), Some(outcome.name()));
    let (mut group, mut path, mut provider, mut status, mut reason, mut location) =
        (None, None, None, None, None, None);
    match outcome {
        Outcome::Forward { target_group, path: target, .. } => {
            (group, path) = (Some(target_group.as_str()), Some(target.as_str()));
        }
        Outcome::SignIn { provider: name } => provider = Some(name.as_str()),
        Outcome::Refuse { status: with, reason: code, .. } => (status, reason) = (Some(*with), Some(*code)),
        Outcome::Redirect { status: with, location: to } => (status, location) = (Some(*with), Some(to.as_str())),
        Outcome::Answer { status: with } => status = Some(*with),
        Outcome::NoConnection { cause, .. } => reason = Some(*cause),
        Outcome::Allow { .. } | Outcome::Own | Outcome::Impossible { .. } => {}
    }
    // The other parts have no meaning if the request ends otherwise.
    if expect.outcome.is_some_and(|expected| expected.name() != outcome.name()) {
        return list;
    }
    let text = |status: Option<u16>| status.map(|status| status.to_string());
    compare("target_group", expect.target_group.as_deref(), group);
    compare("path", expect.path.as_deref(), path);
    compare("host", expect.host.as_deref(), outcome.host());
    compare("provider", expect.provider.as_deref(), provider);
    compare("status", text(expect.status).as_deref(), text(status).as_deref());
    compare("reason", expect.reason.as_deref(), reason);
    compare("location", expect.location.as_deref(), location);
    let headers = outcome.headers().unwrap_or_default();
    let values = |wanted: &str| -> Vec<&str> {
        headers.iter().filter(|header| header.name.eq_ignore_ascii_case(wanted)).map(|header| &*header.value).collect()
    };
    for (name, expected) in &expect.headers {
        let is = values(name);
        compare(&format!("header {name}"), Some(expected), (!is.is_empty()).then(|| is.join(", ")).as_deref());
    }
    let unwanted = expect.without_headers.iter().filter(|(_, name)| !values(name).is_empty());
    let unwanted: Vec<_> = unwanted
        .map(|(_, name)| format!("header {name}: expected none, but it is `{}`", values(name).join(", ")))
        .collect();
    list.extend(unwanted);
    list
}
