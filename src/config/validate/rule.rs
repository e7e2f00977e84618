//! `listeners[].rules`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::RuleConfig;
use crate::config::path::Path;
use crate::config::raw::rule::{self as written, Condition as Raw, Rule};
use crate::config::raw::value::List;
use crate::config::validate::action::{self, Logins};
use crate::config::validate::listener::ClientSpeaks;
use crate::config::validate::{Context, value};
use crate::message::uri::EncodedSlash;
use crate::rule::condition::{Condition, Error};

/// Values of one rule's conditions together. The ALB allows 5; a rule here may hold a longer list.
const VALUES_MAX: usize = 500;

/// What logs and metrics call the default actions, and what no rule took.
const PLACEHOLDERS: [&str; 2] = ["default", "none"];

pub(super) fn rules(
    raw: &List<Rule>,
    client_speaks: ClientSpeaks,
    encoded_slash: EncodedSlash,
    at: &Path,
    logins: &mut Logins,
    context: &mut Context<'_>,
) -> Vec<RuleConfig> {
    let mut priorities = BTreeMap::new();
    let mut names = BTreeSet::new();
    let mut rules = Vec::with_capacity(raw.len());
    for (index, rule) in raw.iter() {
        let at = at.index(index);
        if let Some(first) = priorities.insert(rule.priority, index) {
            let message = format!("the priority {} is taken by `{}`", rule.priority, name_at(raw, first));
            context.found.problem(&at.key("priority"), message).hint("each rule of a listener has its own");
        }
        let name = name(rule);
        if let Some(written) = &rule.name {
            value::name(written, &at.key("name"), &mut context.found);
            if PLACEHOLDERS.contains(&written.as_str()) {
                let message = format!("logs and metrics say `{written}` where there is no rule of that name");
                context.found.problem(&at.key("name"), message).hint("choose another name");
            }
        }
        if !names.insert(name.clone()) {
            context.found.problem(&at.key("name"), format!("a rule of this listener is already called `{name}`"));
        }
        let conditions = conditions(&rule.conditions, &at.key("conditions"), context);
        let chain = action::chain(&rule.actions, client_speaks, &at.key("actions"), logins, context);
        if let (Some(conditions), Some(chain)) = (conditions, chain) {
            let encoded_slash = rule.encoded_slash.map_or(encoded_slash, self::encoded_slash);
            rules.push(RuleConfig { name: Arc::from(name), priority: rule.priority, conditions, chain, encoded_slash });
        }
    }
    rules
}

pub(super) fn encoded_slash(written: written::EncodedSlash) -> EncodedSlash {
    match written {
        written::EncodedSlash::Refuse => EncodedSlash::Refuse,
        written::EncodedSlash::Keep => EncodedSlash::Keep,
    }
}

fn name(rule: &Rule) -> String {
    rule.name.clone().unwrap_or_else(|| format!("priority-{}", rule.priority))
}

fn name_at(raw: &List<Rule>, index: usize) -> String {
    raw.iter().find(|(at, _)| *at == index).map(|(_, rule)| name(rule)).unwrap_or_default()
}

fn conditions(raw: &List<Raw>, at: &Path, context: &mut Context<'_>) -> Option<Vec<Condition>> {
    if raw.is_empty() {
        let problem = context.found.problem(at, "a rule needs at least one condition");
        problem.hint("what takes everything else is `default_actions`");
        return None;
    }
    let mut sound = Vec::with_capacity(raw.len());
    let mut seen = BTreeSet::new();
    let mut values = 0;
    for (index, condition) in raw.iter() {
        let at = at.index(index);
        let (key, count) = kind(condition);
        // Spec §7.2: these four at most once. Twice they would have to match both, which for a method is never.
        if !matches!(condition, Raw::HttpHeader(_) | Raw::QueryString(_)) && !seen.insert(key) {
            let problem = context.found.problem(&at, format!("a second `{key}` in one rule"));
            problem.hint("conditions must all hold; alternatives are values of one condition");
        }
        values += count;
        sound.extend(self::condition(condition, &at.key(key), context));
    }
    if values > VALUES_MAX {
        context.found.problem(at, format!("a rule has at most {VALUES_MAX} values; this has {values}"));
    }
    (sound.len() == raw.len() && raw.is_complete()).then_some(sound)
}

