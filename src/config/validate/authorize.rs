//! `authorize`.

use crate::action::requirement::{ClaimTest, Requirement, Test};
use crate::action::settings::{AuthorizeMode, AuthorizeSettings};
use crate::config::document::findings::Findings;
use crate::config::document::path::Path;
use crate::config::raw::action as written;
use crate::config::raw::value::{List, OneOrMany};
use crate::config::validate::value;

/// Requirements inside each other. What is deeper is not readable.
const DEPTH_MAX: usize = 8;

/// Checks an `authorize` action.
pub(super) fn authorize(raw: &written::Authorize, at: &Path, found: &mut Findings) -> Option<AuthorizeSettings> {
    let parts =
        Parts { claim: None, contains: None, equals: None, domain: None, any: &raw.any, all: &raw.all, not: &raw.not };
    let requirement = parts.requirement(at, 0, found)?;
    Some(AuthorizeSettings {
        requirement,
        mode: match raw.mode {
            written::AuthorizeMode::Enforce => AuthorizeMode::Enforce,
            written::AuthorizeMode::Report => AuthorizeMode::Report,
        },
        reveal: raw.reveal,
        contact: raw.contact.clone(),
    })
}

/// What a requirement may be made of. The action itself has no `claim`.
struct Parts<'r> {
    claim: Option<&'r OneOrMany>,
    contains: Option<&'r List<String>>,
    equals: Option<&'r List<String>>,
    domain: Option<&'r List<String>>,
    any: &'r Option<List<written::Requirement>>,
    all: &'r Option<List<written::Requirement>>,
    not: &'r Option<Box<written::Requirement>>,
}

impl<'r> Parts<'r> {
    fn of(raw: &'r written::Requirement) -> Self {
        Self {
            claim: raw.claim.as_ref(),
            contains: raw.contains.as_ref(),
            equals: raw.equals.as_ref(),
            domain: raw.domain.as_ref(),
            any: &raw.any,
            all: &raw.all,
            not: &raw.not,
        }
    }

    fn requirement(&self, at: &Path, depth: usize, found: &mut Findings) -> Option<Requirement> {
        if depth > DEPTH_MAX {
            found.problem(at, format!("more than {DEPTH_MAX} requirements inside each other"));
            return None;
        }
        let tests = [("contains", self.contains), ("equals", self.equals), ("domain", self.domain)];
        let forms = usize::from(self.any.is_some())
            + usize::from(self.all.is_some())
            + usize::from(self.not.is_some())
            + usize::from(self.claim.is_some());
        let given: Vec<_> = tests.into_iter().filter_map(|(name, values)| Some((name, values?))).collect();
        match (self.claim, &given[..]) {
            (Some(claim), [(name, values)]) if forms == 1 => claim_test(claim, name, values, at, found),
            (None, []) if forms == 1 => self.joined(at, depth, found),
            (Some(_), _) if forms == 1 => {
                let problem = found.problem(at, "a claim needs exactly one of `contains`, `equals` and `domain`");
                problem.hint("for example `{ claim: groups, contains: [staff] }`");
                None
            }
            _ => {
                let problem = found.problem(at, "this is not one requirement");
                problem.hint(match depth {
                    0 => "set exactly one of `any`, `all` and `not`, for example `any: [{ claim: groups, contains: [staff] }]`",
                    _ => "set exactly one of `any`, `all` and `not`, or a `claim` with one of `contains`, `equals` and `domain`",
                });
                None
            }
        }
    }

    fn joined(&self, at: &Path, depth: usize, found: &mut Findings) -> Option<Requirement> {
        if let Some(not) = self.not {
            let part = Parts::of(not).requirement(&at.key("not"), depth + 1, found)?;
            return Some(Requirement::Not(Box::new(part)));
        }
        let (key, parts) = match (self.any, self.all) {
            (Some(any), _) => ("any", any),
            (None, all) => ("all", all.as_ref()?),
        };
        let at = at.key(key);
        if parts.is_empty() {
            found.problem(&at, "this list is empty, so nobody would be let in").hint("write at least one requirement");
            return None;
        }
        let checked: Vec<_> =
            parts.iter().map(|(index, part)| Parts::of(part).requirement(&at.index(index), depth + 1, found)).collect();
        let checked = checked.into_iter().collect::<Option<Vec<_>>>().filter(|_| parts.is_complete())?;
        Some(if key == "any" { Requirement::Any(checked) } else { Requirement::All(checked) })
    }
}

fn claim_test(
    claim: &OneOrMany,
    name: &str,
    values: &List<String>,
    at: &Path,
    found: &mut Findings,
) -> Option<Requirement> {
    let path = value::claim_path(claim, &at.key("claim"), found)?;
    let at = at.key(name);
    let mut texts = Vec::with_capacity(values.len());
    for (index, text) in values.iter() {
        if text.is_empty() {
            found.problem(&at.index(index), "this value is empty");
            return None;
        }
        texts.push(if name == "domain" { domain(text, &at.index(index), found)? } else { text.clone() });
    }
    if texts.is_empty() {
        found.problem(&at, "this list is empty, so nobody would be let in");
        return None;
    }
    if !values.is_complete() {
        return None;
    }
    let test = match name {
        "contains" => Test::Contains(texts),
        "equals" => Test::Equals(texts),
        _ if path != ["email"] => {
            let problem = found.problem(&at, "`domain` is only for the claim `email`");
            problem.hint("no other claim says whether an address is verified");
            return None;
        }
        _ => Test::Domain(texts),
    };
    Some(Requirement::Claim(ClaimTest { path, test }))
}

/// A domain in lower case and ASCII (IDNA A-labels).
fn domain(text: &str, at: &Path, found: &mut Findings) -> Option<String> {
    let host = url::Host::parse(text).ok().and_then(|host| match host {
        url::Host::Domain(domain) => Some(domain),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    });
    let domain = host.filter(|domain| !domain.ends_with('.') && !domain.contains('*'));
    if domain.is_none() {
        let problem = found.problem(at, format!("`{text}` is not a domain"));
        problem.hint("write what follows the `@`, for example `example.com`");
    }
    domain
}
