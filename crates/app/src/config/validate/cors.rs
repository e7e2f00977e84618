//! `cors` of a listener or a rule.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};

use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::cors::{Cors, MAX_AGE_MAX};
use crate::config::raw::rule::{Condition, Rule};
use crate::config::raw::value::List;
use crate::config::validate::value;
use crate::message::cors::{Origins, Policy};

pub(super) fn cors(raw: &Cors, at: &Path, found: &mut Findings) -> Result<Policy, Reported> {
    let origins = origins(raw, at, found);
    let methods = list(&raw.allow_methods, &at.key("allow_methods"), found, method);
    let headers = list(&raw.allow_headers, &at.key("allow_headers"), found, header_name);
    let expose = list(&raw.expose_headers, &at.key("expose_headers"), found, header_name);
    let bounds = (Duration::ZERO, MAX_AGE_MAX);
    let max_age = value::period(&raw.max_age, bounds, &at.key("max_age"), found);
    let lists = [
        ("allow_methods", &raw.allow_methods),
        ("allow_headers", &raw.allow_headers),
        ("expose_headers", &raw.expose_headers),
    ];
    for (key, list) in lists {
        if raw.allow_credentials && list.iter().any(|(_, name)| name == "*") {
            // Fetch §3.3.2: with credentials, `*` is a method or a header of this name.
            let problem = found.problem(&at.key(key), "`*` with `allow_credentials`: browsers do not accept it");
            return problem.hint("list the names").fail();
        }
    }
    let Some(methods) = methods? else {
        return found
            .problem(&at.key("allow_methods"), "expected at least one method")
            .hint("write `[GET, POST]`, or remove it")
            .fail();
    };
    Ok(Policy {
        origins: origins?,
        methods,
        headers: headers?,
        expose: expose?,
        max_age: HeaderValue::from(max_age?.as_secs()),
    })
}

/// The policy of a rule: its own or that of the listener.
pub(super) fn of_rule(
    rule: &Rule,
    of_listener: Option<&Policy>,
    at: &Path,
    found: &mut Findings,
) -> Result<Option<Policy>, Reported> {
    let Some(raw) = &rule.cors else { return Ok(of_listener.cloned()) };
    let at = at.key("cors");
    let policy = cors(raw, &at, found)?;
    let lacks_options = |condition: &Condition| match condition {
        Condition::HttpRequestMethod(methods) => !methods.iter().any(|(_, method)| method == "OPTIONS"),
        _ => false,
    };
    if rule.conditions.iter().any(|(_, condition)| lacks_options(condition)) {
        let warning = found.warning(&at, "preflights never match this rule: they have the method `OPTIONS`");
        warning.hint("add `OPTIONS` to `http_request_method` of the rule");
    }
    Ok(Some(policy))
}

fn origins(raw: &Cors, at: &Path, found: &mut Findings) -> Result<Origins, Reported> {
    let at_origins = at.key("allow_origins");
    if raw.allow_origins.is_empty() {
        return found
            .problem(&at_origins, "expected at least one origin")
            .hint("write `[https://www.example.com]`")
            .fail();
    }
    if raw.allow_origins.iter().any(|(_, origin)| origin == "*") {
        if raw.allow_credentials {
            let message = "every website could read what its visitors may see here";
            let problem = found.problem(&at_origins, message).label(&at.key("allow_credentials"), "because of this");
            return problem.hint("list the origins, or remove `allow_credentials`").fail();
        }
        if raw.allow_origins.len() > 1 {
            let problem = found.problem(&at_origins, "`*` already means every origin");
            return problem.hint("remove the others, or remove `*`").fail();
        }
        return Ok(Origins::Any);
    }
    let origins = value::each(&raw.allow_origins, &at_origins, found, origin)?;
    Ok(Origins::Listed { origins: origins.into(), credentials: raw.allow_credentials })
}

/// An origin as browsers send it.
pub(super) fn origin(text: &String, at: &Path, found: &mut Findings) -> Result<HeaderValue, Reported> {
    if text == "null" {
        let problem = found.problem(at, "`null` is the origin of every sandboxed frame and local file");
        return problem.hint("list the origins of your applications").fail();
    }
    if text.contains('*') {
        let problem = found.problem(at, format!("`{text}` has a wildcard: origins are compared exactly"));
        return problem.hint("list each origin").fail();
    }
    let origin = value::origin(text, at, found)?.origin().ascii_serialization();
    HeaderValue::try_from(origin).map_err(|_| found.problem(at, format!("`{text}` is not an origin")).reported())
}

/// A list as the value of one header; `None` if it is empty.
pub(super) fn list(
    raw: &List<String>,
    at: &Path,
    found: &mut Findings,
    check: fn(&String, &Path, &mut Findings) -> Result<String, Reported>,
) -> Result<Option<HeaderValue>, Reported> {
    let names = value::each(raw, at, found, check)?;
    if names.is_empty() {
        return Ok(None);
    }
    let value = HeaderValue::try_from(names.join(", "));
    value.map(Some).map_err(|_| found.problem(at, "this is not the value of a header").reported())
}

pub(super) fn method(text: &String, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    // Browsers compare methods by case, and write those of Fetch §2.2.1 in capitals.
    if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        let problem = found.problem(at, format!("`{text}` is not a method: methods are written in capitals"));
        return problem.hint(format!("write `{}`", text.to_ascii_uppercase())).fail();
    }
    match Method::from_bytes(text.as_bytes()) {
        Ok(_) => Ok(text.clone()),
        Err(_) => found.problem(at, format!("`{text}` is not a method")).fail(),
    }
}

pub(super) fn header_name(text: &String, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Ok(name.as_str().to_owned()),
        Err(_) => found.problem(at, format!("`{text}` is not a header name")).fail(),
    }
}
