//! Headers that targets get, and headers of answers.
//!
//! Apache removes the headers of mod_auth_openidc, and those of `RequestHeader`, from what clients send. A target may believe such a header, so each of
//! them is in `claims.headers`, which has the same effect, also where nothing fills it.

use crate::import::apache::bearer::{self, Ways};
use crate::import::apache::scope::{Host, Place};
use crate::import::apache::sign_in;
use crate::import::apache::tree::Directive;
use crate::import::claim_headers::{OF_ANSWERS, OURS, header_name, remove, set};
use crate::import::draft::Draft;
use crate::import::ledger::Ledger;
use crate::import::yaml::{Map, Yaml};

/// Claims of OpenID Connect Core §5.1 and §2, and those that many providers have for groups.
const CLAIMS: &[&str] = &[
    "sub",
    "iss",
    "aud",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "groups",
    "roles",
    "upn",
];

/// Other headers of mod_auth_openidc.
const OF_THE_MODULE: &[&str] = &[
    "oidc-id-token",
    "oidc-id-token-payload",
    "oidc-userinfo-json",
    "oidc-userinfo-jwt",
    "oidc-signed-jwt",
    "oidc-refresh-token",
    "oidc-access-token-expires",
    "oidc-access-token-type",
    "oidc-scope",
];

/// Adds the headers of claims that targets of a host with a sign-in get. Returns what is different.
///
/// # Errors
///
/// In a sentence, if a client could set one of them.
pub(super) fn claims(
    host: &Host<'_>,
    places: &[&Place<'_>],
    ways: Ways,
    asked: &[String],
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<String, String> {
    let prefix = host.last("oidcclaimprefix").map_or("OIDC_CLAIM_", |directive| directive.word(0));
    let listed = host.last("oidcwhitelistedclaims").map(|directive| &directive.words[..]);
    if prefix.is_empty() && listed.is_none() {
        return Err("without OIDCClaimPrefix, clients could set any header that is named like a claim".to_owned());
    }
    let way = sign_in::nearest(host, places, "oidcpassclaimsas").map_or("both", |directive| directive.word(0));
    let is_passed = !matches!(way, "none" | "environment");
    let claims: Vec<&str> = match listed {
        Some(listed) => listed.iter().map(String::as_str).collect(),
        None => CLAIMS.iter().copied().chain(asked.iter().map(String::as_str)).collect(),
    };
    for claim in claims {
        let name = header_name(&format!("{prefix}{claim}"));
        // The name of a member is no header in Apache. That of an address is a claim with dots.
        let is_member = claim.contains('.') && !claim.contains("://");
        if is_passed && !is_member {
            let path = if claim.contains('.') { Yaml::List(vec![Yaml::from(claim)]) } else { Yaml::from(claim) };
            set(&name, path, draft)?;
        } else {
            remove(&name, draft)?;
        }
    }
    for name in OF_THE_MODULE {
        remove(name, draft)?;
    }
    if !prefix.is_empty() {
        for claim in CLAIMS.iter().copied().chain(named(host)) {
            remove(&header_name(&format!("{prefix}{claim}")), draft)?;
        }
    }
    user(host, places, ways, draft, ledger)?;
    let what = format!(
        "claims.headers: Apache removes every header that begins with `{prefix}`, and here each is listed. Add those that the application reads besides: a client could set {}",
        header_name(&format!("{prefix}other"))
    );
    for name in [
        "oidcclaimprefix",
        "oidcpassclaimsas",
        "oidcpassidtokenas",
        "oidcpassuserinfoas",
        "oidcwhitelistedclaims",
        "oidcblacklistedclaims",
    ] {
        let found = places.iter().filter_map(|place| place.last(name)).chain(host.last(name));
        found.for_each(|directive| ledger.changed(&directive.path, &what));
    }
    Ok(what)
}

/// Claims that the host names elsewhere.
fn named<'h>(host: &'h Host<'_>) -> impl Iterator<Item = &'h str> {
    let of_places = host.places.iter().flat_map(|place| place.directives.iter());
    let all = || host.directives.iter().chain(of_places.clone());
    let of_users = all().filter(|directive| matches!(directive.name.as_str(), SESSION_CLAIM | TOKEN_CLAIM));
    let lists = all().filter(|directive| directive.name == "oidcblacklistedclaims");
    let headers = all().filter(|directive| directive.name == "requestheader");
    let of_headers = headers.flat_map(|directive| &directive.words).filter_map(|word| claim_of(word, None));
    let of_users = of_users.filter_map(|directive| single(directive));
    of_users.chain(lists.flat_map(|directive| directive.words.iter().map(String::as_str))).chain(of_headers)
}

/// The claim that `REMOTE_USER` has. `None` if it is made of several things, or is another one for sessions than for tokens.
pub(super) fn user_claim<'t>(host: &Host<'t>, ways: Ways) -> Option<&'t str> {
    let (of_session, of_token) = (session_claim(host), token_claim(host));
    match (ways.sessions, ways.tokens) {
        (true, true) => of_session.filter(|_| of_session == of_token),
        (false, true) => of_token,
        (_, false) => of_session,
    }
}

