//! `listeners[].rules`.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::document::findings::Reported;
use crate::config::document::path::Path;
use crate::config::raw::rule::{self as written, Condition as Raw, Patterns, Rule};
use crate::config::raw::value::List;
use crate::config::settled::RuleConfig;
use crate::config::validate::context::{ClientSpeaks, Context};
use crate::config::validate::cookie_owners::CookieOwners;
use crate::config::validate::{action, cors, transforms, value};
use crate::message::cors::Policy;
use crate::message::uri::EncodedSlash;
use crate::rule::condition::{Condition, Error};
use crate::rule::expression::Parsed;
use crate::rule::pattern::Case;

/// Maximum number of values in all conditions of one rule. The AWS load balancer allows 5.
const VALUES_MAX: usize = 500;

/// Names that logs and metrics use for the default actions and for requests without a rule.
const PLACEHOLDERS: [&str; 2] = ["default", "none"];

/// What a listener says for all its rules.
pub(super) struct OfListener {
    pub(super) client_speaks: ClientSpeaks,
    pub(super) encoded_slash: EncodedSlash,
    pub(super) cors: Option<Policy>,
}

pub(super) fn rules(
    raw: &List<Rule>,
    of_listener: &OfListener,
    list: &Path,
    logins: &mut CookieOwners,
    context: &mut Context<'_>,
) -> Vec<RuleConfig> {
    let mut priorities = BTreeMap::new();
    let mut names = BTreeMap::new();
    let mut rules = Vec::with_capacity(raw.len());
    for (index, rule) in raw.iter() {
        let at = list.index(index);
        if let Some(first) = priorities.insert(rule.priority, index) {
            let message = format!("the priority {} is already used by `{}`", rule.priority, name_at(raw, first));
            let problem = context.found.problem(&at.key("priority"), message);
            problem
                .label(&list.index(first).key("priority"), "first used here")
                .hint("priorities must be unique within a listener");
        }
        let name = name(rule);
        if let Some(written) = &rule.name {
            value::name(written, &at.key("name"), &mut context.found);
            if PLACEHOLDERS.contains(&written.as_str()) {
                let message = format!("the name `{written}` is reserved in logs and metrics");
                context.found.problem(&at.key("name"), message).hint("choose another name");
            }
        }
        if let Some(first) = names.insert(name.clone(), at.key("name")) {
            let message = format!("the rule name `{name}` is already used in this listener");
            context.found.problem(&at.key("name"), message).label(&first, "first used here");
        }
        let conditions = conditions(&rule.conditions, &at.key("conditions"), context);
        let mut chain = action::chain(&rule.actions, of_listener.client_speaks, &at.key("actions"), logins, context);
        let encoded_slash = rule.encoded_slash.map_or(of_listener.encoded_slash, self::encoded_slash);
        if let Some(raw) = &rule.transforms {
            let to = chain.as_mut().map_err(|reported| *reported);
            if let Err(reported) = transforms::add(raw, to, encoded_slash, &at.key("transforms"), context) {
                chain = Err(reported);
            }
        }
        let cors = cors::of_rule(rule, of_listener.cors.as_ref(), &at, &mut context.found);
        if let (Ok(conditions), Ok(chain), Ok(cors)) = (conditions, chain, cors) {
            let (name, priority) = (Arc::from(name), rule.priority);
            rules.push(RuleConfig { name, priority, conditions, chain, encoded_slash, cors });
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

fn conditions(raw: &List<Raw>, at: &Path, context: &mut Context<'_>) -> Result<Vec<Condition>, Reported> {
    if raw.is_empty() {
        let problem = context.found.problem(at, "a rule needs at least one condition");
        return problem.hint("use `default_actions` for requests that match no rule").fail();
    }
    let mut seen = BTreeMap::new();
    let mut values = 0;
    let sound = context.each_item(raw, at, |condition, at, context| {
        let (key, count) = kind(condition);
        // ALB §7.2: only headers and queries may have several conditions. Two others of one kind would both have to match; for
        // methods that is impossible.
        if !matches!(condition, Raw::HttpHeader(_) | Raw::QueryString(_))
            && let Some(first) = seen.insert(key, at.key(key))
        {
            let problem = context.found.problem(at, format!("a second `{key}` in one rule"));
            problem
                .label(&first, "the first one")
                .hint("all conditions must match; put alternatives into the values of one condition");
        }
        values += count;
        self::condition(condition, &at.key(key), context)
    });
    if values > VALUES_MAX {
        let message = format!("a rule may have at most {VALUES_MAX} values; this rule has {values}");
        return context.found.problem(at, message).hint("write several rules with the same actions").fail();
    }
    sound
}

fn kind(raw: &Raw) -> (&'static str, usize) {
    match raw {
        Raw::HostHeader(values) => ("host_header", list(values).len()),
        Raw::PathPattern(values) => ("path_pattern", list(values).len()),
        Raw::HttpRequestMethod(values) => ("http_request_method", values.len()),
        Raw::SourceIp(values) => ("source_ip", values.len()),
        Raw::HttpHeader(header) => {
            ("http_header", header.values.iter().chain(&header.regex_values).map(List::len).sum())
        }
        Raw::QueryString(pairs) => ("query_string", pairs.len()),
    }
}

fn list(patterns: &Patterns) -> &List<String> {
    match patterns {
        Patterns::Values(values) => values,
        Patterns::Regex(regex) => &regex.regex_values,
    }
}

fn condition(raw: &Raw, at: &Path, context: &mut Context<'_>) -> Result<Condition, Reported> {
    match raw {
        Raw::HostHeader(Patterns::Values(values)) => each(values, at, context, Condition::host_header),
        Raw::HostHeader(Patterns::Regex(regex)) => {
            regexes(&regex.regex_values, "host", at, context, Condition::host_regex)
        }
        Raw::PathPattern(Patterns::Values(values)) => path_pattern(values, at, context),
        Raw::PathPattern(Patterns::Regex(regex)) => {
            regexes(&regex.regex_values, "path", at, context, Condition::path_regex)
        }
        Raw::HttpRequestMethod(values) => each(values, at, context, Condition::http_request_method),
        Raw::SourceIp(values) => {
            let networks = value::networks(values, at, &mut context.found)?;
            Condition::source_ip(&networks).map_err(|error| report(&error, at, context))
        }
        Raw::HttpHeader(header) => http_header(header, at, context),
        Raw::QueryString(pairs) => {
            let pairs = context.each_item(pairs, at, |pair, _, _| Ok((pair.key.clone(), pair.value.clone())))?;
            Condition::query_string(&pairs).map_err(|error| report(&error, at, context))
        }
    }
}

fn path_pattern(values: &List<String>, at: &Path, context: &mut Context<'_>) -> Result<Condition, Reported> {
    for (index, text) in values.iter().filter(|(_, text)| looks_like_a_query(text)) {
        let message = format!("`{text}` is compared with the path, which does not include the query");
        let warning = context.found.warning(&at.index(index), message);
        warning.hint("`?` matches one character of the path; use `query_string` for the query");
    }
    each(values, at, context, Condition::path_pattern)
}

fn http_header(header: &written::HttpHeader, at: &Path, context: &mut Context<'_>) -> Result<Condition, Reported> {
    let name_at = at.key("name");
    match Condition::http_header(&header.name, &["*".to_owned()]) {
        Err(error) => return Err(report(&error, &name_at, context)),
        Ok(Condition::HttpHeader(name, _)) if context.protected.contains(&name) => {
            let message = format!("the header `{name}` is removed before rules are evaluated");
            let problem = context.found.problem(&name_at, message);
            return problem.hint("clients may not set this header, so the condition could never match").fail();
        }
        Ok(_) => {}
    }
    match (&header.values, &header.regex_values) {
        (Some(values), None) => {
            each(values, &at.key("values"), context, |texts| Condition::http_header(&header.name, texts))
        }
        (None, Some(values)) => {
            let make = |texts: &[String]| Condition::http_header_regex(&header.name, texts);
            regexes(values, "value of the header", at, context, make)
        }
        (Some(_), Some(_)) => {
            let problem = context.found.problem(&at.key("regex_values"), "both `values` and `regex_values` are set");
            let problem = problem.label(&at.key("values"), "the other one");
            problem.hint("write two rules, or all values as regular expressions").fail()
        }
        (None, None) => {
            let problem = context.found.problem(at, "`values` is missing");
            problem
                .hint("`values` has the allowed values; `regex_values` has regular expressions in place of them")
                .fail()
        }
    }
}

/// Regular expressions. `what` is the text that they are compared with.
fn regexes(
    values: &List<String>,
    what: &str,
    at: &Path,
    context: &mut Context<'_>,
    make: impl Fn(&[String]) -> Result<Condition, Error>,
) -> Result<Condition, Reported> {
    let at = at.key("regex_values");
    let condition = each(values, &at, context, make)?;
    for (index, text) in values.iter() {
        // Another reading of the expression would match other requests.
        if Parsed::new(text, Case::Sensitive).is_ok_and(|parsed| parsed.may_be_meant_for_a_part()) {
            let message = format!("`{text}` is compared with the whole {what}");
            let warning = context.found.warning(&at.index(index), message);
            warning.hint("write `^` before it and `$` behind it to say so; write `.*` where any text may stand");
        }
    }
    Ok(condition)
}

/// Whether the pattern looks like a path with a query: `/search?q=*`.
fn looks_like_a_query(pattern: &str) -> bool {
    pattern.split_once('?').is_some_and(|(_, rest)| rest.contains('='))
}

/// Checks each value separately, so that each problem has its own place.
fn each(
    values: &List<String>,
    at: &Path,
    context: &mut Context<'_>,
    make: impl Fn(&[String]) -> Result<Condition, Error>,
) -> Result<Condition, Reported> {
    let sound = context.each_item(values, at, |text, at, context| match make(std::slice::from_ref(text)) {
        Ok(_) => Ok(text.clone()),
        Err(error) => Err(report(&error, at, context)),
    })?;
    make(&sound).map_err(|error| report(&error, at, context))
}

fn report(error: &Error, at: &Path, context: &mut Context<'_>) -> Reported {
    let hint = match error {
        Error::Method(text) if text.bytes().any(|byte| byte.is_ascii_lowercase()) => {
            Some(format!("did you mean `{}`?", text.to_ascii_uppercase()))
        }
        Error::NeverCanonical(text, _) if text.contains(';') => {
            Some("end the pattern before the `;`; to match an encoded `;` (`%3B`), write `?`".to_owned())
        }
        Error::HostHeader => Some("use the condition `host_header`: `- host_header: [app.example.com]`".to_owned()),
        _ => None,
    };
    context.found.problem(at, error.to_string()).maybe_hint(hint).reported()
}