fn kind(raw: &Raw) -> (&'static str, usize) {
    match raw {
        Raw::HostHeader(values) => ("host_header", values.len()),
        Raw::PathPattern(values) => ("path_pattern", values.len()),
        Raw::HttpRequestMethod(values) => ("http_request_method", values.len()),
        Raw::SourceIp(values) => ("source_ip", values.len()),
        Raw::HttpHeader(header) => ("http_header", header.values.len()),
        Raw::QueryString(pairs) => ("query_string", pairs.len()),
    }
}

fn condition(raw: &Raw, at: &Path, context: &mut Context<'_>) -> Option<Condition> {
    let complete = match raw {
        Raw::HostHeader(values) | Raw::PathPattern(values) | Raw::HttpRequestMethod(values) | Raw::SourceIp(values) => {
            values.is_complete()
        }
        Raw::HttpHeader(header) => header.values.is_complete(),
        Raw::QueryString(pairs) => pairs.is_complete(),
    };
    let result = match raw {
        Raw::HostHeader(values) => each(values, at, context, Condition::host_header),
        Raw::PathPattern(values) => {
            for (index, text) in values.iter().filter(|(_, text)| looks_like_a_query(text)) {
                let message = format!("`{text}` is held against the path, which ends where the query begins");
                let warning = context.found.warning(&at.index(index), message);
                warning.hint("`?` is one character of the path; use `query_string` for the query");
            }
            each(values, at, context, Condition::path_pattern)
        }
        Raw::HttpRequestMethod(values) => each(values, at, context, Condition::http_request_method),
        Raw::SourceIp(values) => {
            let networks = value::networks(values, at, &mut context.found);
            if networks.len() < values.len() {
                return None;
            }
            Condition::source_ip(&networks)
        }
        Raw::HttpHeader(header) => {
            let values = at.key("values");
            match Condition::http_header(&header.name, &["*".to_owned()]) {
                Err(error) => return report(&error, &at.key("name"), context),
                Ok(Condition::HttpHeader(name, _)) if context.protected.contains(&name) => {
                    let message = format!("no request has the header `{name}` when rules are matched");
                    let problem = context.found.problem(&at.key("name"), message);
                    problem.hint("a client may not set it: it is taken out of every request before rules are asked");
                    return None;
                }
                Ok(_) => each(&header.values, &values, context, |texts| Condition::http_header(&header.name, texts)),
            }
        }
        Raw::QueryString(pairs) => {
            let pairs: Vec<_> = pairs.iter().map(|(_, pair)| (pair.key.clone(), pair.value.clone())).collect();
            Condition::query_string(&pairs)
        }
    };
    match result {
        Ok(condition) => complete.then_some(condition),
        // The bad values are reported already.
        Err(Error::Empty) if !complete => None,
        Err(error) if context.found.concern(at) => {
            drop(error);
            None
        }
        Err(error) => report(&error, at, context),
    }
}

/// `/search?q=*`: no path is meant by that.
fn looks_like_a_query(pattern: &str) -> bool {
    pattern.split_once('?').is_some_and(|(_, rest)| rest.contains('='))
}

/// Checks each value alone, so that each problem has its place.
fn each(
    values: &List<String>,
    at: &Path,
    context: &mut Context<'_>,
    make: impl Fn(&[String]) -> Result<Condition, Error>,
) -> Result<Condition, Error> {
    for (index, text) in values.iter() {
        if let Err(error) = make(std::slice::from_ref(text)) {
            report(&error, &at.index(index), context);
        }
    }
    make(&values.texts())
}

fn report(error: &Error, at: &Path, context: &mut Context<'_>) -> Option<Condition> {
    let hint = match error {
        Error::Method(text) if text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            Some(format!("did you mean `{}`?", text.to_ascii_uppercase()))
        }
        Error::NeverCanonical(text, _) if text.contains(';') => {
            Some("end the pattern before the `;`; for one that the path has encoded (`%3B`), write `?`".to_owned())
        }
        Error::HostHeader => Some("a list item of its own: `- host_header: [app.example.com]`".to_owned()),
        _ => None,
    };
    context.found.problem(at, error.to_string()).maybe_hint(hint);
    None
}