/// The claim that `REMOTE_USER` has in all sections of a host.
pub(super) fn user_of_all<'t>(host: &Host<'t>) -> Option<&'t str> {
    let kinds = host.places.iter().chain(&host.proxies).filter_map(|place| place.last("authtype"));
    let mut all = Ways::default();
    for ways in kinds.chain(host.last("authtype")).filter_map(|kind| bearer::ways(kind.word(0), host)) {
        all = Ways { sessions: all.sessions || ways.sessions, tokens: all.tokens || ways.tokens };
    }
    user_claim(host, all)
}

fn session_claim<'t>(host: &Host<'t>) -> Option<&'t str> {
    single(host.last(SESSION_CLAIM)?)
}

fn token_claim<'t>(host: &Host<'t>) -> Option<&'t str> {
    host.last(TOKEN_CLAIM).map_or(Some("sub"), single)
}

const SESSION_CLAIM: &str = "oidcremoteuserclaim";
const TOKEN_CLAIM: &str = "oidcoauthremoteuserclaim";

/// The claim that a directive names, if that is all that it says.
fn single(directive: &Directive) -> Option<&str> {
    let claim = directive.word(0);
    (directive.words.len() == 1 && !claim.ends_with('@') && !claim.is_empty()).then_some(claim)
}

/// `OIDCAuthNHeader`.
fn user(
    host: &Host<'_>,
    places: &[&Place<'_>],
    ways: Ways,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let (of_session, of_token) = (session_claim(host).unwrap_or("sub"), token_claim(host).unwrap_or("sub"));
    if let Some(header) = sign_in::nearest(host, places, "oidcauthnheader") {
        if ways.sessions && ways.tokens && of_session != of_token {
            return Err(format!("{}: it has another claim for sessions than for tokens", header.path));
        }
        let claim = if ways.sessions { of_session } else { of_token };
        set(&header_name(header.word(0)), Yaml::from(claim), draft)?;
        ledger.kept(&header.path, "claims.headers");
    }
    for (name, is_used) in [(SESSION_CLAIM, ways.sessions), (TOKEN_CLAIM, ways.tokens)] {
        let Some(directive) = host.last(name).filter(|_| is_used) else { continue };
        match single(directive) {
            Some(claim) => ledger.kept(&directive.path, &format!("the claim {claim} in claims.headers and authorize")),
            None => {
                ledger.changed(&directive.path, "the claim `sub`: a name that is made of several things is not there")
            }
        }
    }
    Ok(())
}

/// Carries over a `RequestHeader`.
///
/// # Errors
///
/// In a sentence, if a target could get a header from a client that it does not get from Apache.
pub(super) fn request_header(
    directive: &Directive,
    user: Option<&str>,
    draft: &mut Draft,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let words: Vec<&str> = directive.words.iter().map(String::as_str).filter(|word| *word != "early").collect();
    let [action, name, rest @ ..] = words.as_slice() else { return Err("a RequestHeader has no name".to_owned()) };
    let name = header_name(name);
    let refused = |ledger: &mut Ledger| {
        let why = format!("targets would get another {name} than from Apache");
        ledger.dropped(&directive.path, &why);
        Err(format!("{}: {why}", directive.path))
    };
    if OURS.contains(&name.as_str()) {
        ledger.kept(&directive.path, "Vestibule sets or removes the header itself");
        return Ok(());
    }
    if OF_ANSWERS.contains(&name.as_str()) {
        ledger.dropped(&directive.path, "targets get the header as the client sends it");
        return Ok(());
    }
    let value = rest.first().copied().unwrap_or_default();
    match action.to_ascii_lowercase().as_str() {
        "set" | "setifempty" if rest.len() == 1 => match claim_of(value, user) {
            Some(claim) if !action.eq_ignore_ascii_case("setifempty") => {
                if set(&name, Yaml::from(claim), draft).is_err() {
                    return refused(ledger);
                }
                ledger.kept(&directive.path, "claims.headers");
            }
            _ if remove(&name, draft).is_ok() => {
                ledger.changed(
                    &directive.path,
                    "claims.headers: clients cannot set the header, and targets do not get it",
                );
            }
            _ => return refused(ledger),
        },
        // What the client sends stays in part: `append`, `merge`, `add`. Without it, or without all of it, nothing is let in.
        "unset" | "set" | "setifempty" | "edit" | "edit*" | "append" | "merge" | "add" => {
            if remove(&name, draft).is_err() {
                return refused(ledger);
            }
            ledger.changed(&directive.path, "claims.headers: clients cannot set the header, and targets do not get it");
        }
        other => return Err(format!("{}: RequestHeader {other} is not known", directive.path)),
    }
    Ok(())
}

/// The claim that a value of `RequestHeader` has: `%{OIDC_CLAIM_email}e`, `%{REMOTE_USER}s`, `expr=%{REMOTE_USER}`.
fn claim_of<'v>(value: &'v str, user: Option<&'v str>) -> Option<&'v str> {
    let inside = value.strip_prefix("expr=").unwrap_or(value).strip_prefix("%{")?;
    let (name, end) = inside.split_once('}')?;
    let is_plain = matches!(end, "" | "e" | "s");
    let claim = match name.strip_prefix("OIDC_CLAIM_") {
        Some(claim) => Some(claim),
        None if name == "REMOTE_USER" => user,
        None => None,
    };
    claim.filter(|claim| is_plain && !claim.is_empty())
}

/// Headers of answers: what `response_headers` of a listener has.
pub(super) fn response_header(directive: &Directive, ledger: &mut Ledger) -> Map {
    let words: Vec<&str> =
        directive.words.iter().map(String::as_str).filter(|word| !matches!(*word, "always" | "onsuccess")).collect();
    let mut headers = Map::default();
    match words.as_slice() {
        [action, name, value] if action.eq_ignore_ascii_case("set") && !value.contains('%') => {
            match header_name(name).as_str() {
                "strict-transport-security" => headers.set("strict_transport_security", *value),
                "content-security-policy" => headers.set("content_security_policy", *value),
                "x-content-type-options" if value.eq_ignore_ascii_case("nosniff") => {
                    headers.set("x_content_type_options", "nosniff")
                }
                "x-frame-options" if matches!(value.to_ascii_uppercase().as_str(), "DENY" | "SAMEORIGIN") => {
                    headers.set("x_frame_options", value.to_ascii_uppercase())
                }
                _ => &mut headers,
            };
        }
        [action, name] if action.eq_ignore_ascii_case("unset") && header_name(name) == "server" => {
            headers.set("server", false);
        }
        _ => {}
    }
    if headers.is_empty() {
        ledger.dropped(&directive.path, "answers of targets are passed on as they are");
    } else {
        ledger.kept(&directive.path, "response_headers of the listener");
    }
    headers
}
