//! `authorize`, and the settings of actions that authenticate which are short for it.

use crate::action::demand::Demand;
use crate::action::requirement::{ClaimTest, GROUPS, Requirement, Scalar, Test};
use crate::action::settings::{AuthorizeMode, AuthorizeSettings};
use crate::config::document::findings::{Findings, Reported};
use crate::config::document::path::Path;
use crate::config::raw::action as written;
use crate::config::raw::value::{self as raw, List, OneOrMany};
use crate::config::validate::{client_certificate, value};

/// Requirements inside each other. What is deeper is not readable.
const DEPTH_MAX: usize = 8;

/// Bytes of a `contact`.
const CONTACT_BYTES_MAX: usize = 500;

/// The tests of a claim, as messages name them.
const TESTS: &str = "`contains`, `equals`, `domain` and `address`";

/// Checks an `authorize` action.
pub(super) fn authorize(
    raw: &written::Authorize,
    at: &Path,
    found: &mut Findings,
) -> Result<AuthorizeSettings, Reported> {
    let contact = raw.contact.as_deref().map(|contact| self::contact(contact, &at.key("contact"), found)).transpose();
    let demand = demand(raw, at, found);
    let has_claims = raw.any.is_some() || raw.all.is_some() || raw.not.is_some();
    let has_demand = raw.max_age.is_some() || raw.acr.is_some();
    let parts = RequirementParts {
        claim: None,
        certificate: None,
        tests: Vec::new(),
        any: raw.any.as_ref(),
        all: raw.all.as_ref(),
        not: raw.not.as_deref(),
    };
    let requirement = (has_claims || !has_demand).then(|| parts.requirement(at, 0, found)).transpose()?;
    let (demand, contact) = (demand?, contact?);
    Ok(AuthorizeSettings {
        requirement,
        demand: Demand { contact: contact.clone().filter(|_| has_demand), ..demand },
        mode: match raw.mode {
            written::AuthorizeMode::Enforce => AuthorizeMode::Enforce,
            written::AuthorizeMode::Report => AuthorizeMode::Report,
        },
        reveal: raw.reveal,
        contact,
    })
}

/// Whom to ask. It is part of a page, and of the cookie of a sign-in.
fn contact(text: &str, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    if text.len() > CONTACT_BYTES_MAX {
        return found.problem(at, format!("a contact has at most {CONTACT_BYTES_MAX} bytes")).fail();
    }
    if text.trim().is_empty() {
        return found.problem(at, "this value is empty").hint("write whom to ask, or remove it").fail();
    }
    Ok(text.to_owned())
}

/// `max_age` and `acr`.
fn demand(raw: &written::Authorize, at: &Path, found: &mut Findings) -> Result<Demand, Reported> {
    let max_age =
        raw.max_age.as_ref().map(|max_age| value::period(max_age, written::MAX_AGE_BOUNDS, &at.key("max_age"), found));
    let acr = raw.acr.as_ref().map(|acr| texts(acr, &at.key("acr"), found, acr_value));
    Ok(Demand { max_age: max_age.transpose()?, acr: acr.transpose()?.unwrap_or_default(), contact: None })
}

/// One value of `acr_values`, which are separated by spaces (OIDC Core §3.1.2.1).
fn acr_value(text: &str, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    if text.is_empty() || text.chars().any(|character| character.is_whitespace() || character.is_control()) {
        let problem = found.problem(at, "an `acr` is one word");
        return problem.hint("write each value as an element of the list: `[phr, phrh]`").fail();
    }
    Ok(text.to_owned())
}

/// `allowed_*` of an action that authenticates.
#[derive(Clone, Copy)]
pub(super) struct Allowed<'r> {
    groups: Option<&'r List<String>>,
    groups_claim: Option<&'r OneOrMany>,
    emails: Option<&'r List<String>>,
    domains: Option<&'r List<String>>,
}

impl<'r> Allowed<'r> {
    pub(super) fn of(login: &'r written::Login) -> Self {
        Self {
            groups: login.allowed_groups.as_ref(),
            groups_claim: login.groups_claim.as_ref(),
            emails: login.allowed_emails.as_ref(),
            domains: login.allowed_email_domains.as_ref(),
        }
    }

