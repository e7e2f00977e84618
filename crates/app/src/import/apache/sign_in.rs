//! The sign-in of a path: its session, and what it asks of a provider.

use std::time::Duration;

use crate::import::apache::providers::Chosen;
use crate::import::apache::scope::{Host, Place};
use crate::import::apache::tree::Directive;
use crate::import::draft::Login;
use crate::import::ledger::Ledger;
use crate::import::yaml::Map;

/// `OIDCSessionMaxDuration` where none is set.
const SESSION: Duration = Duration::from_secs(8 * 3600);
/// The longest session of Vestibule.
const SESSION_MAX: Duration = Duration::from_secs(7 * 86_400);
/// In place of a session that ends with its ID token, whose lifetime is not known.
const SESSION_OF_A_TOKEN: Duration = Duration::from_secs(3600);

/// The last directive of the places of a path, or of the host.
pub(super) fn nearest<'t>(host: &Host<'t>, places: &[&Place<'t>], name: &str) -> Option<&'t Directive> {
    places.iter().rev().find_map(|place| place.last(name)).or_else(|| host.last(name))
}

/// The sign-in of a path.
///
/// # Errors
///
/// In a sentence: the rule has to be closed.
pub(super) fn login(
    host: &Host<'_>,
    places: &[&Place<'_>],
    chosen: Chosen,
    has_requirement: bool,
    ledger: &mut Ledger,
) -> Result<Login, String> {
    let Chosen { first, others, scope, session } = chosen;
    let mut login = Login { provider: first, others, ..Login::default() };
    let mut scopes: Vec<&str> = Vec::new();
    for (name, default) in [("oidcscope", "openid"), ("oidcpathscope", "")] {
        let directive = nearest(host, places, name);
        if let Some(directive) = directive {
            if directive.words.iter().any(|word| word.contains("%{")) {
                return Err(format!("{}: expressions are not carried over", directive.path));
            }
            ledger.kept(&directive.path, "scope");
        }
        let of_directive = directive.map_or(default, |directive| directive.word(0));
        let text = scope.as_deref().filter(|_| name == "oidcscope").unwrap_or(of_directive);
        scopes.extend(text.split_whitespace());
    }
    if !scopes.contains(&"openid") {
        scopes.insert(0, "openid");
    }
    login.settings.set("scope", scopes.join(" "));
    let timeout = timeout(host, ledger)?;
    login.settings.set("session_timeout", session.map_or(timeout, |shortest| shortest.min(timeout)));
    unauthenticated(nearest(host, places, "oidcunauthaction"), has_requirement, &mut login.settings, ledger)?;
    if let Some(directive) = host.last("oidccookiesamesite") {
        let value = match directive.word(0).to_ascii_lowercase().as_str() {
            "off" | "none" => "none",
            "strict" => "strict",
            _ => "lax",
        };
        login.settings.set("session_cookie_same_site", value);
        ledger.kept(&directive.path, "session_cookie_same_site");
    }
    if let Some(directive) = nearest(host, places, "oidccookie") {
        login.cookie = Some(directive.word(0).to_owned());
        ledger.kept(&directive.path, "session_cookie_name; users sign in once more");
    }
    let mut params = Map::default();
    for name in ["oidcauthrequestparams", "oidcpathauthrequestparams"] {
        let Some(directive) = nearest(host, places, name) else { continue };
        for (key, value) in url::form_urlencoded::parse(directive.word(0).as_bytes()) {
            // `#` is a parameter of the request, `%{…}` an expression.
            if value == "#" || directive.word(0).contains("%{") {
                ledger.changed(&directive.path, "without what depends on the request");
            } else {
                params.set(&key, value.as_ref());
            }
        }
        ledger.kept(&directive.path, "authentication_request_extra_params");
    }
    if !params.is_empty() {
        login.settings.set("authentication_request_extra_params", params);
    }
    Ok(login)
}

fn timeout(host: &Host<'_>, ledger: &mut Ledger) -> Result<Duration, String> {
    let Some(directive) = host.last("oidcsessionmaxduration") else { return Ok(SESSION) };
    let seconds: u64 = directive.word(0).parse().map_err(|_| format!("{}: no number of seconds", directive.path))?;
    let timeout = Duration::from_secs(seconds);
    if timeout.is_zero() {
        ledger.changed(&directive.path, "session_timeout: one hour in place of the lifetime of the ID token");
        return Ok(SESSION_OF_A_TOKEN);
    }
    if timeout > SESSION_MAX {
        ledger.changed(&directive.path, "session_timeout: 7 days, which is the longest session");
        return Ok(SESSION_MAX);
    }
    ledger.kept(&directive.path, "session_timeout");
    Ok(timeout)
}

/// `OIDCUnAuthAction`.
fn unauthenticated(
    directive: Option<&Directive>,
    has_requirement: bool,
    settings: &mut Map,
    ledger: &mut Ledger,
) -> Result<(), String> {
    let Some(directive) = directive else { return Ok(()) };
    let has_expression = directive.words.len() > 1;
    match directive.word(0) {
        "auth" => {}
        "pass" if has_expression => {
            return Err("requests pass without a user if an expression is met (OIDCUnAuthAction)".to_owned());
        }
        // Who asks for a claim refuses everybody without a user.
        "pass" if has_requirement => {
            settings.set("on_unauthenticated_request", "deny");
        }
        "pass" => {
            settings.set("on_unauthenticated_request", "allow");
        }
        // The others are sent to the provider, and those for which it is met are answered 401 here, too: they do not navigate.
        "401" | "403" | "407" | "410" if has_expression => {
            ledger.changed(&directive.path, "without the expression: what is no navigation is answered 401");
        }
        "401" | "403" | "407" | "410" => {
            settings.set("on_unauthenticated_request", "deny");
            // An expired session is answered like no session.
            ledger.kept(&directive.path, "on_unauthenticated_request: deny, with 401");
        }
        other => return Err(format!("OIDCUnAuthAction is `{other}`")),
    }
    ledger.kept(&directive.path, "on_unauthenticated_request");
    Ok(())
}