    /// The settings that are in the file, by name.
    pub(super) fn given(&self) -> Vec<&'static str> {
        let all = [
            ("allowed_groups", self.groups.is_some()),
            ("allowed_emails", self.emails.is_some()),
            ("allowed_email_domains", self.domains.is_some()),
        ];
        all.into_iter().filter_map(|(name, is_given)| is_given.then_some(name)).collect()
    }

    /// The `authorize` action that they are short for. `Ok(None)` if there are none.
    pub(super) fn authorize(&self, at: &Path, found: &mut Findings) -> Result<Option<AuthorizeSettings>, Reported> {
        if self.groups.is_none() && self.groups_claim.is_some() {
            let problem = found.problem(&at.key("groups_claim"), "`groups_claim` without `allowed_groups`");
            return problem
                .lacks(&at.key("allowed_groups"))
                .hint("it only says which claim `allowed_groups` looks at; set both, or remove it")
                .fail();
        }
        let claim = self.groups_claim.map(|claim| value::claim_path(claim, &at.key("groups_claim"), found));
        let claim = claim.unwrap_or_else(|| Ok(vec![GROUPS.to_owned()]));
        let groups = self.groups.map(|groups| {
            let groups = texts(groups, &at.key("allowed_groups"), found, text)?.into_iter().map(Scalar::Text).collect();
            Ok(Requirement::Claim(ClaimTest { path: claim?, test: Test::Contains(groups) }))
        });
        let email = |test: Test| Requirement::Claim(ClaimTest { path: vec!["email".to_owned()], test });
        let emails = self.emails.map(|emails| {
            texts(emails, &at.key("allowed_emails"), found, address).map(|emails| email(Test::Address(emails)))
        });
        let domains = self.domains.map(|domains| {
            texts(domains, &at.key("allowed_email_domains"), found, domain).map(|domains| email(Test::Domain(domains)))
        });
        // Somebody who is listed by address need not be of a listed domain, and the other way round. A group is required in addition.
        let by_email = emails.into_iter().chain(domains).collect::<Result<Vec<_>, _>>();
        let mut all = groups.into_iter().collect::<Result<Vec<_>, _>>()?;
        all.extend(one_or(by_email?, Requirement::Any));
        let requirement = one_or(all, Requirement::All);
        Ok(requirement.map(|requirement| AuthorizeSettings {
            requirement: Some(requirement),
            demand: Demand::default(),
            mode: AuthorizeMode::default(),
            reveal: false,
            contact: None,
        }))
    }
}

/// The only part itself, or all of them joined. `None` if there is none.
fn one_or(mut parts: Vec<Requirement>, join: impl FnOnce(Vec<Requirement>) -> Requirement) -> Option<Requirement> {
    match parts.len() {
        0 | 1 => parts.pop(),
        _ => Some(join(parts)),
    }
}

/// What a requirement may be made of. The action itself has no `claim`.
struct RequirementParts<'r> {
    claim: Option<&'r OneOrMany>,
    certificate: Option<&'r written::ClientCertificate>,
    /// The tests of the claim that are in the file.
    tests: Vec<Values<'r>>,
    any: Option<&'r List<written::Requirement>>,
    all: Option<&'r List<written::Requirement>>,
    not: Option<&'r written::Requirement>,
}

/// The values that a claim is compared with, by the name of the test.
#[derive(Clone, Copy)]
enum Values<'r> {
    Contains(&'r List<raw::Scalar>),
    Equals(&'r List<raw::Scalar>),
    Domain(&'r List<String>),
    Address(&'r List<String>),
}

impl<'r> RequirementParts<'r> {
    fn of(raw: &'r written::Requirement) -> Self {
        let tests = [
            raw.contains.as_ref().map(Values::Contains),
            raw.equals.as_ref().map(Values::Equals),
            raw.domain.as_ref().map(Values::Domain),
            raw.address.as_ref().map(Values::Address),
        ];
        Self {
            claim: raw.claim.as_ref(),
            certificate: raw.client_certificate.as_ref(),
            tests: tests.into_iter().flatten().collect(),
            any: raw.any.as_ref(),
            all: raw.all.as_ref(),
            not: raw.not.as_deref(),
        }
    }

    fn requirement(&self, at: &Path, depth: usize, found: &mut Findings) -> Result<Requirement, Reported> {
        if depth > DEPTH_MAX {
            return found.problem(at, format!("more than {DEPTH_MAX} requirements inside each other")).fail();
        }
        let forms = usize::from(self.any.is_some())
            + usize::from(self.all.is_some())
            + usize::from(self.not.is_some())
            + usize::from(self.certificate.is_some())
            + usize::from(self.claim.is_some());
        match (self.claim, &self.tests[..]) {
            (Some(claim), [test]) if forms == 1 => claim_test(claim, *test, at, found),
            (None, []) if forms == 1 => match self.certificate {
                Some(raw) => client_certificate::requirement(raw, &at.key("client_certificate"), found),
                None => self.joined(at, depth, found),
            },
            (claim, _) => match found.concern(at).or_else(|| found.concern_keys_of(at)) {
                // A part that is given but wrong, or misspelled, is not here, and has been reported.
                Some(reported) => Err(reported),
                None if claim.is_some() && forms == 1 => {
                    let message = format!("a claim needs exactly one of {TESTS}");
                    found.problem(at, message).hint("for example `{ claim: groups, contains: [staff] }`").fail()
                }
                None => Self::unclear(at, depth, found),
            },
        }
    }

    fn unclear<T>(at: &Path, depth: usize, found: &mut Findings) -> Result<T, Reported> {
        let rest = match depth {
            0 => {
                ", for example `any: [{ claim: groups, contains: [staff] }]`; or set only `max_age` or `acr`".to_owned()
            }
            _ => format!(", or a `claim` with one of {TESTS}, or `client_certificate`"),
        };
        let hint = format!("set exactly one of `any`, `all` and `not`{rest}");
        found.problem(at, "this is not one requirement").hint(hint).fail()
    }

    fn joined(&self, at: &Path, depth: usize, found: &mut Findings) -> Result<Requirement, Reported> {
        let (key, parts) = match (self.not, self.any, self.all) {
            (Some(not), ..) => {
                let part = RequirementParts::of(not).requirement(&at.key("not"), depth + 1, found)?;
                return Ok(Requirement::Not(Box::new(part)));
            }
            (_, Some(any), _) => ("any", any),
            (_, _, Some(all)) => ("all", all),
            _ => return Self::unclear(at, depth, found),
        };
        let at = at.key(key);
        if parts.is_empty() {
            let problem = found.problem(&at, "this list is empty, so nobody would be let in");
            return problem.hint("write at least one requirement").fail();
        }
        let checked = value::each(parts, &at, found, |part, at, found| {
            RequirementParts::of(part).requirement(at, depth + 1, found)
        })?;
        Ok(if key == "any" { Requirement::Any(checked) } else { Requirement::All(checked) })
    }
}

fn claim_test(claim: &OneOrMany, test: Values<'_>, at: &Path, found: &mut Findings) -> Result<Requirement, Reported> {
    let path = value::claim_path(claim, &at.key("claim"), found);
    let known = path.as_deref().ok();
    let test = match test {
        Values::Contains(raw) => values(raw, &at.key("contains"), found, scalar).map(Test::Contains),
        Values::Equals(raw) => values(raw, &at.key("equals"), found, scalar).map(Test::Equals),
        Values::Domain(raw) => of_email(known, "domain", at, found)
            .and_then(|()| texts(raw, &at.key("domain"), found, domain).map(Test::Domain)),
        Values::Address(raw) => of_email(known, "address", at, found)
            .and_then(|()| texts(raw, &at.key("address"), found, address).map(Test::Address)),
    };
    Ok(Requirement::Claim(ClaimTest { path: path?, test: test? }))
}

fn of_email(path: Option<&[String]>, test: &str, at: &Path, found: &mut Findings) -> Result<(), Reported> {
    if path.is_none_or(|path| path == ["email"]) {
        return Ok(());
    }
    let problem = found.problem(&at.key(test), format!("`{test}` is only for the claim `email`"));
    problem.hint("no other claim says whether an address is verified").fail()
}

/// The values of a list, each read by `one`. All that is wrong with them is reported.
fn values<R, V>(
    raw: &List<R>,
    at: &Path,
    found: &mut Findings,
    one: impl Fn(&R, &Path, &mut Findings) -> Result<V, Reported>,
) -> Result<Vec<V>, Reported> {
    if raw.is_empty() {
        let problem = found.problem(at, "this list is empty, so nobody would be let in");
        return problem.hint("write at least one value, or remove the key").fail();
    }
    value::each(raw, at, found, one)
}

/// Like [`values`], for texts.
fn texts(
    raw: &List<String>,
    at: &Path,
    found: &mut Findings,
    one: impl Fn(&str, &Path, &mut Findings) -> Result<String, Reported>,
) -> Result<Vec<String>, Reported> {
    values(raw, at, found, |text: &String, at, found| one(text, at, found))
}

fn scalar(raw: &raw::Scalar, at: &Path, found: &mut Findings) -> Result<Scalar, Reported> {
    match raw {
        raw::Scalar::Text(text) => self::text(text, at, found).map(Scalar::Text),
        raw::Scalar::Integer(number) => Ok(Scalar::Integer(*number)),
        raw::Scalar::Truth(truth) => Ok(Scalar::Truth(*truth)),
    }
}

fn text(text: &str, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    if text.trim().is_empty() {
        return found.problem(at, "this value is empty").hint("write a value, or remove it").fail();
    }
    Ok(text.to_owned())
}

/// A domain in lower case and ASCII (IDNA A-labels).
pub(super) fn domain(text: &str, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    ascii_domain(text).ok_or_else(|| {
        let problem = found.problem(at, format!("`{text}` is not a domain"));
        problem.hint("write what follows the `@`, for example `example.com`; list each sub-domain").reported()
    })
}

/// An e-mail address, whose domain is in lower case and ASCII.
fn address(text: &str, at: &Path, found: &mut Findings) -> Result<String, Reported> {
    let parts = text.split_once('@').filter(|(local, _)| !local.is_empty());
    let address = parts.and_then(|(local, domain)| Some(format!("{local}@{}", ascii_domain(domain)?)));
    address.ok_or_else(|| {
        let problem = found.problem(at, format!("`{text}` is not an e-mail address"));
        let hint = "write `ada@example.com`; for all addresses of a domain, use `domain` or `allowed_email_domains`";
        problem.hint(hint).reported()
    })
}

fn ascii_domain(text: &str) -> Option<String> {
    let host = url::Host::parse(text).ok().and_then(|host| match host {
        url::Host::Domain(domain) => Some(domain),
        url::Host::Ipv4(_) | url::Host::Ipv6(_) => None,
    });
    host.filter(|domain| !domain.contains('*') && domain.split('.').all(|label| !label.is_empty()))
}
